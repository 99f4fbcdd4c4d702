"""How large the nuclei of cells are, and how far from the middle of their cell they lie."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, Cells
from irnet.geometry.masks import union
from irnet.morphometry.shape import measure_places

Floats = NDArray[np.float64]


class Nuclei(NamedTuple):
    """Nuclei of each cell, together; nan where the frame cuts the cell or one of them, and without a nucleus.

    Several nuclei count as their union, and none is cut to the cell: masks that disagree show.
    """

    of_cell: Floats  # (n,) area of the nuclei over the area of the whole cell; nan for a nucleus
    of_rest: Floats  # (n,) over the area of the cell without them; nan where they leave nothing
    offset: Floats  # (n,) distance of the centroids over the radius of a disc of the cell's area

    # Of a nucleus the offset is that of itself alone.


def measure_nuclei(
    cells: Cells,
    area: NDArray[np.int64],
    centroid: Floats,
    cut: NDArray[np.bool_],
    nuclei: Sequence[NDArray[np.int64]],
) -> Nuclei:
    """The figures of all n instances.

    Args:
        cells: n instances.
        area: px of each, (n,).
        centroid: x, y of each in the frame, (n, 2); nan without pixels.
        cut: whether the frame cuts it, (n,).
        nuclei: for each the indices of its nuclei.
    """
    is_cell = cells.labels == CYTOPLASM
    linked = cells.parents != NO_PARENT
    owner = np.where(is_cell, np.arange(len(cells)), cells.parents)
    has_owner = owner != NO_PARENT

    cut = cut.copy()  # the cell, or one of its nuclei
    np.logical_or.at(cut, cells.parents[linked], cut[linked])

    # What lies in the cell: of a cell its nuclei, one as it is and several as their union.
    inner, place = np.where(is_cell, 0, area), np.where(is_cell[:, None], np.nan, centroid)
    counts = np.array([len(own) for own in nuclei], dtype=np.int64)
    single = np.flatnonzero(is_cell & (counts == 1))
    child = np.array([nuclei[index][0] for index in single.tolist()], dtype=np.int64)
    inner[single], place[single] = area[child], centroid[child]
    several = np.flatnonzero(is_cell & (counts > 1))
    inner[several], place[several] = _unions(cells, [nuclei[index] for index in several.tolist()])

    whole = has_owner & ~cut[owner] & (inner > 0) & (area[owner] > 0)
    known = np.flatnonzero(whole)
    total = area[owner[known]]
    offset, of_cell, of_rest = np.full((3, len(cells)), np.nan)
    offset[known] = np.hypot(*(place[known] - centroid[owner[known]]).T) / np.sqrt(total / np.pi)

    with_rest = known[is_cell[known] & (inner[known] < total)]
    known = known[is_cell[known]]
    of_cell[known] = inner[known] / area[known]
    of_rest[with_rest] = inner[with_rest] / (area[with_rest] - inner[with_rest])
    return Nuclei(of_cell, of_rest, offset)


def _unions(cells: Cells, groups: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], Floats]:
    """Areas (k,) and centroids (k, 2) in the frame of all pixels under any instance of each group."""
    joined = []
    for group in groups:
        offsets = [(int(x), int(y)) for x, y in cells.offsets[group]]
        joined.append(union([cells.masks[i] for i in group], offsets))
    area, centroid = measure_places([mask for mask, _ in joined])
    return area, centroid + np.array([offset for _, offset in joined]).reshape(-1, 2)
