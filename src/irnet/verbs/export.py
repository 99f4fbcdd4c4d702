"""`irnet export`: what was found, in the formats of other tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from irnet.data.beside import name_files
from irnet.data.coco.document import parse
from irnet.data.coco.found import read_found
from irnet.data.coco.location import is_of_slides
from irnet.data.coco.run_record import made_from
from irnet.data.files import as_json, refuse_losing, remove_drafts, safe_join, sha256, write_atomic
from irnet.data.formats import cvat, imagej, labelme, labels, qupath, qupath_geometry
from irnet.data.formats.qupath_names import name_measurements
from irnet.data.image import orientation
from irnet.data.locking import writing
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.morphometry.parquet import check_parquet, to_parquet
from irnet.morphometry.table import Row, encode_csv, to_csv
from irnet.progress import each
from irnet.verbs.exported import Exported
from irnet.verbs.measure import measure_entry, measured_by_run
from irnet.verbs.slide_export import FORMATS as SLIDE_FORMATS
from irnet.verbs.slide_export import export_slides
from irnet.wording import number_of

FORMATS = ("qupath", "imagej", "labelme", "cvat", "csv", "parquet", "labels")
STYLES = {  # the first is the default
    "qupath": ("cells", "annotations"),
    "labelme": ("polygons", "masks"),
    "cvat": ("masks", "polygons"),
}
TARGETS = {  # what the names of an image's files end in
    "qupath": (qupath.SUFFIX,),
    "imagej": (imagej.SUFFIX,),
    "labelme": (labelme.SUFFIX,),
    "labels": (labels.CELLS, labels.NUCLEI),
}
WHOLE = {  # the one file of all images
    "cvat": f"annotations{cvat.SUFFIX}",
    "csv": "cells.csv",
    "parquet": "cells.parquet",
}
RECORD = ".irnet-export.json"  # SHA-256 of each file of an export that may be replaced
MEASURED = ("qupath", "csv", "parquet")  # what holds measurements
AS_STORED = {"qupath": "QuPath", "imagej": "ImageJ"}  # they obey no orientation tag


def export(
    source: str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    style: str | None = None,
    replace: bool = False,
) -> Exported:
    """Write what was found to a folder.

    Args:
        source: folder of `irnet predict` or of whole slides, data set or COCO file.
        to: one of FORMATS.
        out: folder to write to, None for one named `to` beside it (of corrected.json: corrected-qupath).
        style: one of the format's STYLES, None for its first.
        replace: write over the files of an earlier export, unless they were changed since.

    Raises:
        InputError: the source, the format or the style is wrong, an extra is missing, a file to write or
            another image of a name is there already, or another writer; nothing is written then.
    """
    known = SLIDE_FORMATS if is_of_slides(Path(source)) else FORMATS
    if to not in known:
        whole = " of whole slides" if known is SLIDE_FORMATS else ""
        raise InputError(f"{source}: format {to!r}{whole} is not written: choose one of {', '.join(known)}")
    styles = STYLES.get(to, ())
    if style is not None and style not in styles:
        choice = f"choose one of {', '.join(styles)}" if styles else f"{to} has only one form: leave it out"
        raise InputError(f"--as {style}: {choice}")

    if known is SLIDE_FORMATS:
        style = style or next(iter(styles), "")
        return export_slides(source, to, None if out is None else Path(out), style=style, replace=replace)

    _NEEDS.get(to, lambda: None)()
    entries = read_found(source)
    done = Exported(made_from(source, to) if out is None else Path(out), len(entries))

    done.measured = measured_by_run(source, entries) if to in MEASURED else {}
    done.notes += _losses(entries, source, to)

    with writing(done.folder, "irnet export"):
        targets = _targets(entries, done, to)
        copies = [safe_join(done.folder, entry.name) for entry in entries] if to == "labelme" else []
        _refuse_doubled([*targets, *copies])
        if replace:
            _refuse_changed(targets, done.folder)
        else:
            _refuse_replacing(targets)
        for entry, copy in zip(entries, copies, strict=False):
            if entry.path.is_file():
                refuse_losing(copy, entry.copy)

        try:
            _WRITERS[to](entries, done, style or next(iter(styles), ""))
        finally:
            if replace:  # each file is whole, the earlier one or the new one
                _remember(targets, done.folder)
        remove_drafts({done.folder, *(file.parent for file in (*targets, *copies))})
    return done


def _losses(entries: Sequence[Entry], source: str | Path, to: str) -> list[str]:
    """What is left out, or shown otherwise than it was read."""
    notes = []
    if regions := sum(len(entry.content.ignore) for entry in entries if entry.content.ignore is not None):
        notes.append(f"{number_of(regions, 'region')} to ignore not written")
    if points := sum(len(entry.content.points) for entry in entries):
        notes.append(f"{number_of(points, 'marked point')} not written")
    if to in AS_STORED:
        notes += _turned(entries, AS_STORED[to])
    if not any(len(entry.content.cells) for entry in entries):
        notes.append(f"{source}: no cell and no nucleus in {number_of(len(entries), 'image')}")
    return notes


def _write_qupath(entries: Sequence[Entry], done: Exported, style: str) -> None:
    for entry, path in _each(entries, done, qupath.SUFFIX):
        if style == "annotations":
            qupath.write(path, entry, style="annotations")
        else:
            rows = name_measurements(_measure(entry, done))
            if apart := qupath.write(path, entry, measurements=rows):
                of = f"{entry.name}: {number_of(apart, 'object')} beside the cell's"
                done.notes.append(f"{of}: nuclei that touch another of their cell")


def _write_imagej(entries: Sequence[Entry], done: Exported, style: str) -> None:
    for entry, path in _each(entries, done, imagej.SUFFIX):
        imagej.write(path, entry)


def _write_labelme(entries: Sequence[Entry], done: Exported, style: str) -> None:
    for entry, path in _each(entries, done, labelme.SUFFIX):
        labelme.write(path, entry, style="masks" if style == "masks" else "polygons")
        image = safe_join(done.folder, entry.name)
        try:
            content = entry.copy()
        except InputError as error:
            done.errors.append(f"{entry.name}: labelme needs it as {image}, but it was not copied: {error}")
            continue
        if not image.exists():  # that it is the same was checked
            write_atomic(image, content)


def _write_cvat(entries: Sequence[Entry], done: Exported, style: str) -> None:
    path = done.folder / WHOLE["cvat"]
    cvat.write(path, entries, style="polygons" if style == "polygons" else "masks")


def _write_labels(entries: Sequence[Entry], done: Exported, style: str) -> None:
    total = 0
    for entry, stem in _each(entries, done, ""):
        lost = labels.write(stem, entry.content.cells)
        total += lost.pixels
        areas = int(entry.content.cells.areas.sum())
        done.notes += [f"{entry.name}: {line}" for line in lost.lines(areas)]
    if total:
        done.notes.append(f"a label map has one instance a pixel: {total:,} px of overlap are lost in all")


def _write_csv(entries: Sequence[Entry], done: Exported, style: str) -> None:
    rows = _table(entries, done)
    write_atomic(done.folder / WHOLE["csv"], encode_csv(to_csv(rows)))


def _write_parquet(entries: Sequence[Entry], done: Exported, style: str) -> None:
    rows = _table(entries, done)
    write_atomic(done.folder / WHOLE["parquet"], to_parquet(rows))


_WRITERS = {
    "qupath": _write_qupath,
    "imagej": _write_imagej,
    "labelme": _write_labelme,
    "cvat": _write_cvat,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "labels": _write_labels,
}


_NEEDS = {"imagej": imagej.check, "qupath": qupath_geometry.check, "parquet": check_parquet}  # extras


def _targets(entries: Sequence[Entry], done: Exported, to: str) -> list[Path]:
    """The files that will be written, except for copies of images."""
    if to in WHOLE:
        return [done.folder / WHOLE[to]]
    return [path for suffix in TARGETS[to] for path in _files(entries, done, suffix)]


def _turned(entries: Sequence[Entry], tool: str) -> list[str]:
    """A note for each image whose file a tool shows otherwise than it was read."""
    tags = {entry.name: orientation(entry.path) for entry in entries}
    return [
        f"{name}: turned upright (EXIF orientation {tag}), but {tool} shows the file as it is stored: open "
        "an upright copy there"
        for name, tag in tags.items()
        if tag != 1
    ]


def _refuse_replacing(files: Sequence[Path]) -> None:
    """Raise InputError where files are there already: they may have been corrected by hand since."""
    if there := [file for file in files if file.exists()]:
        more = f" and {len(there) - 1} more are" if len(there) > 1 else " is"
        raise InputError(
            f"{there[0]}{more} there already, perhaps corrected since: write to another folder with -o, "
            "or move the old files away"
        )


def _refuse_changed(files: Sequence[Path], folder: Path) -> None:
    """Raise InputError where a file is there and is not as `_remember` saw it."""
    known = _remembered(folder)
    for file in files:
        if file.exists() and known.get(file.relative_to(folder).as_posix()) != sha256(file):
            raise InputError(
                f"{file} was changed after it was exported, or written by something else: move it away, and "
                "export again"
            )


def _remember(files: Sequence[Path], folder: Path) -> None:
    """Keep what was written, and what was before, so that it may be replaced as long as nobody changes it."""
    written = {file.relative_to(folder).as_posix(): sha256(file) for file in files if file.exists()}
    write_atomic(folder / RECORD, as_json(_remembered(folder) | written))


def _remembered(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of earlier exports, by their names in the folder."""
    return parse(folder / RECORD) if (folder / RECORD).is_file() else {}


def _refuse_doubled(files: Sequence[Path]) -> None:
    """Raise InputError where two of them would be one; some file systems know no case."""
    count = Counter(str(file).lower() for file in files)
    if doubled := [file for file in files if count[str(file).lower()] > 1]:
        raise InputError(f"{doubled[0]}: two images, or an image and its cells, need this name: rename one")


def _files(entries: Sequence[Entry], done: Exported, suffix: str) -> list[Path]:
    """The file for each image."""
    return [safe_join(done.folder, name) for name in name_files([e.name for e in entries], suffix)]


def _each(entries: Sequence[Entry], done: Exported, suffix: str) -> Iterator[tuple[Entry, Path]]:
    """The images, one after the other, each with the file for it."""
    pairs = list(zip(entries, _files(entries, done, suffix), strict=True))
    return each(pairs, "writing", lambda pair: pair[0].name)


def _table(entries: Sequence[Entry], done: Exported) -> list[Row]:
    return [row for entry, _ in _each(entries, done, "") for row in _measure(entry, done)]


def _measure(entry: Entry, done: Exported) -> list[Row]:
    """The rows of an image; without its pixels there is no stain."""
    if entry.name in done.measured:
        return done.measured[entry.name]
    rows, error = measure_entry(entry)
    done.errors += [error] if error else []
    return rows
