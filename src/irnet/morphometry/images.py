"""One row an image: how many cells and nuclei, their medians, how dense they lie (images.csv)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod
from statistics import median

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS, Cells
from irnet.morphometry.table import Row

IMAGE_COLUMNS = (  # docs/reference/measurements.md says what each one is
    *("image", "patient", "width_px", "height_px", "mpp", "cells", "nuclei"),
    *("cells_without_nucleus", "bare_nuclei", "overlapping_cells", "cut_cells", "cells_per_mm2"),
    *("median_cell_area_px", "median_cell_area_um2", "median_nucleus_area_px", "median_nucleus_area_um2"),
    *("median_nucleus_cell_ratio", "median_nc_ratio", "notes"),
)


def summarise_image(
    cells: Cells,
    rows: Sequence[Row],
    *,
    name: str,
    patient: str | None = None,
    notes: Sequence[str] = (),
    annotated: Collection[int] = tuple(LABEL_NAMES),
) -> Row:
    """The row of images.csv of one image.

    Args:
        cells: n instances.
        rows: what `measure` says of them, n rows. Medians are of those that the border does not cut.
        name: of the image.
        patient: of the image, None where it is not known.
        notes: on the image.
        annotated: classes that were annotated, or looked for: of others nobody knows how many there are.
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
        **count_instances(rows, annotated),
        "cells_per_mm2": round(len(owners) / mm2, 2) if mm2 and CYTOPLASM in annotated else None,
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


def count_instances(rows: Sequence[Row], annotated: Collection[int]) -> dict[str, int | None]:
    """Each count of images.csv of some rows; None where it needs a class that was not annotated."""
    cells = [row for row in rows if row["label"] == "cytoplasm"]
    nuclei = [row for row in rows if row["label"] == "nucleus"]
    counts = {
        "cells": len(cells),
        "nuclei": len(nuclei),
        "cells_without_nucleus": sum(not row["nuclei"] for row in cells),
        "bare_nuclei": sum(row["parent"] is None for row in nuclei),
        "overlapping_cells": sum(bool(row["overlap_fraction"]) for row in cells),
        "cut_cells": sum(bool(row["touches_border"]) for row in cells),
    }
    return {name: count if _needed(name) <= {*annotated} else None for name, count in counts.items()}


def _needed(name: str) -> set[int]:
    """The classes without which a count is not known."""
    both = {CYTOPLASM, NUCLEUS}
    return {"nuclei": {NUCLEUS}, "cells_without_nucleus": both, "bare_nuclei": both}.get(name, {CYTOPLASM})


def _median(rows: Sequence[Row], column: str, digits: int) -> float | None:
    """The median of a column over instances that the border does not cut, None where there is none."""
    whole = [row[column] for row in rows if not row["touches_border"]]
    values = [float(value) for value in whole if isinstance(value, int | float)]
    return round(median(values), digits) if values else None
