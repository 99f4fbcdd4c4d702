"""One row an image: how many cells and nuclei, their medians, how dense they lie (images.csv)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from statistics import median

from irnet.cells import Cells
from irnet.morphometry.table import Row

IMAGE_COLUMNS = (  # docs/reference/measurements.md says what each one is
    *("image", "patient", "width_px", "height_px", "mpp", "cells", "nuclei"),
    *("cells_without_nucleus", "bare_nuclei", "overlapping_cells", "cut_cells", "cells_per_mm2"),
    *("median_cell_area_px", "median_cell_area_um2", "median_nucleus_area_px", "median_nucleus_area_um2"),
    *("median_nucleus_cell_ratio", "median_nc_ratio", "notes"),
)


def summarise_image(
    cells: Cells, rows: Sequence[Row], *, name: str, patient: str | None = None, notes: Sequence[str] = ()
) -> Row:
    """The row of images.csv of one image.

    Args:
        cells: n instances.
        rows: what `measure` says of them, n rows. Medians are of those that the border does not cut.
        name: of the image.
        patient: of the image, None where it is not known.
        notes: on the image.
    """
    height, width = cells.image_shape
    owners = [row for row in rows if row["label"] == "cytoplasm"]
    nuclei = [row for row in rows if row["label"] == "nucleus"]
    mm2 = None if cells.mpp is None else prod(cells.image_shape) * (cells.mpp / 1000) ** 2

    counts: Row = {
        "image": name,
        "patient": patient,
        "width_px": width,
        "height_px": height,
        "mpp": cells.mpp,
        "cells": len(owners),
        "nuclei": len(nuclei),
        "cells_without_nucleus": sum(not row["nuclei"] for row in owners),
        "bare_nuclei": sum(row["parent"] is None for row in nuclei),
        "overlapping_cells": sum(bool(row["overlap_fraction"]) for row in owners),
        "cut_cells": sum(bool(row["touches_border"]) for row in owners),
        "cells_per_mm2": round(len(owners) / mm2, 2) if mm2 else None,
    }
    medians: Row = {
        "median_cell_area_px": _median(owners, "area_px", 2),
        "median_cell_area_um2": _median(owners, "area_um2", 2),
        "median_nucleus_area_px": _median(nuclei, "area_px", 2),
        "median_nucleus_area_um2": _median(nuclei, "area_um2", 2),
        "median_nucleus_cell_ratio": _median(owners, "nucleus_cell_ratio", 4),
        "median_nc_ratio": _median(owners, "nc_ratio", 4),
    }
    return counts | medians | {"notes": "; ".join(notes) or None}


def _median(rows: Sequence[Row], column: str, digits: int) -> float | None:
    """The median of a column over instances that the border does not cut, None where there is none."""
    whole = [row[column] for row in rows if not row["touches_border"]]
    values = [float(value) for value in whole if isinstance(value, int | float)]
    return round(median(values), digits) if values else None
