"""Windows of the frame: what overlap and boundary scores look at, so that no mask is ever full-frame."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.geometry import boxes

Window = tuple[int, int, int, int]  # x1, y1, x2, y2 in whole pixels, x2 and y2 exclusive


def as_window(box: NDArray[np.float64]) -> Window:
    """A mask's box (4,) as a window; such boxes lie on whole pixels."""
    x1, y1, x2, y2 = (int(value) for value in box)
    return x1, y1, x2, y2


def cover(cells: Cells, indices: Iterable[int], window: Window) -> NDArray[np.bool_]:
    """Pixels of the window under any of the instances `indices`, (h, w)."""
    x1, y1, x2, y2 = window
    covered = np.zeros((y2 - y1, x2 - x1), dtype=bool)
    for index in indices:
        mask, (x, y) = cells.masks[index], cells.offsets[index]
        left, top = max(x1, x), max(y1, y)
        right, bottom = min(x2, x + mask.shape[1]), min(y2, y + mask.shape[0])
        if left < right and top < bottom:
            part = mask[top - y : bottom - y, left - x : right - x]
            covered[top - y1 : bottom - y1, left - x1 : right - x1] |= part
    return covered


def neighbours(a: NDArray[np.float64], b: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """For each box of `a` the indices of the boxes of `b` that share area with it, ascending."""
    pairs = boxes.overlapping_pairs(a, b)
    starts = np.searchsorted(pairs[:, 0], np.arange(1, len(a)))
    return np.split(pairs[:, 1], starts) if len(a) else []
