"""What lies on and around instances: pixels of other cells, neighbours, the edge of the frame."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import NO_PARENT, Cells
from irnet.geometry.boxes import overlapping_pairs
from irnet.geometry.masks import Window, cover

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

REACH = 1  # px: masks that touch by a side or a corner are neighbours
PIXELS = 2**21  # of a strip, about: no map of the whole image is made


class Strip(NamedTuple):
    """Rows of the frame that are looked at together, and one below, with which pixels are pairs."""

    top: int
    bottom: int  # exclusive
    end: int  # bottom + 1, or the frame's height
    members: Ints  # (k,) instances with pixels in the rows from top to bottom

    def window(self, cells: Cells, index: int) -> Window:
        """What of an instance's crop lies in the rows from top to end: x1, y1, x2, y2 of the frame."""
        x1, y1, x2, y2 = cells.window(index)
        return x1, max(y1, self.top), x2, min(y2, self.end)

    def part(self, cells: Cells, index: int) -> Mask:
        """That part of the crop."""
        y = int(cells.offsets[index, 1])
        return cells.masks[index][max(self.top - y, 0) : self.end - y]


def strips(cells: Cells) -> Iterator[Strip]:
    """The frame from above, without rows in which nothing is."""
    height, width = cells.image_shape
    tops, bottoms = cells.boxes[:, [1, 3]].T
    rows = max(1, PIXELS // max(width, 1))
    top = 0
    while (below := bottoms > top).any():
        top = max(top, int(tops[below].min()))
        bottom = min(top + rows, height)
        members = np.flatnonzero(below & (tops < bottom))
        yield Strip(top, bottom, min(bottom + 1, height), members)
        top = bottom


def shared_by_cells(cells: Cells, strip: Strip) -> Mask:
    """Pixels of a strip under instances of several cells, (end - top, W).

    A cell and its nuclei are one cell; so are the nuclei of one cell.
    """
    shape = strip.end - strip.top, cells.image_shape[1]
    once, twice = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for index, before in _by_family(cells, strip.members):
        x1, y1, x2, y2 = window = strip.window(cells, index)
        part = strip.part(cells, index)
        if before:
            part = part > cover([cells.masks[i] for i in before], cells.offsets[before], window)
        place = slice(y1 - strip.top, y2 - strip.top), slice(x1, x2)
        twice[place] |= once[place] & part
        once[place] |= part
    return twice


def own_nuclei(cells: Cells, nuclei: Ints, window: Window) -> Mask:
    """Pixels of a window under some of the instances, (h, w)."""
    return cover([cells.masks[i] for i in nuclei], cells.offsets[nuclei], window)


def count_neighbours(cells: Cells) -> Ints:
    """Of each instance how many others of its class overlap or touch it, (n,)."""
    boxes = cells.boxes.astype(np.int64)
    grown = boxes + np.array([-REACH, -REACH, REACH, REACH])
    pairs = overlapping_pairs(grown, boxes)
    pairs = pairs[(pairs[:, 0] < pairs[:, 1]) & (cells.labels[pairs[:, 0]] == cells.labels[pairs[:, 1]])]

    met = np.zeros(len(pairs), dtype=bool)
    places = (cells.offsets[pairs[:, 1]] - grown[pairs[:, 0], :2]).tolist()
    last, mask = -1, np.zeros((0, 0), dtype=bool)
    for number, ((one, other), place) in enumerate(zip(pairs.tolist(), places, strict=True)):
        if one != last:
            last, mask = one, _grown(cells.masks[one])
        met[number] = _meet(mask, cells.masks[other], place)
    return np.bincount(pairs[met].ravel(), minlength=len(cells))


def children(parents: Ints) -> list[Ints]:
    """For each instance those whose parent it is, ascending."""
    order = np.argsort(parents, kind="stable")
    bounds = np.searchsorted(parents[order], np.arange(len(parents) + 1))
    return [order[start:stop] for start, stop in pairwise(bounds.tolist())]


def _by_family(cells: Cells, members: Ints) -> Iterator[tuple[int, list[int]]]:
    """Each of the members, and those of its cell that came before it."""
    families = np.where(cells.parents == NO_PARENT, np.arange(len(cells)), cells.parents)[members]
    order = np.argsort(families, kind="stable")
    last, before = -1, list[int]()
    for index, family in zip(members[order].tolist(), families[order].tolist(), strict=True):
        before = before if family == last else []
        yield index, before
        last, before = family, [*before, index]


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
