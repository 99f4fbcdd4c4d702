"""Rows of a COCO file as they are written."""

from collections.abc import Iterable, Iterator

import numpy as np

from irnet.cells import CYTOPLASM, EVERY_CLASS, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.coco.document import Row
from irnet.data.coco.points import point_rows
from irnet.data.coco.rows import parse_mpp, parse_score
from irnet.data.room import MaskRoom
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry.masks import validate_shape

IGNORE_ID = len(LABEL_NAMES) + 1


def image_row(image_id: int, entry: Entry) -> Row:
    """The row of `images` that says what is known of an image as a whole."""
    content = entry.content
    height, width = content.cells.image_shape
    row: Row = {"id": image_id, "file_name": entry.name, "height": height, "width": width}
    if entry.patient is not None:
        row["patient"] = entry.patient
    if content.cells.mpp is not None:
        row["mpp"] = content.cells.mpp
    if content.annotated != frozenset(LABEL_NAMES):
        row["annotated_categories"] = [LABEL_NAMES[label] for label in sorted(content.annotated)]
    if content.annotated and not entry.scored:
        row["finished"] = False  # as the region that covers it says
    if content.distractors:
        row["distractors"] = [
            {"kind": d.kind, "bbox": [d.box[0], d.box[1], d.box[2] - d.box[0], d.box[3] - d.box[1]]}
            for d in content.distractors
        ]
    if content.last_number > max(content.numbered, default=-1):
        row["last_number"] = content.last_number
    return row


def annotation_rows(content: Content, image_id: int, *, scores: bool) -> list[Row]:
    """The rows of `annotations` of an image, numbered from 1."""
    cells = content.cells
    kept = np.flatnonzero(cells.areas)
    ids = {int(index): 1 + place for place, index in enumerate(kept)}
    rows, numbers = _rows(cells.select(kept), image_id, 1), content.numbered
    for row, index in zip(rows, kept, strict=True):
        row["number"] = numbers[int(index)]
        if (parent := int(cells.parents[index])) in ids:
            row["cell_id"] = ids[parent]
        if content.kinds and content.kinds[index]:
            row["kind"] = content.kinds[index]
        if scores:
            row["score"] = float(cells.scores[index])
    if content.ignore is not None:
        regions = content.ignore.select(content.ignore.areas > 0)
        rows += [row | {"iscrowd": 1} for row in _rows(regions, image_id, 1 + len(rows))]
    return rows + point_rows(content.points, image_id, 1 + len(rows))


def _rows(cells: Cells, image_id: int, first: int) -> list[Row]:
    boxes = np.concatenate([cells.boxes[:, :2], cells.boxes[:, 2:] - cells.boxes[:, :2]], axis=1)
    columns = zip(cells.labels.tolist(), cells.to_rle(), boxes.tolist(), cells.areas.tolist(), strict=True)
    return [
        {
            "id": first + place,
            "image_id": image_id,
            "category_id": IGNORE_ID if label == EVERY_CLASS else label,
            "segmentation": rle,
            "bbox": box,
            "area": area,
            "iscrowd": 0,
        }
        for place, (label, rle, box, area) in enumerate(columns)
    ]


def check_readable(content: Content, scores: bool) -> None:
    """Raise InputError for what `read_coco` would refuse."""
    cells, room = content.cells, MaskRoom()
    validate_shape(cells.image_shape)
    for mask in (*cells.masks, *(content.ignore.masks if content.ignore is not None else ())):
        if mask.size:
            room.take(mask.size)
    if cells.mpp is not None:
        parse_mpp(cells.mpp)
    for score in cells.scores.tolist() if scores else ():
        parse_score(score)
    if not np.isfinite([distractor.box for distractor in content.distractors]).all():
        raise InputError("a distractor's box is not finite")
    linked = np.flatnonzero(cells.parents != NO_PARENT)
    if (cells.labels[linked] != NUCLEUS).any() or (cells.labels[cells.parents[linked]] != CYTOPLASM).any():
        raise InputError("a parent must link a nucleus to a cytoplasm")


def renumber(parts: Iterable[tuple[Row, list[Row]]]) -> Iterator[Row]:
    """The annotations of all images, numbered on from image to image."""
    before = 0
    for image_id, (_, annotations) in enumerate(parts, start=1):
        for row in annotations:
            link = {"cell_id": row["cell_id"] + before} if "cell_id" in row else {}
            yield row | {"id": row["id"] + before, "image_id": image_id} | link
        before += len(annotations)
