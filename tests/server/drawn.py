"""Discs: the cells that the tests of the server draw."""

import numpy as np

from irnet.cells import CYTOPLASM, NUCLEUS

SHAPE = (120, 160)
# (x, y, radius, label, parent, score): two cells that overlap, the nucleus of each, a bare nucleus
DISCS = (
    (50, 60, 30, CYTOPLASM, -1, 0.9),
    (50, 60, 8, NUCLEUS, 0, 0.8),
    (80, 60, 28, CYTOPLASM, -1, 0.6),
    (85, 60, 7, NUCLEUS, 2, 0.3),
    (140, 20, 6, NUCLEUS, -1, 0.7),
)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(columns - x, rows - y) < radius


def ring(x: float, y: float, radius: float) -> list[float]:
    """A circle as the page sends what was drawn: flat x, y."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1).ravel().tolist()
