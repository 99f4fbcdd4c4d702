"""labelme JSON (version 7): STEM.json beside its image, one shape an instance.

Shapes of one label that share a `group_id` are one instance; a cell and its nucleus share one too. Several
nuclei of a cell, which would be one instance, are marked by our key `cell`, a number that they share with it.
A mask of one piece is a polygon, which labelme can edit; others are mask shapes, a PNG of the mask's own box.
The description is the id of the cell, `IMAGE#17`. labelme keeps our keys `cell`, `score`, `kind`, `mpp` and
`patient`.
"""

import base64
import binascii
import json
import math
import os
from collections.abc import Iterator, Mapping
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal

import numpy as np

from irnet.cells import LABEL_NAMES, Cells
from irnet.conventions import check_mpp
from irnet.data.beside import ImageFinder, list_files
from irnet.data.categories import DROPPED, label_of
from irnet.data.coco.document import Id, Row, naming, parse, short, whole
from irnet.data.coco.rows import parse_number, parse_score
from irnet.data.files import write_atomic
from irnet.data.formats.gathering import Gathering, number_pairs
from irnet.data.mask_image import read_png_mask
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import polygons
from irnet.geometry.masks import Mask, Offset
from irnet.geometry.polygons import Ring
from irnet.progress import each
from irnet.wording import name_instance

Style = Literal["polygons", "masks"]
SUFFIX = ".json"
VERSION = "7.0.0"
_DIGITS = 19  # of 64 bits
_NO_AREA = ("point", "points", "line", "lines", "linestrip")


def write(path: str | os.PathLike, entry: Entry, *, style: Style = "polygons") -> None:
    """Write the cells of an image. labelme looks for the image, under its own name, beside the file."""
    cells = entry.content.cells
    height, width = cells.image_shape
    data: Row = {
        "version": VERSION,
        "flags": {},
        "imagePath": PurePosixPath(entry.name).name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    data |= {} if cells.mpp is None else {"mpp": cells.mpp}
    data |= {} if entry.patient is None else {"patient": entry.patient}

    def stream(file: BinaryIO) -> None:
        file.write(json.dumps(data, allow_nan=False)[:-1].encode() + b', "shapes": [')
        for number, shape in enumerate(_shapes(entry, style)):
            file.write((",\n" if number else "\n").encode() + json.dumps(shape, allow_nan=False).encode())
        file.write(b"\n]}\n")

    write_atomic(path, stream)


def read(
    source: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    mapping: Mapping[str, str] | None = None,
) -> list[Entry]:
    """The images of labelme files with their polygons, masks, rectangles and circles.

    Points and lines are left out and counted. Raises InputError with file, shape and remedy.
    """
    pictures = ImageFinder(source, images)
    reading = each(list_files(source, SUFFIX), "reading", lambda file: file.name)
    return [_read_file(file, pictures, mapping) for file in reading]


# Writing


def _shapes(entry: Entry, style: Style) -> Iterator[Row]:
    cells, kinds = entry.content.cells, entry.content.kinds
    numbers = number_pairs(cells)
    chosen = np.flatnonzero(cells.areas).tolist()
    drawn = polygons.outlines([cells.masks[index] for index in chosen], cells.offsets[chosen])
    for index, rings in zip(chosen, drawn if style == "polygons" else repeat([]), strict=False):
        shape = _shape(cells, index, numbers[index], kinds[index] if kinds else "", rings)
        yield shape | {"description": name_instance(entry.name, entry.content.numbered[index])}


def _shape(cells: Cells, index: int, number: tuple[int | None, bool], kind: str, rings: list[Ring]) -> Row:
    label, mask = int(cells.labels[index]), cells.masks[index]
    pair, alone = number
    shape: Row = {"label": LABEL_NAMES[label], "group_id": pair if alone else None}
    shape |= {"flags": {}, "mask": None, "score": float(cells.scores[index])}
    shape |= {"kind": kind} if kind else {}
    shape |= {"cell": pair} if pair and not alone else {}
    x, y = cells.offsets[index].tolist()
    if len(rings) == 1:
        return shape | {"shape_type": "polygon", "points": rings[0][:-1].tolist()}
    height, width = mask.shape
    picture = base64.b64encode(to_png(mask.astype(np.uint8) * 255)).decode("ascii")
    corners = [[x, y], [x + width - 1, y + height - 1]]  # both inside
    return shape | {"shape_type": "mask", "points": corners, "mask": picture}


# Reading


def _read_file(file: Path, pictures: ImageFinder, mapping: Mapping[str, str] | None) -> Entry:
    data = parse(file)
    with naming(str(file)):
        _check(data)
        picture = pictures.of_name(data["imagePath"], file)
        shape, mpp = picture.measure()
        if any(size not in (None, actual) for size, actual in zip(_size(data), shape, strict=True)):
            raise InputError(f"drawn on an image of {_size(data)} (height, width), but it has {shape}")
        mpp = mpp if data.get("mpp") is None else parse_number(data["mpp"], "mpp")
        check_mpp(mpp)
        gathering = Gathering(shape, mpp)
    for number, row in enumerate(data["shapes"], start=1):
        with naming(f"{file}: shape {number}"):
            _take(row, gathering, mapping)
    patient = picture.patient if data.get("patient") is None else str(data["patient"])
    return Entry(name=picture.name, path=picture.path, content=gathering.content(file), patient=patient)


def _check(data: Any) -> None:
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        raise InputError("not a file of labelme: it must be an object with shapes and imagePath")
    if not isinstance(data.get("imagePath"), str):
        raise InputError("imagePath must be the name of an image")


def _size(data: Row) -> tuple[Any, Any]:
    return whole(data.get("imageHeight")), whole(data.get("imageWidth"))


def _take(row: Any, gathering: Gathering, mapping: Mapping[str, str] | None) -> None:
    if not isinstance(row, dict) or not isinstance(row.get("label"), str):
        raise InputError("label must be text")
    if row.get("shape_type") in _NO_AREA:
        gathering.leave_out(f"{row['shape_type']}: no area")
        return
    if (label := label_of(row["label"], mapping)) == DROPPED:
        return
    crop, offset = _mask(row, gathering)
    gathering.add(
        crop,
        offset,
        label,
        group=gathering.cell_number(row.get("cell")),
        bundle=_group(row.get("group_id")),
        score=1.0 if row.get("score") is None else parse_score(row["score"]),
        kind=str(row.get("kind") or ""),
        name=row.get("description"),
    )


def _group(value: Any) -> Id | None:
    """The group of a shape; None and "" are none. Raises InputError."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isdecimal() and len(text) < _DIGITS else text or None
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise InputError(f"group_id must be a whole number, text or null, not {short(value)}")
    return value


def _mask(row: Row, gathering: Gathering) -> tuple[Mask, Offset]:
    points = polygons.validate_points(row.get("points"), gathering.shape)
    match row.get("shape_type") or "polygon":  # files of before version 3.1 know nothing else
        case "polygon":
            return gathering.draw([points])
        case "rectangle" | "oriented_rectangle" | "rotation" | "quadrilateral" if len(points) == 4:
            return gathering.draw([points])
        case "mask" if len(points) == 2:
            return _decode(row.get("mask"), points.astype(int).tolist(), gathering)
        case "rectangle" if len(points) == 2:
            (x1, y1), (x2, y2) = points
            return gathering.draw([[(x1, y1), (x2, y1), (x2, y2), (x1, y2)]])
        case "circle" if len(points) == 2:
            (x, y), radius = points[0], math.dist(points[0], points[1])
            return gathering.draw([polygons.ellipse((x - radius, y - radius, x + radius, y + radius))])
    raise InputError(f"shape_type {short(row.get('shape_type'))} with {len(points)} points is not an area")


def _decode(text: Any, corners: list[list[int]], gathering: Gathering) -> tuple[Mask, Offset]:
    (x1, y1), (x2, y2) = corners
    height, width = gathering.shape
    if not (0 <= x1 <= x2 < width and 0 <= y1 <= y2 < height):
        raise InputError(f"points {corners} of the mask leave the image or are not in order")
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise InputError("mask must be a PNG in base64") from None
    return read_png_mask(content, (y2 - y1 + 1, x2 - x1 + 1)), (x1, y1)
