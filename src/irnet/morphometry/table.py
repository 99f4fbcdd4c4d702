"""One row an instance: place, form, stain, surroundings, and how the nuclei lie in their cell (cells.csv)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, Cells
from irnet.errors import InputError
from irnet.morphometry.colour import Colour, estimate_background, measure_colour
from irnet.morphometry.nuclei import Nuclei, measure_nuclei
from irnet.morphometry.pairing import pairing_confidence
from irnet.morphometry.shape import Shape, measure_shape
from irnet.morphometry.surroundings import Surroundings
from irnet.progress import each
from irnet.wording import for_spreadsheet, install_extra, name_instance

Value = str | int | float | None
Row = dict[str, Value]

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
DIGITS = {column: 2 if column.rsplit("_", 1)[-1] in LENGTHS else 4 for column in COLUMNS}


def measure(
    cells: Cells,
    name: str = "",
    picture: NDArray[np.uint8] | None = None,
    *,
    exclude_overlap: bool = False,
    numbers: Sequence[int] = (),
) -> list[Row]:
    """Measure form, neighbours and stain of each instance: the rows of cells.csv.

    Args:
        cells: n instances.
        name: of their image, for the column `image`.
        picture: (H, W, 3) uint8, whose stain is measured, of a cell without its nuclei.
        exclude_overlap: leave pixels that another cell covers as well out of the stain.
        numbers: of the instances in their image, for `id` and `parent`; () for 0, 1, 2 ...

    Returns:
        n rows, each a value by name of column (docs/reference/measurements.md); what is not known is None.
        Lengths and areas are in px of the image and, where `cells.mpp` is known, in um beside it.

    Raises:
        InputError: the picture is of another size than the frame of `cells`.

    Example:
        >>> import irnet
        >>> image, content = irnet.generate(1, size=(200, 200), mpp=0.5, count=2)
        >>> rows = irnet.measure(content.cells, "field.png", image)
        >>> [row["label"] for row in rows if row["nuclei"] == 1]
        ['cytoplasm', 'cytoplasm']
    """
    if picture is not None and picture.shape[:2] != cells.image_shape:
        raise InputError(f"cells of a frame of {cells.image_shape} on an image of {picture.shape[:2]} pixels")

    background = None if picture is None else estimate_background(picture, cells)
    confidence = pairing_confidence(cells)
    surroundings = Surroundings(cells)
    numbers = numbers or range(len(cells))

    rows = []
    for index, mask in enumerate(each(cells.masks, "instance")):
        foreign = surroundings.foreign(index)
        row = _identity(surroundings, index, confidence) | _place(surroundings, index, foreign)
        row |= _names(cells, name, index, numbers)
        row |= _form(measure_shape(mask) if mask.any() else None, cells, index)
        row |= _nuclear(measure_nuclei(surroundings, index))

        if picture is not None and background is not None:
            stained = mask & ~surroundings.own_nuclei(index)
            crop = _crop(picture, surroundings.boxes[index])
            row |= _stain(
                measure_colour(crop, stained & ~foreign if exclude_overlap else stained, background)
            )

        rows.append({column: _rounded(column, row.get(column)) for column in COLUMNS})
    return rows


def to_csv(rows: Iterable[Row], columns: Iterable[str] = COLUMNS) -> str:
    """The rows as CSV text with a header; a value that is not known is an empty field.

    Text that a spreadsheet would take for a formula gets `'` before it, as OWASP advises.
    """
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _written(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def encode_csv(text: str) -> bytes:
    """A CSV file: UTF-8 with the mark without which Excel garbles names."""
    return text.encode("utf-8-sig")


def _written(value: Value) -> Value:
    return for_spreadsheet(value) if isinstance(value, str) else value


def check_parquet() -> None:
    """Raise InputError where pyarrow is missing."""
    try:
        from pyarrow import parquet  # noqa: F401
    except ImportError as error:
        raise InputError(f"Parquet needs pyarrow: {install_extra('parquet')}") from error


def to_parquet(rows: Sequence[Row]) -> bytes:
    """The rows as a Parquet file; a value that is not known is null. InputError where pyarrow is missing."""
    check_parquet()
    import pyarrow
    from pyarrow import parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(column, types[kind]) for column, kind in COLUMNS.items()])

    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), file)
    return file.getvalue()


def _names(cells: Cells, image: str, index: int, numbers: Sequence[int]) -> Row:
    parent = int(cells.parents[index])
    return {
        "image": image,
        "id": numbers[index],
        "parent": None if parent == NO_PARENT else numbers[parent],
        "name": name_instance(image, numbers[index]),
    }


def _identity(surroundings: Surroundings, index: int, confidence: NDArray[np.float64]) -> Row:
    cells = surroundings.cells
    is_cell = cells.labels[index] == CYTOPLASM

    nuclei = confidence[surroundings.nuclei(index) if is_cell else [index]]
    return {
        "label": LABEL_NAMES[int(cells.labels[index])],
        "pairing_confidence": float(nuclei.min()) if len(nuclei) else None,
        "score": float(cells.scores[index]),
    }


def _form(shape: Shape | None, cells: Cells, index: int) -> Row:
    if shape is None:
        return {"area_px": 0, "area_um2": None if cells.mpp is None else 0.0}
    x, y = cells.offsets[index].tolist()

    row: Row = {
        "area_px": shape.area,
        "area_um2": None if cells.mpp is None else shape.area * cells.mpp**2,
        "eccentricity": shape.eccentricity,
        "solidity": shape.solidity,
        "circularity": shape.circularity,
        "centroid_x_px": x + shape.centroid[0],
        "centroid_y_px": y + shape.centroid[1],
    }

    for length in ("perimeter", "max_diameter", "min_diameter"):
        value: float = getattr(shape, length)
        row |= {f"{length}_px": value, f"{length}_um": None if cells.mpp is None else value * cells.mpp}
    return row


def _place(surroundings: Surroundings, index: int, foreign: NDArray[np.bool_]) -> Row:
    area = np.count_nonzero(surroundings.cells.masks[index])
    sides = dict(
        zip(("box_x1", "box_y1", "box_x2", "box_y2"), surroundings.boxes[index].tolist(), strict=True)
    )
    return sides | {
        "touches_border": int(surroundings.touches_border(index)),
        "overlap_fraction": np.count_nonzero(foreign) / area if area else None,
        "neighbours": surroundings.count_neighbours(index),
    }


def _nuclear(nuclei: Nuclei) -> Row:
    return {
        "nuclei": nuclei.count,
        "nucleus_cell_ratio": nuclei.of_cell,
        "nc_ratio": nuclei.of_rest,
        "nuclear_offset": nuclei.offset,
    }


def _stain(colour: Colour) -> Row:
    return {
        "colour_px": colour.pixels,
        "od_mean": colour.mean,
        "od_sd": colour.sd,
        "od_red": colour.red,
        "od_green": colour.green,
        "od_blue": colour.blue,
        "od_entropy": colour.entropy,
        "od_contrast": colour.contrast,
    }


def _crop(picture: NDArray[np.uint8], box: NDArray[np.int64]) -> NDArray[np.uint8]:
    x1, y1, x2, y2 = box.tolist()
    return picture[y1:y2, x1:x2]


def _rounded(column: str, value: Value) -> Value:
    if not isinstance(value, float):
        return value
    return round(float(value), DIGITS[column]) if isfinite(value) else None
