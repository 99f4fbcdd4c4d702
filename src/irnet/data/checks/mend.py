"""A COCO file without what its inspection found bad; everything that we do not know is kept."""

from collections.abc import Container, Sequence
from contextlib import suppress

from irnet.cells import EVERY_CLASS, LABEL_NAMES
from irnet.data.categories import DROPPED, label_of
from irnet.data.checks.inspection import Inspection
from irnet.data.coco.document import Id, Row
from irnet.data.numbers import fill_numbers, read_number
from irnet.errors import InputError

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

    numbers, last = _numbers(inspection, images)
    annotations = [
        _annotation(inspection, position, row, targets) | numbers.get(position, {})
        for position, row in kept.items()
    ]
    if crowd == "instances":
        solid = {category for category, label in labels.items() if label != EVERY_CLASS}
        annotations = [row | {"iscrowd": 0} if row["category_id"] in solid else row for row in annotations]

    return document.data | {
        "images": [_image(row, inspection) | last.get(row["id"], {}) for row in images],
        "annotations": annotations,
        "categories": [
            row | {"name": _NAMES[labels[row["id"]]]} if row["id"] in labels else row
            for row in document.data["categories"]
            if labels.get(row["id"]) != DROPPED
        ],
    }


def _annotation(inspection: Inspection, position: int, row: Row, targets: Container[Id]) -> Row:
    row = row | inspection.whole.get(position, {})
    linked = row.get("cell_id")
    cell_id = None if linked is None else inspection.twins.get(linked, linked)
    if cell_id is None or cell_id not in targets or position in inspection.bad_links:
        return {name: value for name, value in row.items() if name != "cell_id"}
    return row | {"cell_id": cell_id}


def _numbers(inspection: Inspection, images: Sequence[Row]) -> tuple[dict[int, Row], dict[Id, Row]]:
    """What images that lose an annotation have to say, for the others to keep their numbers.

    The number of each annotation, by its position, and the last one of each image, by its id.
    """
    rows = inspection.document.annotations
    losing = [rows[position].get("image_id") for position in inspection.bad_annotations]
    places: dict[Id, list[int]] = {image["id"]: [] for image in images}
    for place, row in enumerate(rows):
        if isinstance(owner := row.get("image_id"), int | str) and owner in places:
            places[owner].append(place)

    numbers: dict[int, Row] = {}
    lasts: dict[Id, Row] = {}
    for image, (key, mine) in zip(images, places.items(), strict=True):
        if key in losing:
            with suppress(InputError):  # numbers that nothing reads are none
                last = read_number(image.get("last_number"))
                given = [read_number(rows[place].get("number")) for place in mine]
                filled = fill_numbers(given, -1 if last is None else last)
                numbers |= {i: {"number": number} for i, number in zip(mine, filled, strict=True)}
                lasts[key] = {"last_number": max([*filled, -1 if last is None else last])}
    return numbers, lasts


def _image(row: Row, inspection: Inspection) -> Row:
    """Names of categories are ours now."""
    if row.get("annotated_categories") is None:
        return row
    labels = {label_of(name, inspection.mapping) for name in row["annotated_categories"]}
    return row | {"annotated_categories": [_NAMES[label] for label in sorted(labels & LABEL_NAMES.keys())]}
