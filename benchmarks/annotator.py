"""A simulated annotator: what it takes to outline a cell by hand, or to mend a mask, in clicks and drags."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from irnet.cells import Cells
from irnet.geometry import polygons
from irnet.geometry.masks import Mask

TOLERANCES = (8, 6, 5, 4, 3, 2.5, 2, 1.5, 1, 0.7, 0.5)  # px, of polygons drawn by hand
OFF = 0.05  # of a box's side: how far its corners are missed
AIM = 0.25  # of the distance to the outline: how far a click misses the deepest point
LEAST_VISIBLE = 30  # px of a cell that no other covers, to be clicked there
MARGIN = 30  # px around a cell that is worked on
COARSE = 1.2  # px: vertices that an outline shows where it is mended


class Plot(NamedTuple):
    """A cell in its surroundings: its true mask, and x, y of the corner."""

    truth: Mask
    corner: tuple[int, int]


def plot_of(cells: Cells, index: int, other: Cells | None = None) -> Plot:
    """A true cell with room for the mask of another around it."""
    x1, y1, x2, y2 = cells.window(index)
    if other is not None:
        a1, b1, a2, b2 = other.window(0)
        x1, y1, x2, y2 = min(x1, a1), min(y1, b1), max(x2, a2), max(y2, b2)
    height, width = cells.image_shape
    window = max(0, x1 - MARGIN), max(0, y1 - MARGIN), min(width, x2 + MARGIN), min(height, y2 + MARGIN)
    return Plot(cells.cover([index], window), (window[0], window[1]))


def draw(plot: Plot, good: float) -> tuple[Mask, int]:
    """An outline of the cell drawn by hand with an IoU of `good`, and how many clicks it takes."""
    ring = polygons.contours(plot.truth, (0, 0))[0]
    for tolerance in TOLERANCES:
        simple = polygons.simplify([ring], tolerance)[0][:-1]
        if len(simple) >= 3 and iou(mask := _fill(simple, plot.truth.shape), plot.truth) >= good:
            return mask, len(simple)
    return plot.truth, len(ring) - 1


def mend(mask: Mask, plot: Plot, good: float, most: int) -> tuple[Mask, int]:
    """Drag vertices of a mask's outline until its IoU is `good`, `most` at most: the mask, and how many.

    The person sees where the true outline is farthest from the one drawn, and takes the nearest vertex there,
    or the nearest edge for a new one. A drag that makes things worse is not made.
    """
    true_ring = polygons.contours(plot.truth, (0, 0))[0]
    ring = polygons.simplify([polygons.contours(mask, (0, 0))[0]], COARSE)[0][:-1]
    if len(ring) < 3:
        return mask, most
    drags, given_up = 0, np.zeros(len(true_ring), dtype=bool)
    best = iou(mask, plot.truth)
    while best < good and drags < most and not given_up.all():
        distance = np.where(given_up, -1, _distances(true_ring, ring).min(axis=1))
        target = true_ring[distance.argmax()]
        options = _moves(ring, target)
        tried = [_fill(each, plot.truth.shape) for each in options]
        gains = [iou(each, plot.truth) for each in tried]
        if max(gains) > best:
            best, drags = max(gains), drags + 1
            ring, mask = options[int(np.argmax(gains))], tried[int(np.argmax(gains))]
        else:
            given_up |= np.hypot(*(true_ring - target).T) < 2
    return mask, drags


def click(cells: Cells, index: int, rng: np.random.Generator) -> tuple[float, float]:
    """Where a person clicks to name a cell: about the deepest point of what no other of its class covers."""
    window = cells.window(index)
    others = [j for j in np.flatnonzero(cells.labels == cells.labels[index]) if j != index]
    visible = cells.masks[index] & ~cells.cover(others, window)
    if np.count_nonzero(visible) < LEAST_VISIBLE:
        visible = cells.masks[index]
    depth = np.asarray(ndimage.distance_transform_edt(np.pad(visible, 1)))[1:-1, 1:-1]

    y, x = np.unravel_index(depth.argmax(), depth.shape)
    radius, angle = AIM * depth.max() * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    height, width = cells.image_shape
    at = window[0] + x + 0.5 + radius * np.cos(angle), window[1] + y + 0.5 + radius * np.sin(angle)
    return float(np.clip(at[0], 0, width - 0.5)), float(np.clip(at[1], 0, height - 0.5))


def drag_box(cells: Cells, index: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The box of a cell, each of its sides off to one way or the other."""
    box = cells.boxes[index]
    return box + rng.choice([-OFF, OFF], 4) * np.tile(box[2:] - box[:2], 2)


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks of one plot."""
    return float(np.count_nonzero(a & b) / max(1, np.count_nonzero(a | b)))


def _fill(ring: NDArray[np.float64], shape: tuple[int, ...]) -> Mask:
    frame = np.zeros(shape, dtype=bool)
    crop, (x, y) = polygons.rasterise([ring], (shape[0], shape[1]))
    frame[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    return frame


def _distances(points: NDArray[np.float64], ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each point from each edge of a ring, (n, k); edge i begins at vertex i."""
    starts, chords = ring, np.roll(ring, -1, axis=0) - ring
    from_start = points[:, None] - starts  # (n, k, 2)
    squares = np.maximum((chords**2).sum(axis=1), 1e-9)
    along = np.clip((from_start * chords).sum(axis=2) / squares, 0, 1)
    return np.hypot(*np.moveaxis(from_start - along[..., None] * chords, 2, 0))


def _moves(ring: NDArray[np.float64], target: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The ring with its nearest vertex dragged to a place, and with a new one dragged there from an edge."""
    moved = ring.copy()
    moved[np.hypot(*(ring - target).T).argmin()] = target
    edge = _distances(target[None], ring)[0].argmin()
    return [moved, np.insert(ring, edge + 1, target, axis=0)]
