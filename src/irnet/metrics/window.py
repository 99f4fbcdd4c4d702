"""Windows of the frame: what overlap and boundary scores look at, so that no mask is ever full-frame."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.geometry import masks
from irnet.geometry.masks import Window


def as_window(box: NDArray[np.float64]) -> Window:
    """A mask's box (4,) as a window; such boxes lie on whole pixels."""
    x1, y1, x2, y2 = (int(value) for value in box)
    return x1, y1, x2, y2


def window_of(cells: Cells, index: int) -> Window:
    """The crop of one instance as a window."""
    (x, y), (height, width) = cells.offsets[index].tolist(), cells.masks[index].shape
    return x, y, x + width, y + height


def cover(cells: Cells, indices: Iterable[int], window: Window) -> NDArray[np.bool_]:
    """Pixels of the window under any of the instances `indices`, (h, w)."""
    chosen = list(indices)
    return masks.cover([cells.masks[i] for i in chosen], cells.offsets[chosen], window)
