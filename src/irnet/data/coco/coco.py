"""COCO json: the canonical form of truth and of predictions, every instance with its own full mask."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, Literal

import numpy as np

from irnet.cells import EVERY_CLASS, LABEL_NAMES, NO_PARENT, Cells, Content
from irnet.data.coco.document import Document, Id, Row, group, load, naming, stream
from irnet.data.coco.points import annotated_with, is_point, parse_points
from irnet.data.coco.remarks import MAKE_CELLS, Crowd, Remarks
from irnet.data.coco.rows import (
    AnnotationRow,
    ImageRow,
    check_link,
    number_rows,
    parse_annotation,
    parse_image,
)
from irnet.data.coco.run_record import load_checked
from irnet.data.coco.runs import Runs, with_runs
from irnet.data.coco.written import IGNORE_ID, annotation_rows, check_readable, image_row, renumber
from irnet.data.files import write_atomic
from irnet.data.room import MASK_PIXELS, MaskRoom
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.progress import each

Unreviewed = Literal["ignore", "take"]
Part = tuple[Row, list[Row]]  # the row of an image, and those of its annotations


def read_coco(
    path: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    mapping: Mapping[str, str] | None = None,
    crowd: Crowd = "ignore",
    unreviewed: Unreviewed = "ignore",
) -> list[Entry]:
    """Read the images of a COCO file with what is annotated or was found in them.

    Args:
        path: the file; or a folder, of which predictions.json is read, or else annotations.json.
        images: the folder of the images, where it is not beside the file.
        mapping: renames categories (`categories.parse_mapping`).
        crowd: annotations with `iscrowd` = 1 and without a score are regions to "ignore", or "instances".
        unreviewed: of an image that its review did not finish "ignore" all but what a person accepted,
            corrected or drew, for training and scores; or "take" all that is there, as it was found.

    Returns:
        One `Entry` an image: `name`, `path`, `patient`, `content.cells`; `read()` opens the image.

    Raises:
        InputError: at the first thing wrong, with file, id and remedy; `irnet data check` finds all.

    Example:
        >>> import tempfile
        >>> import irnet
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     irnet.Cells.empty((200, 300), mpp=0.25).save(f"{folder}/a.json", "a.png")
        ...     entries = irnet.read_coco(f"{folder}/a.json")
        >>> [(entry.name, entry.content.cells) for entry in entries]
        [('a.png', Cells(0 cytoplasms, 0 nuclei, 200 x 300, 0.25 um/px))]
    """
    document = load_checked(path)[0] if images is None else load(path, images=images)
    return entries_of(document, mapping=mapping, crowd=crowd, unreviewed=unreviewed)


def entries_of(
    document: Document,
    *,
    mapping: Mapping[str, str] | None = None,
    crowd: Crowd = "ignore",
    unreviewed: Unreviewed = "ignore",
) -> list[Entry]:
    """The same for a file that is parsed already."""
    groups, remarks = group(document), Remarks(document, crowd)
    entries, names = [], set()

    for row in each(document.images, "reading"):
        with naming(f"{document.path}: image {row['id']!r}"):
            image = parse_image(row, document, mapping)
            image = replace(image, unfinished=image.unfinished and unreviewed == "ignore")
            if image.name in names:
                raise InputError(
                    f"another image is {image.name} too: join their annotations, or rename one file"
                )
        names.add(image.name)

        rows = groups[image.id]
        annotations = _parse(document, image, rows, mapping)
        points = parse_points(document, image, rows, mapping)
        with naming(f"{document.path}: image {image.name!r}"):
            known = annotated_with(image, points, rows)
            numbers = number_rows(rows, image.last_number)
            content = replace(_content(known, annotations, crowd, numbers), points=points)

        remarks.add(image, rows, annotations, numbers=numbers, content=content)
        entries.append(Entry(name=image.name, path=image.path, content=content, patient=image.patient))

    remarks.say()
    if not any(len(entry.content.cells) for entry in entries):
        _refuse_all_crowds(document, entries)
    return entries


def write_coco(
    path: str | os.PathLike,
    entries: Iterable[Entry],
    *,
    info: Mapping[str, Any] | None = None,
    scores: bool = False,
) -> None:
    """Write truth or predictions of several images as one COCO file; of one image, `Cells.save` does.

    Images and annotations are numbered from 1 in their order. Empty masks are left out.

    Args:
        path: the file. It is replaced, whole or not at all.
        entries: the images, as `read_coco` gives them.
        info: goes into the file as it is.
        scores: whether the score of each instance is written.

    Returns:
        Nothing.

    Raises:
        InputError: what `read_coco` would refuse, or two images have one name.

    Example:
        >>> import tempfile
        >>> import irnet
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     irnet.Cells.empty((200, 300)).save(f"{folder}/a.json", "a.png")
        ...     irnet.Cells.empty((200, 300)).save(f"{folder}/b.json", "b.png")
        ...     both = irnet.read_coco(f"{folder}/a.json") + irnet.read_coco(f"{folder}/b.json")
        ...     irnet.write_coco(f"{folder}/both.json", both)
        ...     len(irnet.read_coco(f"{folder}/both.json"))
        2
    """
    parts = [part_of(entry, scores=scores) for entry in entries]
    write_parts(path, lambda: iter(parts), info=info)


def part_of(entry: Entry, *, scores: bool = False) -> Part:
    """The rows of one image, numbered as if it were the only one.

    Raises InputError for what `read_coco` would refuse: a frame or masks that are too large, a scale or a
    score that is none, a link that is not from a nucleus to a cell.
    """
    with naming(f"image {entry.name!r}"):
        check_readable(entry.content, scores)
        return image_row(1, entry), annotation_rows(entry.content, 1, scores=scores)


def write_parts(
    path: str | os.PathLike, parts: Callable[[], Iterator[Part]], *, info: Mapping[str, Any] | None = None
) -> None:
    """Write one COCO file of many images of which only one at a time is held; `parts` gives them again.

    Raises InputError where two images have one name: `read_coco` would refuse them.
    """
    images, met, names = [], set[str](), dict(LABEL_NAMES)
    for number, (image, annotations) in enumerate(parts(), start=1):
        if (name := image["file_name"]) in met:
            raise InputError(f"two images are called {name!r}: rename one")
        met.add(name)
        images.append(image | {"id": number})
        if any(row["category_id"] == IGNORE_ID for row in annotations):
            names[IGNORE_ID] = "ignore"
    tables = {
        "categories": [{"id": label, "name": name} for label, name in names.items()],
        "images": images,
    }

    def write(file: BinaryIO) -> None:
        file.writelines(stream({"info": dict(info or {}), **tables, "annotations": renumber(parts())}))

    write_atomic(path, write)


def _parse(
    document: Document, image: ImageRow, rows: Sequence[Row], mapping: Mapping[str, str] | None
) -> list[AnnotationRow]:
    annotations, room = [], MaskRoom()
    with naming(f"{document.path}: image {image.name!r}"):
        readable = _read_runs(image, rows)

    for row in readable:
        if is_point(row):
            continue
        with naming(f"{document.path}: image {image.name!r}, annotation {row['id']!r}"):
            annotation = parse_annotation(row, image.shape, document.categories, room, mapping)
        if annotation:
            annotations.append(annotation)

    return annotations


def _read_runs(image: ImageRow, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows with run lengths read: what stands for too much is refused before any is decoded."""
    height, width = image.shape
    readable = with_runs(rows, image.shape)
    if len(rows) * height * width <= MASK_PIXELS:  # each may be the whole frame
        return readable

    room = MaskRoom()
    for row in readable:
        segmentation = row.get("segmentation")
        room.take(segmentation.pixels if isinstance(segmentation, Runs) else 0)
    return readable


def _content(
    image: ImageRow, annotations: Sequence[AnnotationRow], crowd: Crowd, numbers: Mapping[Id, int]
) -> Content:
    sides: dict[bool, list[AnnotationRow]] = {True: [], False: []}
    for annotation in annotations:
        ignored = annotation.label == EVERY_CLASS or (annotation.crowd and crowd == "ignore")
        if not (image.unfinished and annotation.proposed):
            sides[ignored].append(annotation)

    cells, regions = sides[False], sides[True]
    kinds = tuple(annotation.kind for annotation in cells)
    own = tuple(numbers[annotation.id] for annotation in cells)
    return Content(
        cells=_cells(cells, image, _parents(cells, set(numbers))),
        kinds=kinds if any(kinds) else (),
        annotated=image.annotated,
        ignore=_regions(regions, image),
        distractors=image.distractors,
        numbers=() if own == tuple(range(len(own))) else own,
        last_number=max([image.last_number, *own]),
    )


def _cells(
    annotations: Sequence[AnnotationRow], image: ImageRow, parents: Sequence[int] | None = None
) -> Cells:
    return Cells.build(
        [annotation.crop for annotation in annotations],
        [annotation.offset for annotation in annotations],
        [annotation.label for annotation in annotations],
        image.shape,
        scores=[annotation.score for annotation in annotations],
        parents=parents,
        mpp=image.mpp,
    )


def _regions(annotations: Sequence[AnnotationRow], image: ImageRow) -> Cells | None:
    """The regions to ignore: all of an image in which more may be than was reviewed."""
    regions = _cells(annotations, image)
    whole = image.shape[0] * image.shape[1] in regions.of(EVERY_CLASS).areas
    if image.unfinished and image.annotated and not whole:
        frame = Cells.build([np.ones(image.shape, bool)], [(0, 0)], [EVERY_CLASS], image.shape, mpp=image.mpp)
        return Cells.concat([regions, frame])
    return regions if annotations else None


def _parents(cells: Sequence[AnnotationRow], ids: set[Id]) -> list[int]:
    """Index of each nucleus's cell; NO_PARENT when it is among the `ids` but was dropped or is a crowd."""
    by_id = {annotation.id: annotation for annotation in cells}
    places = {annotation.id: place for place, annotation in enumerate(cells)}
    left_out = ids - places.keys()
    parents = []
    for annotation in cells:
        check_link(annotation, by_id, left_out)
        cell_id = annotation.cell_id
        parents.append(NO_PARENT if cell_id is None else places.get(cell_id, NO_PARENT))
    return parents


def _refuse_all_crowds(document: Document, entries: Sequence[Entry]) -> None:
    regions = [entry.content.ignore for entry in entries if entry.content.ignore is not None]
    if any((region.labels != EVERY_CLASS).any() for region in regions):
        raise InputError(
            f"{document.path}: every annotation is a crowd (iscrowd = 1), a region to ignore, as CVAT "
            f"exports masks: {MAKE_CELLS}"
        )
