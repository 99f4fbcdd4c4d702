"""How large the nuclei of a cell are, and how far from its middle they lie."""

from typing import NamedTuple

import numpy as np

from irnet.cells import CYTOPLASM, NO_PARENT
from irnet.geometry.masks import cover
from irnet.morphometry.surroundings import Surroundings


class Nuclei(NamedTuple):
    """Nuclei of one cell, together; where the frame cuts the cell, and without a nucleus, only their number.

    Several nuclei count as their union, and none is cut to the cell: masks that disagree show.
    """

    count: int | None = None  # None for a nucleus
    of_cell: float | None = None  # area of the nuclei over the area of the whole cell
    of_rest: float | None = None  # over the area of the cell without them; None where they leave nothing
    offset: float | None = None  # distance of the centroids over the radius of a disc of the cell's area


def measure_nuclei(surroundings: Surroundings, index: int) -> Nuclei:
    """The figures of a cell, or those of a nucleus alone in its cell (then only `offset`)."""
    cells = surroundings.cells
    is_cell = cells.labels[index] == CYTOPLASM
    cell = index if is_cell else int(cells.parents[index])
    if cell == NO_PARENT:
        return Nuclei()

    nuclei = surroundings.nuclei(cell)
    chosen = nuclei if is_cell else np.array([index])
    count = len(nuclei) if is_cell else None
    cut = any(surroundings.touches_border(part) for part in (cell, *nuclei.tolist()))

    x, y, area = _centroid(surroundings, chosen)
    cell_x, cell_y, cell_area = _centroid(surroundings, np.array([cell]))
    if cut or not area or not cell_area:
        return Nuclei(count)

    offset = float(np.hypot(x - cell_x, y - cell_y) / np.sqrt(cell_area / np.pi))
    if not is_cell:
        return Nuclei(offset=offset)

    rest = cell_area - area
    return Nuclei(count, area / cell_area, area / rest if rest > 0 else None, offset)


def _centroid(surroundings: Surroundings, indices: np.ndarray) -> tuple[float, float, int]:
    """Mean x and y, and number, of the pixels under any of the instances."""
    if not len(indices):
        return 0.0, 0.0, 0

    cells, boxes = surroundings.cells, surroundings.boxes[indices]
    (x1, y1), (x2, y2) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    under = cover([cells.masks[i] for i in indices], cells.offsets[indices], (x1, y1, x2, y2))  # (h, w)

    columns, rows = np.count_nonzero(under, axis=0), np.count_nonzero(under, axis=1)
    area = int(columns.sum())
    if not area:
        return 0.0, 0.0, 0
    x, y = columns @ np.arange(len(columns)) / area, rows @ np.arange(len(rows)) / area
    return float(x) + x1, float(y) + y1, area
