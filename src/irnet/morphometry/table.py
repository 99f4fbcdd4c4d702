"""One row an instance: place, form, stain, surroundings, and how the nuclei lie in their cell (cells.csv)."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from math import isfinite
from typing import BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells
from irnet.conventions import check_labels
from irnet.errors import InputError
from irnet.morphometry.colour import Part, Stains, StainSums, estimate_background
from irnet.morphometry.nuclei import measure_nuclei
from irnet.morphometry.pairing import pairing_confidence
from irnet.morphometry.shape import Shapes, measure_shapes
from irnet.morphometry.surroundings import (
    children,
    count_neighbours,
    own_nuclei,
    shared_by_cells,
    strips,
)
from irnet.progress import each
from irnet.wording import for_spreadsheet, name_instance

Value = str | int | float | None
Row = dict[str, Value]
Columns = dict[str, Sequence[Value] | NDArray | None]  # (n,) each; None where nothing is known

COLUMNS: dict[str, type] = {  # docs/reference/measurements.md says what each one is
    "image": str,
    "id": int,
    "label": str,
    "parent": int,
    "pairing_confidence": float,
    "score": float,
    "area_px": int,
    "area_um2": float,
    "perimeter_px": float,
    "perimeter_um": float,
    "max_diameter_px": float,
    "max_diameter_um": float,
    "min_diameter_px": float,
    "min_diameter_um": float,
    "eccentricity": float,
    "solidity": float,
    "circularity": float,
    "centroid_x_px": float,
    "centroid_y_px": float,
    "box_x1": int,
    "box_y1": int,
    "box_x2": int,
    "box_y2": int,
    "touches_border": int,
    "overlap_fraction": float,
    "neighbours": int,
    "nuclei": int,
    "nucleus_cell_ratio": float,
    "nc_ratio": float,
    "nuclear_offset": float,
    "colour_px": int,
    "od_mean": float,
    "od_sd": float,
    "od_red": float,
    "od_green": float,
    "od_blue": float,
    "od_entropy": float,
    "od_contrast": float,
    "name": str,
}
LENGTHS = ("px", "um", "um2")  # units of what is rounded to hundredths; all else to four digits
STAIN = tuple(column for column in COLUMNS if column.startswith(("colour_", "od_")))  # what needs the picture
DIGITS = {column: 2 if column.rsplit("_", 1)[-1] in LENGTHS else 4 for column in COLUMNS}


def measure(
    cells: Cells,
    name: str = "",
    picture: NDArray[np.uint8] | None = None,
    *,
    exclude_overlap: bool = False,
    numbers: Sequence[int] = (),
    annotated: Collection[int] = tuple(LABEL_NAMES),
) -> list[Row]:
    """Measure form, neighbours and stain of each instance: the rows of cells.csv.

    Args:
        cells: n instances.
        name: of their image, for the column `image`.
        picture: (H, W, 3) uint8, whose stain is measured, of a cell without its nuclei.
        exclude_overlap: leave pixels that another cell covers as well out of the stain.
        numbers: of the instances in their image, for `id` and `parent`; () for 0, 1, 2 ...
        annotated: classes that were annotated, or looked for: without both nobody knows which nuclei are bare
            and which cells have none, without cells not what they cover.

    Returns:
        n rows, each a value by name of column (docs/reference/measurements.md); what is not known is None.
        Lengths and areas are in px of the image and, where `cells.mpp` is known, in um beside it.

    Raises:
        InputError: the picture is of another kind or size, or there are not as many numbers as instances.

    Example:
        >>> import irnet
        >>> image, content = irnet.generate(1, size=(200, 200), mpp=0.5, count=2)
        >>> rows = irnet.measure(content.cells, "field.png", image)
        >>> [row["label"] for row in rows if row["nuclei"] == 1]
        ['cytoplasm', 'cytoplasm']
    """
    check_labels(annotated, "annotated")
    if len(numbers) not in (0, len(cells)):
        raise InputError(f"{len(cells)} instances, but numbers has {len(numbers)}")
    if picture is not None and (picture.shape != (*cells.image_shape, 3) or picture.dtype != np.uint8):
        raise InputError(
            f"cells of a frame of {cells.image_shape} on an image of {picture.shape} {picture.dtype}: give "
            "(H, W, 3) of uint8, or call cells.measure, which takes any image"
        )
    nuclei = children(cells.parents)
    shapes = measure_shapes(cells.masks)

    columns = (
        _identity(cells, name, numbers or range(len(cells)), nuclei) | _place(cells) | _form(cells, shapes)
    )
    columns |= _nuclear(cells, shapes, nuclei)
    columns |= _on_top(cells, picture, shapes.area, nuclei, exclude_overlap)
    columns |= dict.fromkeys(unknown_without(annotated))

    listed = [_listed(column, columns.get(column), len(cells)) for column in COLUMNS]
    return [dict(zip(COLUMNS, values, strict=True)) for values in zip(*listed, strict=True)]


def unknown_without(annotated: Collection[int]) -> list[str]:
    """Columns that say nothing where these classes alone were annotated.

    >>> unknown_without([CYTOPLASM]), unknown_without([CYTOPLASM, NUCLEUS])
    (['nuclei', 'pairing_confidence'], [])
    """
    links = [] if {CYTOPLASM, NUCLEUS} <= {*annotated} else ["nuclei", "pairing_confidence"]
    return links if CYTOPLASM in annotated else [*links, "overlap_fraction"]


def to_csv(rows: Iterable[Row], columns: Iterable[str] = COLUMNS) -> str:
    """The rows as CSV text with a header; a value that is not known is an empty field.

    Text that a spreadsheet would take for a formula gets `'` before it, as OWASP advises.
    """
    text = io.StringIO()
    _write_rows(text, rows, columns)
    return text.getvalue()


def write_csv(file: BinaryIO, rows: Iterable[Row]) -> None:
    """The same to a binary file, as `encode_csv` has it, row by row."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    _write_rows(text, rows, COLUMNS)
    text.detach()


def _write_rows(file: TextIO, rows: Iterable[Row], columns: Iterable[str]) -> None:
    writer: csv.DictWriter[str] = csv.DictWriter(file, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _written(value) for key, value in row.items()} for row in rows)


def from_csv(text: str) -> list[Row] | None:
    """The rows of what `to_csv` wrote, its text as it stands there; None where the columns are others."""
    header, *lines = csv.reader(io.StringIO(text))
    if header != list(COLUMNS):
        return None
    rows: list[Row] = []
    for line in lines:
        values = zip(line, COLUMNS.items(), strict=True)
        rows.append({column: kind(text) if text else None for text, (column, kind) in values})
    return rows


def encode_csv(text: str) -> bytes:
    """A CSV file: UTF-8 with the mark without which Excel garbles names."""
    return text.encode("utf-8-sig")


def _written(value: Value) -> Value:
    return for_spreadsheet(value) if isinstance(value, str) else value


def _identity(
    cells: Cells, image: str, numbers: Sequence[int], nuclei: Sequence[NDArray[np.int64]]
) -> Columns:
    """Who each instance is; the confidence of a cell is that of its least sure nucleus."""
    sure = pairing_confidence(cells)
    for index in np.flatnonzero(cells.labels == CYTOPLASM).tolist():
        if len(nuclei[index]):
            sure[index] = sure[nuclei[index]].min()
    return {
        "image": [image] * len(cells),
        "id": list(numbers),
        "label": [LABEL_NAMES[label] for label in cells.labels.tolist()],
        "parent": [None if parent == NO_PARENT else numbers[parent] for parent in cells.parents.tolist()],
        "pairing_confidence": sure,
        "score": cells.scores,
        "name": [name_instance(image, number) for number in numbers],
    }


def _place(cells: Cells) -> Columns:
    boxes = dict(zip(("box_x1", "box_y1", "box_x2", "box_y2"), cells.boxes.astype(np.int64).T, strict=True))
    return boxes | {
        "touches_border": cells.at_border.astype(np.int64),
        "neighbours": count_neighbours(cells),
    }


def _form(cells: Cells, shapes: Shapes) -> Columns:
    centroid, mpp = shapes.centroid + cells.offsets, cells.mpp
    columns: Columns = {
        "area_px": shapes.area,
        "area_um2": None if mpp is None else shapes.area * mpp**2,
        "eccentricity": shapes.eccentricity,
        "solidity": shapes.solidity,
        "circularity": shapes.circularity,
        "centroid_x_px": centroid[:, 0],
        "centroid_y_px": centroid[:, 1],
    }
    for length in ("perimeter", "max_diameter", "min_diameter"):
        values: NDArray[np.float64] = getattr(shapes, length)
        columns |= {f"{length}_px": values, f"{length}_um": None if mpp is None else values * mpp}
    return columns


def _nuclear(cells: Cells, shapes: Shapes, nuclei: Sequence[NDArray[np.int64]]) -> Columns:
    found = measure_nuclei(cells, shapes.area, shapes.centroid + cells.offsets, cells.at_border, nuclei)
    is_cell = (cells.labels == CYTOPLASM).tolist()
    return {
        "nuclei": [len(own) if cell else None for own, cell in zip(nuclei, is_cell, strict=True)],
        "nucleus_cell_ratio": found.of_cell,
        "nc_ratio": found.of_rest,
        "nuclear_offset": found.offset,
    }


def _on_top(
    cells: Cells,
    picture: NDArray[np.uint8] | None,
    area: NDArray[np.int64],
    nuclei: Sequence[NDArray[np.int64]],
    exclude_overlap: bool,
) -> Columns:
    """What other cells cover of each instance, and its stain, strip by strip of the frame."""
    sums = None if picture is None else StainSums(len(cells), estimate_background(picture, cells))
    shared = np.zeros(len(cells), dtype=np.int64)
    for strip in each(strips(cells), "instances"):
        several, parts = shared_by_cells(cells, strip), []
        for index in strip.members.tolist():
            x1, y1, x2, y2 = window = strip.window(cells, index)
            part = strip.part(cells, index)
            foreign = part & several[y1 - strip.top : y2 - strip.top, x1:x2]
            shared[index] += np.count_nonzero(foreign[: strip.bottom - y1])

            part = part > foreign if exclude_overlap else part  # and not
            part = part > own_nuclei(cells, nuclei[index], window) if len(nuclei[index]) else part
            parts.append(Part(index, x1, y1 - strip.top, part))
        if sums is not None and picture is not None:
            sums.add(picture[strip.top : strip.end], strip.bottom - strip.top, parts)

    overlap: Columns = {"overlap_fraction": shared / np.where(area, area, np.nan)}
    return overlap if sums is None else overlap | _stain(sums.finish())


def _stain(stains: Stains) -> Columns:
    return {
        "colour_px": stains.pixels,
        "od_mean": stains.mean,
        "od_sd": stains.sd,
        "od_red": stains.red,
        "od_green": stains.green,
        "od_blue": stains.blue,
        "od_entropy": stains.entropy,
        "od_contrast": stains.contrast,
    }


def _listed(column: str, values: Sequence[Value] | NDArray | None, count: int) -> list[Value]:
    """The values of a column as Python has them, rounded; None for what is not known."""
    if values is None:
        return [None] * count
    if COLUMNS[column] is not float:
        return values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [rounded(column, value) for value in np.asarray(values, dtype=np.float64).tolist()]


def rounded(column: str, value: float) -> float | None:
    """A number as the table has it, None for one that is not known."""
    return round(value, DIGITS[column]) if isfinite(value) else None
