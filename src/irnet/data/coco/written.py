"""Rows of a COCO file as they are written."""

import numpy as np

from irnet.cells import EVERY_CLASS, LABEL_NAMES, Cells, Truth
from irnet.data.coco.document import Row
from irnet.data.coco.points import point_rows
from irnet.data.sample import Entry

IGNORE_ID = len(LABEL_NAMES) + 1


def image_row(image_id: int, entry: Entry) -> Row:
    """The row of `images` that says what is known of an image as a whole."""
    truth = entry.truth
    height, width = truth.cells.image_shape
    row: Row = {"id": image_id, "file_name": entry.name, "height": height, "width": width}
    if entry.patient is not None:
        row["patient"] = entry.patient
    if truth.cells.mpp is not None:
        row["mpp"] = truth.cells.mpp
    if truth.annotated != frozenset(LABEL_NAMES):
        row["annotated_categories"] = [LABEL_NAMES[label] for label in sorted(truth.annotated)]
    if truth.distractors:
        row["distractors"] = [
            {"kind": d.kind, "bbox": [d.box[0], d.box[1], d.box[2] - d.box[0], d.box[3] - d.box[1]]}
            for d in truth.distractors
        ]
    return row


def annotation_rows(truth: Truth, image_id: int, *, scores: bool) -> list[Row]:
    """The rows of `annotations` of an image, numbered from 1."""
    cells = truth.cells
    kept = np.flatnonzero(cells.areas)
    ids = {int(index): 1 + place for place, index in enumerate(kept)}
    rows = _rows(cells.select(kept), image_id, 1)
    for row, index in zip(rows, kept, strict=True):
        if (parent := int(cells.parents[index])) in ids:
            row["cell_id"] = ids[parent]
        if truth.kinds and truth.kinds[index]:
            row["kind"] = truth.kinds[index]
        if scores:
            row["score"] = float(cells.scores[index])
    if truth.ignore is not None:
        regions = truth.ignore.select(truth.ignore.areas > 0)
        rows += [row | {"iscrowd": 1} for row in _rows(regions, image_id, 1 + len(rows))]
    return rows + point_rows(truth.points, image_id, 1 + len(rows))


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
