"""Rows of a COCO file, validated one by one before anything is made of them."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irnet.cells import CYTOPLASM, EVERY_CLASS, LABEL_NAMES, NUCLEUS, Distractor
from irnet.conventions import check_mpp
from irnet.data.categories import DROPPED, known_classes, label_of
from irnet.data.coco.document import Document, Id, Row, identity, short
from irnet.data.coco.runs import Runs, read_runs
from irnet.data.numbers import fill_numbers, read_number
from irnet.data.room import MaskRoom
from irnet.errors import InputError
from irnet.geometry import masks, polygons
from irnet.geometry.masks import Mask, Offset, Shape

AS_SHARES = "outlines lie within the first pixel: are they shares of the image's size? Pixels are meant"

ODD = {  # what is said of fields of AnnotationRow: what is valid and looks as if something else was meant
    "shares": AS_SHARES,
    "astray": "boxes lie elsewhere than their masks, which are taken: do polygons have y before x?",
}
ACCEPTED = "accepted"  # key of a row that a person looked at
ORIGIN = "origin"  # key of a row: drawn, assisted (by the network, where a person asked) or predicted
_ROUNDING = 1e-6  # of 32-bit floats
_FAR = 1e9  # px: no box


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
    says_annotated: bool  # whether it has annotated_categories
    unfinished: bool  # whether a review says that nobody finished it
    distractors: tuple[Distractor, ...]
    last_number: int  # the highest that an instance ever had, -1: that of those that are there


@dataclass(frozen=True, eq=False, kw_only=True)
class AnnotationRow:
    """A row of `annotations`, valid, its mask as a crop."""

    id: Id
    label: int  # CYTOPLASM, NUCLEUS or EVERY_CLASS
    crop: Mask
    offset: Offset
    crowd: bool
    clipped: bool  # its polygon left the frame and was cut to it
    stray: int  # pieces of its polygon that have no area: left out
    outlined: bool  # by polygons
    shares: bool  # its polygon has coordinates from 0 to 1
    astray: bool  # its bbox lies elsewhere than its mask
    cell_id: Id | None
    kind: str
    score: float
    proposed: bool  # predicted, and nobody looked at it


def parse_image(row: Row, document: Document, mapping: Mapping[str, str] | None = None) -> ImageRow:
    """A row of `images`. Raises InputError that names the field."""
    name = row.get("file_name")
    if not isinstance(name, str):
        raise InputError(f"file_name must be text, not {short(name)}")
    name, path = document.place(name)
    size: list[Any] = [row.get("height"), row.get("width")]
    height, width = masks.validate_shape(size)
    patient = None if row.get("patient") is None else str(identity(row, "patient"))
    return ImageRow(
        id=identity(row),
        name=name,
        path=path,
        shape=(height, width),
        mpp=None if row.get("mpp") is None else parse_mpp(row["mpp"]),
        patient=patient,
        annotated=_annotated(row, document, mapping),
        says_annotated=row.get("annotated_categories") is not None,
        unfinished=read_flag(row, "finished") is False,
        distractors=_distractors(row),
        last_number=-1 if (last := read_number(row.get("last_number"))) is None else last,
    )


def read_flag(row: Row, name: str) -> bool | None:
    """true or false of a row, None where it says neither. Raises InputError for anything else."""
    value = row.get(name)
    if value is not None and not isinstance(value, bool):
        raise InputError(f"{name} must be true or false, without quotes, not {short(value)}")
    return value


def number_rows(rows: Sequence[Row], last: int = -1) -> dict[Id, int]:
    """The number of each annotation of one image, by id: its `number`, see `fill_numbers`."""
    numbers = fill_numbers([read_number(row.get("number")) for row in rows], last)
    return {row["id"]: number for row, number in zip(rows, numbers, strict=True)}


def parse_annotation(
    row: Row, shape: Shape, names: Mapping[Id, str], room: MaskRoom, mapping: Mapping[str, str] | None = None
) -> AnnotationRow | None:
    """A row of `annotations` in a frame of `shape`; None if its category is dropped. InputError.

    Its mask is made where there is `room` for it among those of its image.
    """
    if (label := parse_category(row, names, mapping)) == DROPPED:
        return None
    if row.get("iscrowd", 0) not in (0, 1):
        raise InputError(f"iscrowd must be the number 0 or 1, not {short(row['iscrowd'])}")

    rings = _without_stray(row.get("segmentation"))
    crop, offset, clipped = parse_mask(rings, shape, room)
    if not crop.size:
        raise InputError(
            "its mask is empty: it covers no pixel of the image; remove it, or look at its coordinates (are "
            "they shares of the image's size?)"
        )

    return AnnotationRow(
        id=identity(row),
        label=label,
        crop=crop,
        offset=offset,
        crowd=label == EVERY_CLASS or (row.get("iscrowd") == 1 and not is_found(row)),
        clipped=clipped,
        stray=len(row["segmentation"]) - len(rings),
        outlined=isinstance(rings, list),
        shares=isinstance(rings, list) and polygons.are_shares(rings),
        astray=not clipped and _is_elsewhere(row.get("bbox"), crop, offset),
        cell_id=None if row.get("cell_id") is None else identity(row, "cell_id"),
        kind=str(row.get("kind") or ""),
        score=parse_score(row.get("score", 1.0)),
        proposed=is_proposed(row),
    )


def parse_category(row: Row, names: Mapping[Id, str], mapping: Mapping[str, str] | None) -> int:
    """The label of a row's category, see `label_of`. Raises InputError."""
    category = identity(row, "category_id")
    if category not in names:
        raise InputError(f"category_id {category!r} is not in categories")
    return label_of(names[category], mapping)


def _is_elsewhere(box: Any, crop: Mask, offset: Offset) -> bool:
    """Whether a `bbox` (x, y, width, height) is another than a mask's; most tools write both."""
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(v) and abs(v) < _FAR for v in box):
        return False
    (x, y, width, height), (left, top), (rows, columns) = box, offset, crop.shape
    if min(width, height) <= 0:
        return False
    across = min(x + width, left + columns) - max(x, left)
    down = min(y + height, top + rows) - max(y, top)
    shared = max(0, across) * max(0, down)
    return 4 * shared < width * height + rows * columns  # an IoU below a third


def is_found(row: Row) -> bool:
    """Whether an annotation is a prediction: it has a score. A prediction is an instance, never a crowd."""
    return "score" in row


def is_proposed(row: Row) -> bool:
    """Whether an annotation is a prediction that nobody accepted. Raises InputError."""
    origin = row.get(ORIGIN, "predicted" if is_found(row) else "")
    return not read_flag(row, ACCEPTED) and origin == "predicted"


def check_link(annotation: AnnotationRow, cells: Mapping[Id, AnnotationRow], left_out: Container[Id]) -> None:
    """Raise InputError unless `cell_id`, if there is one, links a nucleus to a cytoplasm among the `cells`.

    Cells of the image that are `left_out` (dropped, crowds) may be linked to; the link is forgotten.
    """
    cell_id = annotation.cell_id
    if cell_id is None or cell_id in left_out:
        return
    if annotation.label != NUCLEUS or cell_id not in cells or cells[cell_id].label != CYTOPLASM:
        raise InputError(
            f"annotation {annotation.id!r}: cell_id {cell_id!r} must link a nucleus to a cytoplasm of its "
            "image"
        )


def parse_mask(segmentation: Any, shape: Shape, room: MaskRoom) -> tuple[Mask, Offset, bool]:
    """A `segmentation` as a crop, its (x, y), and whether a polygon left the frame. Raises InputError."""
    if isinstance(segmentation, dict):
        segmentation = read_runs(segmentation, shape)
    if isinstance(segmentation, Runs):
        room.take(segmentation.pixels)
        return *masks.decode(segmentation.lengths, shape, segmentation.window), False
    if not isinstance(segmentation, list) or not segmentation:
        raise InputError("segmentation must be run lengths or polygons: a box alone is not a mask")
    nested = all(isinstance(ring, list) for ring in segmentation)
    rings = segmentation if nested else [segmentation]  # one flat polygon is common enough
    if not all(_is_number(value) for ring in rings for value in ring):
        raise InputError("a polygon must be a list of numbers x1, y1, x2, y2, ...")
    valid = polygons.validate(rings, shape)
    room.take(polygons.pixels_filled(valid, shape))
    crop, offset = polygons.rasterise(valid, shape)
    height, width = shape
    clipped = any(min(ring) < 0 or max(ring[0::2]) > width or max(ring[1::2]) > height for ring in rings)
    return crop, offset, clipped


def _without_stray(segmentation: Any) -> Any:
    """Polygons without pieces of fewer than three vertices, if others are left: tools leave single clicks."""
    if not isinstance(segmentation, list) or not all(isinstance(ring, list) for ring in segmentation):
        return segmentation
    return [ring for ring in segmentation if len(ring) not in (0, 2, 4)] or segmentation


def _annotated(row: Row, document: Document, mapping: Mapping[str, str] | None) -> frozenset[int]:
    """The classes that were annotated in an image: those it names, else those of the file's categories.

    A file without a category of either class says nothing of them: both count as annotated.
    """
    names = row.get("annotated_categories")
    if names is None:
        return known_classes(document.categories.values(), mapping) or frozenset(LABEL_NAMES)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("annotated_categories must be a list of category names")
    return frozenset(label_of(name, mapping) for name in names) & frozenset(LABEL_NAMES)


def _distractors(row: Row) -> tuple[Distractor, ...]:
    items = row.get("distractors") or []
    if not isinstance(items, list):
        raise InputError(f"distractors must be a list, not {short(items)}")
    distractors = []
    for item in items:
        box = item.get("bbox") if isinstance(item, dict) else None
        if not isinstance(box, list) or len(box) != 4 or not isinstance(item.get("kind"), str):
            raise InputError('a distractor must be {"kind": text, "bbox": [x, y, width, height]}')
        x, y, width, height = (parse_number(value, "bbox") for value in box)
        distractors.append(Distractor(kind=item["kind"], box=(x, y, x + width, y + height)))
    return tuple(distractors)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse_score(value: Any) -> float:
    """A score, from 0 to 1 except for what rounding added. Raises InputError with the remedy."""
    score = parse_number(value, "score")
    if not -_ROUNDING <= score <= 1 + _ROUNDING:
        raise InputError(
            f"score must be from 0 to 1, not {score:g}: divide percent by 100, put logits through a sigmoid"
        )
    return min(max(score, 0.0), 1.0)


def parse_mpp(value: Any) -> float:
    """Um per pixel. Raises InputError for what no microscope has."""
    mpp = parse_number(value, "mpp")
    check_mpp(mpp)
    return mpp


def parse_number(value: Any, field: str) -> float:
    """A finite number. Raises InputError that names the field."""
    if not _is_number(value) or abs(value) > 1e300 or not math.isfinite(value):
        raise InputError(f"{field} must be a finite number, not {short(value)}")
    return float(value)
