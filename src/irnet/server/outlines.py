"""Outlines for the screen: contours of many masks with as few vertices as a tolerance allows."""

import numpy as np

from irnet.cells import Cells
from irnet.geometry import polygons


def outlines(cells: Cells) -> list[list[list[float]]]:
    """For each instance its rings as flat x, y lists, the outer one first; rings are open.

    Coordinates are of pixel corners, rounded to a tenth of a pixel.
    """
    return [
        [np.round(ring[:-1], 1).ravel().tolist() for ring in rings]
        for rings in polygons.outlines(cells.masks, cells.offsets)
    ]
