"""One row an instance: where it is, how large, and for a cell its nuclei (cells.csv)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells

Row = dict[str, str | int | float | None]

COLUMNS: tuple[str, ...] = (
    "image",
    "id",
    "label",
    "parent",
    "score",
    "area_px",
    "area_um2",
    "centroid_x_px",
    "centroid_y_px",
    "box_x1",
    "box_y1",
    "box_x2",
    "box_y2",
    "touches_border",
    "nuclei",
    "nucleus_cell_ratio",
)


def measure(cells: Cells, image: str = "") -> list[Row]:
    """Return one row of `COLUMNS` for each instance of `cells`.

    Lengths are in px of the image; `area_um2` is None unless `cells.mpp` is known. `id` and `parent` count
    from 0 inside the image, `parent` is None for a cell and for a bare nucleus. `nucleus_cell_ratio` is the
    area of all the cell's nuclei over the area of the whole cell, None without a nucleus. Coordinates are
    those of pixel centres for the centroid and of pixel corners for the box.
    """
    areas, boxes = cells.areas, cells.boxes
    height, width = cells.image_shape
    rows = []
    for i, (area, box) in enumerate(zip(areas, boxes, strict=True)):
        x, y = _centroid(cells.masks[i], cells.offsets[i])
        x1, y1, x2, y2 = (int(side) for side in box)
        rows.append(
            {
                "image": image,
                "id": i,
                "label": LABEL_NAMES[int(cells.labels[i])],
                "parent": None if cells.parents[i] == NO_PARENT else int(cells.parents[i]),
                "score": round(float(cells.scores[i]), 4),
                "area_px": int(area),
                "area_um2": None if cells.mpp is None else round(float(area) * cells.mpp**2, 2),
                "centroid_x_px": x,
                "centroid_y_px": y,
                "box_x1": x1,
                "box_y1": y1,
                "box_x2": x2,
                "box_y2": y2,
                "touches_border": int(x1 == 0 or y1 == 0 or x2 == width or y2 == height),
                **_nuclei(cells, areas, i),
            }
        )
    return rows


def to_csv(rows: Iterable[Row]) -> str:
    """Return the rows as CSV text with a header; a value that is not known is an empty field."""
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _centroid(mask: NDArray[np.bool_], offset: NDArray[np.int64]) -> tuple[float | None, float | None]:
    ys, xs = np.nonzero(mask)
    if not len(xs):
        return None, None
    return round(float(xs.mean() + offset[0]), 2), round(float(ys.mean() + offset[1]), 2)


def _nuclei(cells: Cells, areas: NDArray[np.int64], index: int) -> Row:
    """Return the two columns that only a cell has."""
    if cells.labels[index] != CYTOPLASM:
        return {"nuclei": None, "nucleus_cell_ratio": None}
    mine = (cells.parents == index) & (cells.labels == NUCLEUS)
    ratio = areas[mine].sum() / areas[index] if mine.any() and areas[index] else None
    return {
        "nuclei": int(mine.sum()),
        "nucleus_cell_ratio": None if ratio is None else round(float(ratio), 4),
    }
