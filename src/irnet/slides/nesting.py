"""What cells.db says of instances beside what windows measured: outlines, and how nuclei lie in cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import NO_PARENT, Cells
from irnet.geometry import polygons
from irnet.morphometry.nuclei import measure_nuclei
from irnet.morphometry.shape import measure_places
from irnet.morphometry.surroundings import children
from irnet.progress import each
from irnet.slides.block import Block
from irnet.slides.outlines import encode_outline

NESTED = ("nucleus_cell_ratio", "nc_ratio", "nuclear_offset")  # by the names of cells.csv
_TOGETHER = 1000  # instances whose masks are in memory

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Part(NamedTuple):
    """n instances that follow one another in cells.db."""

    first: int  # id of the first
    block: Block
    parents: _Ints  # (n,) ids, NO_PARENT for none
    confidence: _Floats  # (n,) of the links, nan for cells
    nuclei: _Ints  # (n,) how many each has
    nested: _Floats  # (n, 3) in the order of NESTED, nan for what is not known
    outlines: list[bytes]  # n


def describe(
    take: Callable[[_Ints], Block], parents: _Ints, confidence: _Floats, shape: tuple[int, int]
) -> Iterator[Part]:
    """The parts of n instances in the order of their ids, in a slide of `shape` (H, W).

    `take` returns those of some ids (k,). Nuclei in cells are measured as `irnet measure` does it, and not
    where an edge of the slide, or of a window, cuts the cell or one of its nuclei.
    """
    order = np.argsort(parents, kind="stable")
    bounds = np.searchsorted(parents[order], np.arange(len(parents) + 1))
    for first in each(range(0, len(parents), _TOGETHER), "writing cells.db"):
        mine = np.arange(first, min(first + _TOGETHER, len(parents)))
        owners = np.union1d(mine, parents[mine])
        owners = owners[owners != NO_PARENT]
        families = [order[bounds[owner] : bounds[owner + 1]] for owner in owners]
        index = np.unique(np.concatenate([owners, *families]))

        near, own = take(index), parents[index]
        local = np.where(own == NO_PARENT, NO_PARENT, np.searchsorted(index, own))
        cells = dataclasses.replace(near.to_cells(shape, 1.0), parents=local)
        here = np.searchsorted(index, mine)
        counts, nested = _measure(cells, near.cut > 0)
        drawn = polygons.outlines([cells.masks[place] for place in here], cells.offsets[here])
        corners = near.boxes[here, :2]
        yield Part(
            first,
            near.select(here),
            parents[mine],
            confidence[mine],
            counts[here],
            nested[here],
            [encode_outline(rings, corner) for rings, corner in zip(drawn, corners, strict=True)],
        )


def _measure(cells: Cells, cut: NDArray[np.bool_]) -> tuple[_Ints, _Floats]:
    """How many nuclei each of the cells has, (n,), and NESTED (n, 3); `cut` (n,) by its window."""
    nuclei = children(cells.parents)
    area, centroid = measure_places(cells.masks)
    found = measure_nuclei(cells, area, centroid + cells.offsets, cells.at_border | cut, nuclei)
    counts = np.array([len(own) for own in nuclei], dtype=np.int64)
    return counts, np.stack([found.of_cell, found.of_rest, found.offset], axis=1)
