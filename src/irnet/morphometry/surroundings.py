"""What lies on and around an instance: pixels of other cells, neighbours, the edge of the frame."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from irnet.cells import NO_PARENT, Cells
from irnet.geometry.boxes import neighbours
from irnet.geometry.masks import Window, cover

Mask = NDArray[np.bool_]

REACH = 1  # px: masks that touch by a side or a corner are neighbours
TOUCHING = np.ones((2 * REACH + 1,) * 2, dtype=bool)


class Surroundings:
    """Asked for one instance of `cells` after the other; looks at those alone whose boxes meet."""

    def __init__(self, cells: Cells) -> None:
        self.cells, self.boxes = cells, cells.boxes.astype(np.int64)
        self.families = np.where(cells.parents == NO_PARENT, np.arange(len(cells)), cells.parents)
        self._nuclei = _children(cells.parents)
        grown = self.boxes + np.array([-REACH, -REACH, REACH, REACH])
        self._near = neighbours(grown, self.boxes)

    def foreign(self, index: int) -> Mask:
        """Pixels of an instance that an instance of another cell covers as well, (h, w) of its crop.

        A cell and its nuclei are one cell; so are the nuclei of one cell.
        """
        near = self._near[index]
        others = near[self.families[near] != self.families[index]]
        return self.cells.masks[index] & self._cover(others, self._window(index))

    def own_nuclei(self, index: int) -> Mask:
        """Pixels of a cell under its nuclei, (h, w) of its crop."""
        return self.cells.masks[index] & self._cover(self.nuclei(index), self._window(index))

    def nuclei(self, index: int) -> NDArray[np.int64]:
        """Indices of the nuclei of a cell, ascending."""
        return self._nuclei[index]

    def count_neighbours(self, index: int) -> int:
        """Instances of the same class that overlap or touch this one."""
        near = self._near[index]
        alike = near[(self.cells.labels[near] == self.cells.labels[index]) & (near != index)]
        if not len(alike):
            return 0
        x1, y1, x2, y2 = self._window(index)
        grown = binary_dilation(np.pad(self.cells.masks[index], REACH), TOUCHING).astype(bool)
        window = (x1 - REACH, y1 - REACH, x2 + REACH, y2 + REACH)
        return sum(bool((grown & self._cover(np.array([other]), window)).any()) for other in alike)

    def touches_border(self, index: int) -> bool:
        """Whether the instance reaches the frame's edge, so that a part of it may be missing."""
        (x1, y1, x2, y2), (height, width) = self._window(index), self.cells.image_shape
        return x1 == 0 or y1 == 0 or x2 == width or y2 == height

    def _window(self, index: int) -> Window:
        x1, y1, x2, y2 = self.boxes[index].tolist()
        return x1, y1, x2, y2

    def _cover(self, indices: NDArray[np.int64], window: Window) -> Mask:
        return cover([self.cells.masks[i] for i in indices], self.cells.offsets[indices], window)


def _children(parents: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """For each instance those whose parent it is, ascending."""
    order = np.argsort(parents, kind="stable")
    bounds = np.searchsorted(parents[order], np.arange(len(parents) + 1))
    return [order[start:stop] for start, stop in pairwise(bounds.tolist())]
