"""Formats of annotations: one file a format, each with its reader and, where there is one, its writer."""

import filecmp
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from irnet.data.coco import coco
from irnet.data.file_names import ANNOTATIONS
from irnet.data.files import refuse_losing, safe_join, write_atomic
from irnet.data.formats import (
    cric,
    cvat,
    cx22,
    herlev,
    imagej,
    isbi2014,
    labelme,
    labels,
    masks,
    qupath,
    sipakmed,
)
from irnet.data.formats.gathering import mark_annotated
from irnet.data.image import orientation, unused_size
from irnet.data.listing import walk, warn_of_unread
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.progress import each, stage
from irnet.wording import number_of, some_of

DRAWN = ("cvat", "imagej", "labelme", "labels", "qupath")  # files beside images, of tools to draw with
PUBLIC = ("cric", "cx22", "herlev", "isbi2014", "sipakmed")
_SUFFIXES = {  # what the files of annotations in a folder end in
    "cvat": (cvat.SUFFIX,),
    "imagej": (imagej.SUFFIX,),
    "labelme": (labelme.SUFFIX,),
    "labels": (labels.CELLS, labels.NUCLEI),
    "qupath": qupath.SUFFIXES,
}
SOURCES = ("coco", "masks", *DRAWN, *PUBLIC)
_NAMED = 50  # images in a line
_logger = logging.getLogger(__name__)


def convert(
    source_format: str,
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    mapping: Mapping[str, str] | None = None,
    crowd: coco.Crowd = "ignore",
    complete: Callable[[Sequence[Entry]], Sequence[Entry]] = list,
) -> int:
    """Write `source` as a data set: `out`/annotations.json and `out`/images. Returns the number of images.

    Image files are copied as they are; images inside a container become PNG. `images` says where those of
    coco (a folder) and of the DRAWN formats (`beside.ImageFinder`) are, `mapping` renames what they, coco and
    masks call things, `crowd` is for coco. `complete` adds to the images what they do not say themselves.
    Raises InputError, also when `out` holds a data set already.
    """
    target = Path(out) / ANNOTATIONS
    if target.exists():
        raise InputError(f"{target} exists: name a new folder")
    if images is not None and source_format not in ("coco", *DRAWN):
        raise InputError(
            f"--images is for coco, {', '.join(DRAWN)}: {source_format} says where its images are"
        )

    with stage("reading"):
        entries: Sequence[Entry] = _read(source_format, source, images, mapping, crowd)
    if not entries:
        raise InputError(f"{source}: no image in it: a data set needs at least one")

    # What stands in the source and cannot be taken, or not as it is
    if source_format in _SUFFIXES and os.path.isdir(source):
        read = {entry.path for entry in entries} | _copies(Path(source), entries)
        warn_of_unread(Path(source), walk(Path(source)), read, _SUFFIXES[source_format])
    names = Counter(entry.name.lower() for entry in entries)  # some file systems know no case
    for name, count in names.most_common(1):
        if count > 1:
            _refuse_doubled(source, name, [entry.path for entry in entries if entry.name.lower() == name])
    _warn_of_turned(source, entries)

    entries = complete(entries)
    if source_format != "coco":  # whose rows alone say um per pixel
        _warn_of_unsized(source, entries)
    if not any(len(entry.content.cells) or entry.content.points for entry in entries):
        _logger.warning("%s: nothing is annotated in %s", source, number_of(len(entries), "image"))

    targets = [safe_join(target.parent / "images", entry.name) for entry in entries]
    for entry, image in zip(entries, targets, strict=True):
        refuse_losing(image, partial(_image_file, entry))
    for image, entry in zip(targets, each(entries, "copying", lambda entry: entry.name), strict=True):
        write_atomic(image, _image_file(entry))
    coco.write_coco(target, entries, info={"description": f"converted from {source_format}"})
    return len(entries)


def _image_file(entry: Entry) -> bytes:
    """The file of an image as it is, PNG where it comes out of a container."""
    return entry.copy() if entry.pixels is None else to_png(entry.read().image)


def _copies(folder: Path, entries: Sequence[Entry]) -> set[Path]:
    """Files of a folder of annotations that are copies of images read elsewhere, as `irnet export` makes."""
    pairs = [(folder / entry.name, entry.path) for entry in entries]
    there = [(copy, path) for copy, path in pairs if copy != path and copy.is_file() and path.is_file()]
    return {copy for copy, path in there if filecmp.cmp(copy, path, shallow=False)}


def _refuse_doubled(source: str | os.PathLike, name: str, paths: Sequence[Path]) -> NoReturn:
    if len(set(paths)) < len(paths):
        raise InputError(
            f"{source}: {name} is annotated {len(paths)} times, and it is unknown which counts: put its "
            "shapes together in one place, or remove the others"
        )
    listed = ", ".join(map(str, paths[:_NAMED]))
    raise InputError(f"{source}: {name} is the name of {len(paths)} images, {listed}: rename all but one")


def _warn_of_turned(source: str | os.PathLike, entries: Sequence[Entry]) -> None:
    """Warn of images with an orientation tag: not every tool that draws on them obeys it."""
    turned = [entry.name for entry in entries if entry.pixels is None and orientation(entry.path) != 1]
    if turned:
        _logger.warning(
            "%s: turned upright by their orientation tag: %s. If the tool that drew on them does not turn "
            "them (QuPath and ImageJ do not), save them upright and draw again",
            source,
            some_of(turned, _NAMED),
        )


def _warn_of_unsized(source: str | os.PathLike, entries: Sequence[Entry]) -> None:
    """Warn of images whose files say um per pixel in a way that is not used."""
    unsized = [entry for entry in entries if entry.content.cells.mpp is None and entry.pixels is None]
    notes = Counter(note for entry in unsized if (note := unused_size(entry.path, entry.page)))
    for note, count in notes.items():
        _logger.warning("%s: %s; give --mpp: %s", source, note, number_of(count, "image"))


def _read(
    source_format: str,
    source: str | os.PathLike,
    images: str | os.PathLike | None,
    mapping: Mapping[str, str] | None,
    crowd: coco.Crowd,
) -> list[Entry]:
    match source_format:
        case "coco":
            return coco.read_coco(source, images=images, mapping=mapping, crowd=crowd)
        case "masks":
            return masks.read(source, mapping=mapping)
        case "cvat":
            return mark_annotated(cvat.read(source, images=images, mapping=mapping))
        case "imagej":
            return mark_annotated(imagej.read(source, images=images))
        case "labelme":
            return mark_annotated(labelme.read(source, images=images, mapping=mapping))
        case "labels":
            return mark_annotated(labels.read(source, images=images))
        case "qupath":
            return mark_annotated(qupath.read(source, images=images, mapping=mapping))
        case "cric":
            return cric.read(source)
        case "cx22":
            return cx22.read(source)
        case "herlev":
            return herlev.read(source)
        case "isbi2014":
            return isbi2014.read(source)
        case "sipakmed":
            return sipakmed.read(source)
    raise InputError(f"format {source_format!r} is not read: choose one of {', '.join(SOURCES)}")
