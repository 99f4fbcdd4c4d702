"""A COCO file without what its inspection found bad; everything that we do not know is kept."""

from collections.abc import Container

from irnet.cells import EVERY_CLASS, LABEL_NAMES
from irnet.data.categories import DROPPED, label_of
from irnet.data.checks.inspection import Inspection
from irnet.data.coco.document import Id, Row

_NAMES = LABEL_NAMES | {EVERY_CLASS: "ignore"}


def mended(inspection: Inspection, crowd: str = "ignore") -> Row:
    """The file as it should be written. Every category in use must be known."""
    document, mapping = inspection.document, inspection.mapping
    images = [row for i, row in enumerate(document.images) if i not in inspection.bad_images]
    ids = {row["id"] for row in images}
    kept = {
        position: row
        for position, row in enumerate(document.annotations)
        if position not in inspection.bad_annotations and row["image_id"] in ids
    }
    used = {row["category_id"] for row in kept.values()}
    labels = {category: label_of(document.categories[category], mapping) for category in used}
    kept = {position: row for position, row in kept.items() if labels[row["category_id"]] != DROPPED}
    targets = {row["id"] for row in kept.values()}
    annotations = [_annotation(inspection, i, row, targets) for i, row in kept.items()]
    if crowd == "instances":
        solid = {category for category, label in labels.items() if label != EVERY_CLASS}
        annotations = [row | {"iscrowd": 0} if row["category_id"] in solid else row for row in annotations]
    return document.data | {
        "images": [_image(row, inspection) for row in images],
        "annotations": annotations,
        "categories": [
            row | {"name": _NAMES[labels[row["id"]]]} if row["id"] in labels else row
            for row in document.data["categories"]
            if labels.get(row["id"]) != DROPPED
        ],
    }


def _annotation(inspection: Inspection, position: int, row: Row, targets: Container[Id]) -> Row:
    row = row | inspection.whole.get(position, {})
    cell_id = row.get("cell_id")
    if cell_id is None or cell_id not in targets or position in inspection.bad_links:
        row.pop("cell_id", None)
    return row


def _image(row: Row, inspection: Inspection) -> Row:
    """Names of categories are ours now."""
    if row.get("annotated_categories") is None:
        return row
    labels = {label_of(name, inspection.mapping) for name in row["annotated_categories"]}
    return row | {"annotated_categories": [_NAMES[label] for label in sorted(labels & LABEL_NAMES.keys())]}
