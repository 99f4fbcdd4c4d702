"""Results of other tools, brought to the images of a data set: COCO json, label maps, YOLO text."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.data.categories import label_of
from irnet.data.coco import coco
from irnet.data.coco.document import Document, load
from irnet.data.coco.results import is_results, read_results
from irnet.data.coco.run_record import load_checked
from irnet.data.copies import COPIES, count_copies
from irnet.data.formats.labels import read_labels
from irnet.data.formats.yolo import Tail, YoloFile, find_tail, read_yolo
from irnet.data.listing import warn_of_unread
from irnet.data.lookup import Names, by_stem, without_suffix
from irnet.data.mask_image import MAP_SUFFIXES
from irnet.data.matching import Matching, match_files
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.wording import number_of, some_of

Kind = Literal["coco", "labels", "yolo"]
Missing = Literal["error", "empty"]
KINDS: tuple[Kind, ...] = get_args(Kind)
EVERY = frozenset(LABEL_NAMES)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a tool found in the images of a data set."""

    kind: Kind
    truths: list[Entry]  # the images with their truth
    found: list[Entry]  # the same images with what was found; `annotated` are the classes looked for
    scored: bool  # whether instances have scores
    notes: tuple[str, ...]  # what the user should know


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What one file or folder says."""

    cells: dict[str, Cells]  # by name of the image
    absent: Sequence[str]  # names of images of which it says nothing, or not of every class
    scored: bool = False
    looked_for: frozenset[int] = EVERY
    left_over: Sequence[object] = ()  # files or images that are none of the data set's
    notes: Sequence[str] = ()


def read_predictions(
    source: str | os.PathLike,
    data: str | os.PathLike,
    *,
    kind: Kind | None = None,
    labels: Sequence[str] | None = None,
    mapping: Mapping[str, str] | None = None,
    missing: Missing = "error",
) -> Predictions:
    """What `source` says of the images of the data set `data`.

    Args:
        source: a COCO file or list of results; a folder (or file) of label maps or of YOLO text.
        kind: of the source; None goes by its files.
        labels: what label maps hold, the class of each page; None takes maps from folders in the source that
            are called like a class.
        mapping: what categories, class numbers and folders mean, {"0": "cytoplasm"}.
        missing: whether an image of which the source says nothing is an error, or one without cells.

    Raises InputError that names file, line or id and the remedy.
    """
    source, document = Path(source), load(data)
    truths = coco.entries_of(document)
    kind = kind or _guess(source)
    match kind:
        case "coco":
            found = _read_coco(source, document, truths, mapping)
        case "labels":
            found = _read_maps(source, truths, labels, mapping)
        case "yolo":
            found = _read_yolo(source, truths, mapping)
    if found.absent and missing == "error":
        raise InputError(f"{source}: {_explain(found, len(truths))}")
    return Predictions(
        kind=kind,
        truths=truths,
        found=[_place(entry, found) for entry in truths],
        scored=found.scored,
        notes=_notes(found),
    )


def _guess(source: Path) -> Kind:
    if source.suffix.lower() == ".json":
        return "coco"
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    files = [*source.glob("*"), *source.glob("*/*")] if source.is_dir() else [source]
    suffixes = {file.suffix.lower() for file in files}
    maps, text = bool(suffixes & set(MAP_SUFFIXES)), ".txt" in suffixes
    if maps == text:
        held = "both label maps and text files" if maps else "neither label maps nor text files"
        kinds = ", ".join(sorted(suffix for suffix in suffixes if suffix)) or "nothing"
        raise InputError(
            f"{source}: it holds {held} ({kinds}): say what to read with --from {' or '.join(KINDS)}"
        )
    return "labels" if maps else "yolo"


def _read_coco(
    source: Path, document: Document, truths: Sequence[Entry], mapping: Mapping[str, str] | None
) -> _Found:
    results = source.is_file() and is_results(source)
    theirs = read_results(source, document, mapping=mapping) if results else load_checked(source)[0]
    theirs = replace(theirs, names=Names(truth.name for truth in truths))
    entries = {
        entry.name: entry
        for entry in coco.entries_of(theirs, mapping=mapping, crowd="instances", unreviewed="take")
    }
    names = _names_of_theirs(source, entries, [truth.name for truth in truths])
    taken = set(names.values())
    nothing = sum(not len(entries[name].content.cells) for name in taken)
    notes = [f"without any result: {number_of(nothing, 'image')}"] if results and nothing else []
    looked_for = _looked_for(entries.values(), results)
    notes += [f"without a {LABEL_NAMES[label]}: none was looked for" for label in sorted(EVERY - looked_for)]
    return _Found(
        cells={ours: entries[name].content.cells for ours, name in names.items()},
        absent=[truth.name for truth in truths if truth.name not in names],
        scored=theirs.scored,
        looked_for=looked_for,
        left_over=[name for name in entries if name not in taken],
        notes=notes,
    )


def _names_of_theirs(source: Path, theirs: Collection[str], ours: Sequence[str]) -> dict[str, str]:
    """What the images `ours` are called there: the same, or the same but for the suffix. InputError."""
    called = {name: name for name in ours if name in theirs}
    stems = by_stem(ours)
    known = Names(stems)
    for name in theirs:
        stem = None if name in called else known.find(without_suffix(name))
        if stem is None:
            continue
        image = stems[stem]
        if image in called:
            raise InputError(f"{source}: {called[image]} and {name} both are the image {image}: keep one")
        called[image] = name
    return called


def _looked_for(entries: Collection[Entry], results: bool) -> frozenset[int]:
    """The classes that a COCO file has categories of; a list of results has none, and says it by its rows."""
    if not results:
        return frozenset[int]().union(*(entry.content.annotated for entry in entries)) or EVERY
    return frozenset(label for entry in entries for label in entry.content.cells.labels.tolist()) or EVERY


def _read_maps(
    source: Path,
    truths: Sequence[Entry],
    labels: Sequence[str] | None,
    mapping: Mapping[str, str] | None,
) -> _Found:
    folders = {source: [_class(name, mapping) for name in labels]} if labels else _by_class(source, mapping)
    parts: dict[str, list[Cells]] = {}
    absent: dict[str, None] = {}
    left_over: list[Path] = []
    for folder, classes in folders.items():
        matching = match_files(folder, [truth.name for truth in truths], MAP_SUFFIXES)
        absent |= dict.fromkeys(matching.missing)
        left_over += matching.left_over
        for truth in truths:
            if file := matching.files.get(truth.name):
                shape = truth.content.cells.image_shape
                parts.setdefault(truth.name, []).append(read_labels(file, shape, classes))
        _warn_of_unread(folder, matching, truths)
    if source.is_dir() and source not in folders:
        warn_of_unread(source, source.iterdir(), folders)
    return _Found(
        cells={name: Cells.concat(each) for name, each in parts.items()},
        absent=list(absent),
        looked_for=frozenset(label for classes in folders.values() for label in classes),
        left_over=left_over,
    )


def _warn_of_unread(folder: Path, matching: Matching, truths: Sequence[Entry]) -> None:
    """Warn of files that are not read, not left over with a note, and no pictures of the data set."""
    pictures = {Path(truth.name).name for truth in truths}
    if folder.is_dir():
        files = [file for file in folder.iterdir() if file.name not in pictures]
        warn_of_unread(folder, files, {*matching.files.values(), *matching.left_over})


def _by_class(source: Path, mapping: Mapping[str, str] | None) -> dict[Path, list[int]]:
    """Folders in the source that are called like a class."""
    folders = {}
    for folder in sorted(place for place in source.glob("*") if place.is_dir()):
        try:
            folders[folder] = [_class(folder.name, mapping)]
        except InputError:
            continue
    if not folders:
        raise InputError(
            f"{source}: say what the label maps hold: --label cytoplasm or --label nucleus; or keep them in "
            "folders of these names"
        )
    return folders


def _class(name: str, mapping: Mapping[str, str] | None) -> int:
    label = label_of(name, mapping)
    if label not in LABEL_NAMES:
        raise InputError(f"{name!r} is no class of instances: choose from {', '.join(LABEL_NAMES.values())}")
    return label


def _read_yolo(source: Path, truths: Sequence[Entry], mapping: Mapping[str, str] | None) -> _Found:
    folder = source / "labels" if (source / "labels").is_dir() else source  # as Ultralytics has it
    matching = match_files(folder, [truth.name for truth in truths], (".txt",))
    _warn_of_unread(folder, matching, truths)
    tail = find_tail(list(matching.files.values()))
    read = {
        truth.name: read_yolo(file, truth.content.cells.image_shape, mapping=mapping, tail=tail)
        for truth in truths
        if (file := matching.files.get(truth.name))
    }
    sides = {found.scored: matching.files[name] for name, found in read.items() if found.scored is not None}
    if len(sides) > 1:
        raise InputError(
            f"{sides[True]} has confidences, {sides[False]} has none: write them in all files, or in none"
        )
    looked_for = frozenset(label_of(name, mapping) for name in mapping or {}) & EVERY
    return _Found(
        cells={name: found.cells for name, found in read.items()},
        absent=matching.missing,
        scored=True in sides,
        looked_for=looked_for or EVERY,
        left_over=matching.left_over,
        notes=_yolo_notes(tail, read.values()),
    )


def _yolo_notes(tail: Tail, read: Collection[YoloFile]) -> list[str]:
    notes = (
        [] if tail == "score or none" else ["the whole number at the end of each line is taken for a track"]
    )
    if left_out := sum(file.left_out for file in read):
        notes.append(f"lines of fewer than three vertices, or that cover no pixel, left out: {left_out}")
    if copies := sum(count_copies(file.cells) for file in read):
        notes.append(f"{COPIES}: {copies}")
    return notes


def _place(entry: Entry, found: _Found) -> Entry:
    """The image of the data set with what was found in it."""
    truth = entry.content.cells
    cells = found.cells.get(entry.name, Cells.empty(truth.image_shape))
    if cells.image_shape != truth.image_shape:
        raise InputError(
            f"{entry.name}: predictions for {cells.image_shape} pixels (height, width), but the image has "
            f"{truth.image_shape}: bring them to its scale"
        )
    return replace(entry, content=Content(cells=replace(cells, mpp=truth.mpp), annotated=found.looked_for))


def _explain(found: _Found, images: int) -> str:
    others = f"; files without an image: {_few(found.left_over)}" if found.left_over else ""
    return (
        f"nothing for {len(found.absent)} of {images} images: {_few(found.absent)}{others}. Name files like "
        "their images; if the tool found nothing there and wrote nothing, say --missing empty"
    )


def _notes(found: _Found) -> tuple[str, ...]:
    empty = f"without predictions, taken as empty: {_few(found.absent)}"
    unused = f"for no image of the data set, left out: {_few(found.left_over)}"
    lines = [note for items, note in ((found.absent, empty), (found.left_over, unused)) if items]
    return (*lines, *found.notes)


def _few(items: Sequence[object]) -> str:
    """Names of images, or of files without their folders."""
    return some_of([item.name if isinstance(item, Path) else str(item) for item in items], most=3)
