"""What lies on and around an instance: pixels of other cells, neighbours, the edge of the frame."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from irnet.cells import NO_PARENT, Cells
from irnet.geometry.boxes import neighbours
from irnet.geometry.masks import Window, cover

Mask = NDArray[np.bool_]

REACH = 1  # px: masks that touch by a side or a corner are neighbours


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
        """Indices of the k nuclei of a cell, (k,), ascending."""
        return self._nuclei[index]

    def count_neighbours(self, index: int) -> int:
        """Instances of the same class that overlap or touch this one."""
        near = self._near[index]
        alike = near[(self.cells.labels[near] == self.cells.labels[index]) & (near != index)]
        if not len(alike):
            return 0

        grown = _grown(self.cells.masks[index])
        x, y = (self.cells.offsets[index] - REACH).tolist()
        places = (self.cells.offsets[alike] - (x, y)).tolist()
        return sum(
            _meet(grown, self.cells.masks[other], place)
            for other, place in zip(alike.tolist(), places, strict=True)
        )

    def touches_border(self, index: int) -> bool:
        """Whether the instance reaches the frame's edge, so that a part of it may be missing."""
        (x1, y1, x2, y2), (height, width) = self._window(index), self.cells.image_shape
        return x1 == 0 or y1 == 0 or x2 == width or y2 == height

    def _window(self, index: int) -> Window:
        x1, y1, x2, y2 = self.boxes[index].tolist()
        return x1, y1, x2, y2

    def _cover(self, indices: NDArray[np.int64], window: Window) -> Mask:
        return cover([self.cells.masks[i] for i in indices], self.cells.offsets[indices], window)


def _grown(mask: Mask) -> Mask:
    """A mask and all pixels that touch it by a side or a corner, a pixel more on each side."""
    rim, (height, width) = 2 * REACH, mask.shape
    wide = np.zeros((height + 2 * rim, width + 2 * rim), dtype=bool)  # np.pad takes ten times as long
    wide[rim : rim + height, rim : rim + width] = mask

    tall = wide[:-2] | wide[1:-1] | wide[2:]
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]


def _meet(mask: Mask, other: Mask, place: list[int]) -> bool:
    """Whether two masks share a pixel; `place` is the x, y of the other's crop in that of the first."""
    x, y = place
    part = mask[max(y, 0) : y + other.shape[0], max(x, 0) : x + other.shape[1]]
    left, top = max(-x, 0), max(-y, 0)
    return bool((part & other[top : top + part.shape[0], left : left + part.shape[1]]).any())


def _children(parents: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """For each instance those whose parent it is, ascending."""
    order = np.argsort(parents, kind="stable")
    bounds = np.searchsorted(parents[order], np.arange(len(parents) + 1))
    return [order[start:stop] for start, stop in pairwise(bounds.tolist())]
