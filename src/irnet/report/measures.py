"""Measures of instances as figures show them: their names with units, and their values."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from irnet.cells import Cells
from irnet.errors import InputError
from irnet.morphometry.table import COLUMNS, Row, measure
from irnet.report.histogram import usual_range

STAIN = ("od_", "colour_")  # columns that need the image
UNITS = {"um2": "µm²", "um": "µm", "px": "px"}
TITLES = {
    "nc_ratio": "N:C ratio (nuclei over cytoplasm)",
    "nucleus_cell_ratio": "nuclei over whole cell",
    "overlap_fraction": "share under or over others",
    "od_mean": "optical density, mean",
    "od_sd": "optical density, standard deviation",
    "od_red": "optical density, red",
    "od_green": "optical density, green",
    "od_blue": "optical density, blue",
    "od_entropy": "optical density, entropy",
    "od_contrast": "optical density, contrast",
}


class Measured(NamedTuple):
    """A measure of n instances, and the ends of its colours."""

    title: str
    values: NDArray[np.float64]  # (n,), nan: not known
    low: float
    high: float


def check_measure(column: str) -> None:
    """Raise InputError where a column of cells.csv is none of numbers, or there is none of this name."""
    numbers = [name for name, kind in COLUMNS.items() if kind is not str and name not in ("id", "parent")]
    if column not in numbers:
        near = difflib.get_close_matches(column, numbers, n=3, cutoff=0.5)
        raise InputError(f"no measure {column!r}: choose {' or '.join(near) or ', '.join(numbers)}")


def needs_image(column: str) -> bool:
    """Whether a measure is one of stain."""
    return column.startswith(STAIN)


def title_of(column: str) -> str:
    """How a figure calls a measure, with its unit.

    >>> title_of("area_um2"), title_of("nuclei"), title_of("max_diameter_px")
    ('area (µm²)', 'nuclei', 'max diameter (px)')
    """
    if column in TITLES:
        return TITLES[column]
    stem, _, end = column.rpartition("_")
    if end in UNITS and stem:
        return f"{stem.replace('_', ' ')} ({UNITS[end]})"
    return column.replace("_", " ")


def values_of(rows: Sequence[Row], column: str) -> NDArray[np.float64]:
    """A measure of each row, (n,), nan where it is not known."""
    values = [row[column] for row in rows]
    return np.array([value if isinstance(value, int | float) else np.nan for value in values], np.float64)


def measure_by(cells: Cells, by: str | ArrayLike, picture: NDArray[np.uint8] | None) -> Measured:
    """A column of cells.csv, measured in the picture (H, W, 3) where it is of stain, or (n,) values as given.

    Raises InputError where there is no such column, no picture for stain, no um per pixel for a length
    in um, or not a value for each instance.
    """
    if not isinstance(by, str):
        try:
            values = np.asarray(by, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError("by: give the name of a measure, or a number for each instance") from None
        if values.shape != (len(cells),):
            raise InputError(f"values of shape {values.shape} for {len(cells)} instances")
        return Measured("", values, *range_of(values))

    check_measure(by)
    if cells.mpp is None and by.endswith(("_um", "_um2")):
        raise InputError(f"{by} needs um per pixel, which are unknown here: choose a measure in px")
    if picture is None and needs_image(by):
        raise InputError(f"{by} is measured in the image: give it")
    values = values_of(measure(cells, picture=picture if needs_image(by) else None), by)
    return Measured(title_of(by), values, *range_of(values))


def range_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the colours of values (n,): all of them but those that are far from the others."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = usual_range(known)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
