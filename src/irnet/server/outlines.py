"""Outlines for the screen: contours of many masks with as few vertices as a tolerance allows."""

import numpy as np

from irnet.cells import Cells
from irnet.geometry.polygons import contours, simplify


def outlines(cells: Cells) -> list[list[list[float]]]:
    """For each instance its rings as flat x, y lists, the outer one first; rings are open.

    Coordinates are of pixel corners, rounded to a tenth of a pixel.
    """
    rings = [
        contours(mask, (int(x), int(y))) for mask, (x, y) in zip(cells.masks, cells.offsets, strict=True)
    ]
    thin = iter(simplify([ring for group in rings for ring in group]))
    return [[np.round(next(thin)[:-1], 1).ravel().tolist() for _ in group] for group in rings]
