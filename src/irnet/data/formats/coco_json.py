"""A COCO file as JSON: found, parsed, its rows validated one by one before anything is made of them."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from irnet.cells import LABEL_NAMES, Distractor
from irnet.data.categories import DROPPED, EVERY_CLASS, label_of
from irnet.data.files import safe_join
from irnet.data.image import MAX_PIXELS
from irnet.errors import InputError
from irnet.geometry import masks, polygons
from irnet.geometry.masks import Mask, Offset, Shape

Id = int | str
Row = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Document:
    """The tables of a COCO file."""

    path: Path
    folder: Path  # of the images
    data: Row  # the file as it is
    images: list[Row]
    annotations: list[Row]
    categories: dict[Id, str]  # names by id


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageRow:
    """A row of `images`, valid."""

    id: Id
    name: str
    path: Path
    shape: Shape
    mpp: float | None
    patient: str | None
    annotated: frozenset[int]
    distractors: tuple[Distractor, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class AnnotationRow:
    """A row of `annotations`, valid, its mask as a crop."""

    id: Id
    label: int  # CYTOPLASM, NUCLEUS or EVERY_CLASS
    crop: Mask
    offset: Offset
    crowd: bool
    clipped: bool  # its polygon left the frame and was cut to it
    cell_id: Id | None
    kind: str
    score: float


def locate(path: str | os.PathLike) -> Path:
    """The json of a data set: the file named, or annotations.json of the folder named. InputError."""
    path = Path(path)
    if path.is_file():
        return path
    if (path / "annotations.json").is_file():
        return path / "annotations.json"
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    others = ", ".join(sorted(file.name for file in path.glob("*.json")))
    raise InputError(
        f"{path}: no annotations.json in it; " + (f"name one of {others}" if others else "make one")
    )


def load(path: str | os.PathLike) -> Document:
    """Parse a data set's json. Raises InputError with the line, or the table, that is wrong."""
    path = locate(path)
    data = _parse(path)
    tables = [_table(path, data, name) for name in ("images", "annotations", "categories")]
    images, annotations, categories = tables
    names = {}
    for row in categories:
        with naming(f"{path}: category {row.get('name')!r}"):
            names[identity(row)] = row.get("name")
            if not isinstance(row.get("name"), str):
                raise InputError(f"id {row['id']} has no name")
    folder = path.parent / "images"
    return Document(
        path=path,
        folder=folder if folder.is_dir() else path.parent,
        data=data,
        images=images,
        annotations=annotations,
        categories=names,
    )


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Say where in a file an InputError arose."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def identity(row: Row, key: str = "id") -> Id:
    """The id in a row. Raises InputError unless it is a whole number or text."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"{key} must be a whole number or text, not {_short(value)}")
    return value


def parse_image(row: Row, folder: Path, mapping: Mapping[str, str] | None = None) -> ImageRow:
    """A row of `images`. Raises InputError that names the field."""
    name = row.get("file_name")
    if not isinstance(name, str):
        raise InputError(f"file_name must be text, not {_short(name)}")
    height, width = masks.validate_shape([row.get("height", 0), row.get("width", 0)])
    if height * width > MAX_PIXELS:
        raise InputError(
            f"height {height} x width {width} is more than {MAX_PIXELS:,} pixels: cut it into fields"
        )
    mpp = None if row.get("mpp") is None else _number(row["mpp"], "mpp")
    if mpp is not None and mpp <= 0:
        raise InputError(f"mpp must be um per pixel, above 0, not {mpp}")
    patient = None if row.get("patient") is None else str(identity(row, "patient"))
    return ImageRow(
        id=identity(row),
        name=name,
        path=safe_join(folder, name),
        shape=(height, width),
        mpp=mpp,
        patient=patient,
        annotated=_annotated(row, mapping),
        distractors=_distractors(row),
    )


def parse_annotation(
    row: Row, shape: Shape, names: Mapping[Id, str], mapping: Mapping[str, str] | None = None
) -> AnnotationRow | None:
    """A row of `annotations` in a frame of `shape`; None if its category is dropped. InputError."""
    category = identity(row, "category_id")
    if category not in names:
        raise InputError(f"category_id {category!r} is not in categories")
    if (label := label_of(names[category], mapping)) == DROPPED:
        return None
    if row.get("iscrowd", 0) not in (0, 1):
        raise InputError(f"iscrowd must be 0 or 1, not {_short(row['iscrowd'])}")
    crop, offset, clipped = _mask(row.get("segmentation"), shape)
    if not crop.size:
        raise InputError("its mask is empty")
    return AnnotationRow(
        id=identity(row),
        label=label,
        crop=crop,
        offset=offset,
        crowd=label == EVERY_CLASS or bool(row.get("iscrowd", 0)),
        clipped=clipped,
        cell_id=None if row.get("cell_id") is None else identity(row, "cell_id"),
        kind=str(row.get("kind") or ""),
        score=_number(row.get("score", 1.0), "score"),
    )


def _parse(path: Path) -> Row:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}, column {error.colno}: no JSON ({error.msg})"
        ) from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # not UTF-8, a number of thousands of digits, nested too deep
        raise InputError(f"{path}: no JSON ({error})") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: a COCO file is an object with images, annotations and categories")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise InputError(f"{name} is no number in JSON")


def _table(path: Path, data: Row, name: str) -> list[Row]:
    table = data.get(name)
    if not isinstance(table, list) or not all(isinstance(row, dict) for row in table):
        raise InputError(f"{path}: {name!r} must be a list of objects: is this a COCO file?")
    return table


def _mask(segmentation: Any, shape: Shape) -> tuple[Mask, Offset, bool]:
    if isinstance(segmentation, dict):
        return *_decode(segmentation, shape), False
    if not isinstance(segmentation, list):
        raise InputError("segmentation must be run lengths or polygons: a box alone is no mask")
    nested = all(isinstance(ring, list) for ring in segmentation)
    rings = segmentation if nested else [segmentation]  # one flat polygon is common enough
    if not all(_is_number(value) for ring in rings for value in ring):
        raise InputError("a polygon must be a list of numbers x1, y1, x2, y2, ...")
    crop, offset = polygons.rasterise(rings, shape)
    height, width = shape
    clipped = any(min(ring) < 0 or max(ring[0::2]) > width or max(ring[1::2]) > height for ring in rings)
    return crop, offset, clipped


def _decode(rle: Row, shape: Shape) -> tuple[Mask, Offset]:
    counts = rle.get("counts")
    if rle.get("size") != list(shape):
        raise InputError(
            f"run lengths of size {_short(rle.get('size'))} in an image of {list(shape)} (height, width)"
        )
    if not isinstance(counts, str | list):
        raise InputError(f"counts must be text or a list, not {_short(counts)}")
    lengths = masks.unpack(counts) if isinstance(counts, str) else counts
    masks.validate_rle(lengths, shape)
    return masks.decode(lengths, shape)


def _annotated(row: Row, mapping: Mapping[str, str] | None) -> frozenset[int]:
    names = row.get("annotated_categories")
    if names is None:
        return frozenset(LABEL_NAMES)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("annotated_categories must be a list of category names")
    return frozenset(label_of(name, mapping) for name in names) & frozenset(LABEL_NAMES)


def _distractors(row: Row) -> tuple[Distractor, ...]:
    items = row.get("distractors") or []
    if not isinstance(items, list):
        raise InputError(f"distractors must be a list, not {_short(items)}")
    distractors = []
    for item in items:
        box = item.get("bbox") if isinstance(item, dict) else None
        if not isinstance(box, list) or len(box) != 4 or not isinstance(item.get("kind"), str):
            raise InputError('a distractor must be {"kind": text, "bbox": [x, y, width, height]}')
        x, y, width, height = (_number(value, "bbox") for value in box)
        distractors.append(Distractor(kind=item["kind"], box=(x, y, x + width, y + height)))
    return tuple(distractors)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any, field: str) -> float:
    if not _is_number(value) or abs(value) > 1e300 or not math.isfinite(value):
        raise InputError(f"{field} must be a finite number, not {_short(value)}")
    return float(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
