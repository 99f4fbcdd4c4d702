"""A data set of images without a cell, to be annotated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from irnet.cells import Cells, Content
from irnet.conventions import check_mpp
from irnet.data.coco.coco import write_coco
from irnet.data.coco.document import Row, load
from irnet.data.coco.run_record import RunRecord
from irnet.data.file_names import ANNOTATIONS, ERRORS, PREDICTIONS
from irnet.data.files import as_json, refuse_losing, safe_join, write_atomic
from irnet.data.image import read_image
from irnet.data.listing import list_images
from irnet.data.sample import Entry
from irnet.errors import DONE, DONE_WITH_ERRORS, InputError
from irnet.progress import each
from irnet.wording import command, number_of


class Begun(NamedTuple):
    """A set that can be annotated."""

    lines: list[str]  # what was done, and what was not, for people
    exit_code: int  # 0 all done, 3 done except for the images in errors.json


def begin(images: Sequence[Path], out: Path, mpp: float | None = None) -> Begun:
    """Write `out`/annotations.json and `out`/images unless they are there.

    Images that cannot be read are left out; `out`/errors.json says why. Raises InputError where that leaves
    none or two share a name, um per pixel are out of range, or `out` holds predictions, or a set of other
    images.
    """
    check_mpp(mpp)
    if (out / PREDICTIONS).is_file():
        raise InputError(f"{out} holds predictions: correct them with {command('view', out, '--assist')}")
    files = list_images(images)
    names = [file.name for file in files]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{doubled} is the name of several images: rename all but one")
    for file in files:
        refuse_losing(safe_join(out / "images", file.name), file.read_bytes)
    if (out / ANNOTATIONS).exists():
        return _go_on(out, files, mpp)

    entries, errors = [], []
    for file in each(files, "copying", lambda file: file.name):
        try:
            image = read_image(file)
        except InputError as error:
            errors.append({"file": str(file), "error": str(error)})
            continue
        cells = Cells.empty(image.pixels.shape[:2], image.mpp if mpp is None else mpp)
        entries.append(Entry(name=file.name, path=file, content=Content(cells=cells)))
        write_atomic(safe_join(out / "images", file.name), file.read_bytes())

    if not entries:
        raise InputError(f"none of {number_of(len(errors), 'image')} can be read: {errors[0]['error']}")
    write_atomic(out / ERRORS, as_json(errors))
    write_coco(out / ANNOTATIONS, entries, info={"description": "annotated by hand"})
    return _told(f"{number_of(len(entries), 'image')} to annotate in {out}", errors)


def _told(what: str, errors: Sequence[Row]) -> Begun:
    left_out = [f"left out: {row['error']}" for row in errors]
    return Begun([*left_out, what], DONE_WITH_ERRORS if errors else DONE)


def _go_on(out: Path, files: Sequence[Path], mpp: float | None) -> Begun:
    rows = load(out / ANNOTATIONS).images
    there = {row["file_name"] for row in rows}
    known = RunRecord.read(out).errors
    before = {row["file"] for row in known}
    if missing := sorted(file.name for file in files if file.name not in there and str(file) not in before):
        raise InputError(
            f"{out} is a set of {number_of(len(there), 'image')} without {missing[0]}: name a new folder for "
            "other images"
        )
    if mpp is not None and any(row.get("mpp") != mpp for row in rows):
        raise InputError(
            f"{out} was begun with other um per pixel than {mpp:g}: leave --mpp out, or name a new folder"
        )
    asked = {str(file) for file in files}
    left_out = [_looked_at_again(row) for row in known if row["file"] in asked]
    return _told(f"going on with {out}, as it was begun", left_out)


def _looked_at_again(row: Row) -> Row:
    """The row of an image that was left out, and what to do where it can be read now."""
    try:
        read_image(row["file"])
    except InputError:
        return row
    return row | {"error": f"{row['file']} can be read now: name a new folder for it"}
