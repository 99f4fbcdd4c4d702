"""One COCO file looked at row by row: every finding is kept, nothing stops at the first."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from irnet.cells import EVERY_CLASS, LABEL_NAMES, Cells, Point
from irnet.data.categories import DROPPED, label_of, plain
from irnet.data.checks.completeness import find_lacks
from irnet.data.checks.copies import find_copies
from irnet.data.checks.findings import Finding, finding
from irnet.data.coco.document import Document, Id, Row, identity, load, short
from irnet.data.coco.points import annotated_with, is_point, parse_point
from irnet.data.coco.rows import (
    ODD,
    AnnotationRow,
    ImageRow,
    check_link,
    is_found,
    parse_annotation,
    parse_category,
    parse_image,
)
from irnet.data.corner import IN_A_CORNER, is_in_a_corner
from irnet.data.image import orientation, read_image
from irnet.data.room import MaskRoom
from irnet.errors import InputError
from irnet.progress import each
from irnet.wording import number_of

MIN_AREA = 4  # px: less is a slip of the mouse
TELLING_AREA = 256  # px: two cells of this size never have the same mask by chance
Located = tuple[int, AnnotationRow]  # with its position in the table


@dataclass(eq=False, kw_only=True)
class Inspection:
    """What was found in a file, by position in its tables, and what tells whether another file shares it.

    Of a row that has to be left out, the finding that says why is kept.
    """

    document: Document
    mapping: Mapping[str, str] | None
    findings: list[Finding] = field(default_factory=list)
    bad_images: dict[int, Finding] = field(default_factory=dict)
    bad_annotations: dict[int, Finding] = field(default_factory=dict)
    bad_links: set[int] = field(default_factory=set)
    twins: dict[Id, Id] = field(default_factory=dict)  # of a copy that is left out the instance that stays
    whole: dict[int, Row] = field(default_factory=dict)  # fields of polygons as they are read: cut, no strays
    patients: set[str] = field(default_factory=set)
    pictures: dict[str, str] = field(default_factory=dict)  # image name by hash of its pixels
    outlines: dict[str, str] = field(default_factory=dict)  # image name by hash of a mask

    def add(self, code: str, message: str, *, image: str | None = None, annotation: object = None) -> Finding:
        """Keep a finding and return it."""
        found = finding(code, self.document.path, message, image=image, annotation=annotation)
        self.findings.append(found)
        return found


def inspect(
    path: str | os.PathLike, *, mapping: Mapping[str, str] | None = None, crowd: str = "ignore"
) -> Inspection:
    """Look at every row and image of a COCO file. Raises InputError only if it cannot be parsed at all."""
    inspection = Inspection(document=load(path), mapping=mapping)
    unknown = _unknown_categories(inspection)
    images = _images(inspection)
    groups = _group(inspection, unknown)
    annotated: list[tuple[ImageRow, list[AnnotationRow]]] = []
    marked = False
    for image in each(images, "looking at annotations of", lambda image: image.name):
        points = _points(inspection, image, groups[image.id])
        marked |= bool(points)
        image = annotated_with(image, points, groups[image.id])
        located = _annotations(inspection, image, groups[image.id])
        _links(inspection, image, located, {row["id"] for _, row in groups[image.id]})
        _duplicates(inspection, image, located)
        annotated.append((image, [annotation for _, annotation in located]))
        _coordinates(inspection, *annotated[-1])
    if crowd == "ignore":
        _crowds(inspection, [annotation for _, rows in annotated for annotation in rows])
    refused = bool(unknown or inspection.bad_annotations or (inspection.bad_images and not images))
    for code, message, name in find_lacks(annotated, marked=marked, refused=refused):
        inspection.add(code, message, image=name)
    return inspection


def _unknown_categories(inspection: Inspection) -> set[Id]:
    """Ids of categories that mean nothing to us; a finding for each that is used."""
    document, unknown = inspection.document, set()
    alike: dict[str, list[str]] = defaultdict(list)
    for name in document.categories.values():
        alike[plain(name)].append(name)
    for names in alike.values():
        if len(names) > 1:
            spelled = ", ".join(short(name) for name in dict.fromkeys(names))
            differ = ", which differ by case or spaces alone" if len(set(names)) > 1 else ""
            inspection.add("doubled-category", f"{len(names)} categories are called {spelled}{differ}")
    for category, name in document.categories.items():
        try:
            label_of(name, inspection.mapping)
        except InputError:
            unknown.add(category)
            if used := sum(row.get("category_id") == category for row in document.annotations):
                inspection.add("unknown-category", f"{number_of(used, 'annotation')} of {short(name)}")
    return unknown


def _images(inspection: Inspection) -> list[ImageRow]:
    """The images with valid rows; those whose file is missing or wrong are marked as bad."""
    images: list[ImageRow] = []
    ids, names = set(), set()
    for position, row in enumerate(each(inspection.document.images, "looking at images")):
        code = "bad-image"
        try:
            if identity(row) in ids:
                code = "doubled-id"
                raise InputError(f"id {row['id']!r} is that of an image before it")
            ids.add(row["id"])
            image = parse_image(row, inspection.document, inspection.mapping)
            if image.name in names:
                code = "doubled-name"
                raise InputError("an image before it has the same file_name")
        except InputError as error:
            name = short(row.get("file_name"))
            inspection.bad_images[position] = inspection.add(code, str(error), image=name)
            continue
        images.append(image)
        names.add(image.name)
        if fault := _picture(inspection, image):
            inspection.bad_images[position] = fault
    return images


def _picture(inspection: Inspection, image: ImageRow) -> Finding | None:
    """Why the image has to be left out: its file cannot be read or has not the annotated size."""
    if not os.path.isfile(image.path):
        return inspection.add("missing-image", f"no file {image.path}", image=image.name)
    try:
        pixels = read_image(image.path).pixels
    except InputError as error:
        return inspection.add("unreadable-image", str(error), image=image.name)
    if (turned := orientation(image.path)) != 1:
        inspection.add("turned", f"turned upright (EXIF orientation {turned})", image=image.name)
    if (found := pixels.shape[:2]) != image.shape:
        message = f"{found[0]} x {found[1]} pixels (height x width), annotated as {image.shape}"
        return inspection.add("size-mismatch", message, image=image.name)
    if image.patient is not None:
        inspection.patients.add(image.patient)
    twin = inspection.pictures.setdefault(_digest(pixels), image.name)
    if twin != image.name:
        inspection.add("doubled-image", f"its pixels are those of {twin}", image=image.name)
    return None


def _group(inspection: Inspection, unknown: set[Id]) -> dict[Id, list[tuple[int, Row]]]:
    """Rows of known categories by image, with their positions."""
    document = inspection.document
    images = {row["id"] for row in document.images if isinstance(row.get("id"), int | str)}
    groups: dict[Id, list[tuple[int, Row]]] = defaultdict(list)
    seen: set[Id] = set()
    for position, row in enumerate(document.annotations):
        code = "bad-annotation"
        try:
            if identity(row) in seen:
                code = "doubled-id"
                raise InputError("an annotation before it has the same id")
            seen.add(row["id"])
            if identity(row, "image_id") not in images:
                raise InputError(f"image_id {row['image_id']!r} is not in images")
            if identity(row, "category_id") not in unknown:
                groups[row["image_id"]].append((position, row))
        except InputError as error:
            fault = inspection.add(code, str(error), annotation=row.get("id"))
            inspection.bad_annotations[position] = fault
    return groups


def _points(inspection: Inspection, image: ImageRow, rows: list[tuple[int, Row]]) -> list[Point]:
    """The valid centres of an image that are not dropped; the others are marked as bad."""
    points = []
    for position, row in rows:
        if not is_point(row):
            continue
        try:
            label = parse_category(row, inspection.document.categories, inspection.mapping)
            points += [] if label == DROPPED else [parse_point(row, label, image.shape)]
        except InputError as error:
            fault = inspection.add("bad-annotation", str(error), image=image.name, annotation=row["id"])
            inspection.bad_annotations[position] = fault
    return points


def _annotations(inspection: Inspection, image: ImageRow, rows: list[tuple[int, Row]]) -> list[Located]:
    """The valid annotations of an image that are not dropped; the others are marked as bad."""
    located: list[Located] = []
    names, mapping, room = inspection.document.categories, inspection.mapping, MaskRoom()
    for position, row in rows:
        if is_point(row):
            continue

        place = {"image": image.name, "annotation": row["id"]}
        try:
            annotation = parse_annotation(row, image.shape, names, room, mapping)
        except InputError as error:
            inspection.bad_annotations[position] = inspection.add("bad-annotation", str(error), **place)
            continue
        if annotation is None:
            continue
        located.append((position, annotation))

        # What is read all the same, and told
        if annotation.clipped:
            inspection.add("out-of-frame", f"its polygon leaves the frame {image.shape}", **place)
        if annotation.stray:
            message = f"{annotation.stray} pieces of its polygon have fewer than three vertices"
            inspection.add("stray-piece", message, **place)
        if annotation.clipped or annotation.stray:
            inspection.whole[position] = _as_run_lengths(annotation, image)
        if (area := np.count_nonzero(annotation.crop)) < MIN_AREA or min(annotation.crop.shape) < 2:
            message = f"its mask has {area} pixels in a line or less"
            inspection.bad_annotations[position] = inspection.add("degenerate", message, **place)
        if annotation.label not in image.annotated | {EVERY_CLASS}:
            name = LABEL_NAMES[annotation.label]
            inspection.add("not-annotated", f"a {name}, which the image says were not annotated", **place)
    return located


def _links(inspection: Inspection, image: ImageRow, located: list[Located], ids: set[Id]) -> None:
    cells = {annotation.id: annotation for _, annotation in located}
    for position, annotation in located:
        try:
            check_link(annotation, cells, ids - cells.keys())
        except InputError as error:
            inspection.add("bad-link", str(error), image=image.name, annotation=annotation.id)
            inspection.bad_links.add(position)


def _duplicates(inspection: Inspection, image: ImageRow, located: list[Located]) -> None:
    """Instances that cover one another nearly whole; and remember outlines that would tell a copy."""
    solid = [(position, annotation) for position, annotation in located if not annotation.crowd]
    annotations = [annotation for _, annotation in solid]
    for copy, kept in find_copies(annotations, image.shape):
        position, annotation = solid[copy]
        stays = annotations[kept].id
        message = f"its mask is that of annotation {stays!r}"
        fault = inspection.add("duplicate", message, image=image.name, annotation=annotation.id)
        inspection.bad_annotations[position] = fault
        inspection.twins[annotation.id] = stays

    for annotation in annotations:
        if np.count_nonzero(annotation.crop) >= TELLING_AREA:
            inspection.outlines.setdefault(_digest(annotation.crop), image.name)


def _coordinates(inspection: Inspection, image: ImageRow, annotations: list[AnnotationRow]) -> None:
    """Outlines that are valid and look as if other coordinates were meant."""
    counts = {text: sum(getattr(a, name) for a in annotations) for name, text in ODD.items()}
    crops, offsets = [a.crop for a in annotations], [a.offset for a in annotations]
    cells = Cells.build(crops, offsets, [a.label for a in annotations], image.shape)
    drawn = all(annotation.outlined and not annotation.shares for annotation in annotations)
    counts[IN_A_CORNER] = drawn and is_in_a_corner(cells)
    for text, count in counts.items():
        if count:
            inspection.add("odd-coordinates", f"{text}: {count}", image=image.name)


def _crowds(inspection: Inspection, annotations: list[AnnotationRow]) -> None:
    counts = Counter(annotation.crowd for annotation in annotations if annotation.label != EVERY_CLASS)
    if counts[True]:
        code, total = "crowd" if counts[False] else "all-crowds", number_of(counts.total(), "annotation")
        inspection.add(code, f"crowds (iscrowd = 1): {counts[True]} of {total}")
    if found := sum(row.get("iscrowd") == 1 and is_found(row) for row in inspection.document.annotations):
        inspection.add("found-crowd", f"{number_of(found, 'annotation')} with a score and iscrowd = 1")


def _as_run_lengths(annotation: AnnotationRow, image: ImageRow) -> Row:
    cells = Cells.build([annotation.crop], [annotation.offset], [annotation.label], image.shape)
    x1, y1, x2, y2 = cells.boxes[0].tolist()
    return {
        "segmentation": cells.to_rle()[0],
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": int(cells.areas[0]),
    }


def _digest(array: np.ndarray) -> str:
    data = np.packbits(array) if array.dtype == bool else array
    return hashlib.sha256(repr(array.shape).encode() + data.tobytes()).hexdigest()
