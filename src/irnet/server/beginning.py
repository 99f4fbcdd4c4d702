"""A data set of images without a cell, to be annotated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from irnet.cells import Cells, Content, check_mpp
from irnet.data.coco.coco import write_coco
from irnet.data.coco.document import load
from irnet.data.coco.run_record import ANNOTATIONS, PREDICTIONS
from irnet.data.files import safe_join, write_atomic
from irnet.data.image import read_image
from irnet.data.listing import list_images
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.progress import each
from irnet.wording import number_of


def begin(images: Sequence[Path], out: Path, mpp: float | None = None) -> str:
    """Write `out`/annotations.json and `out`/images unless they are there; return what was done, for people.

    Raises InputError where images cannot be read or share a name, um per pixel are out of range, or `out`
    holds predictions, or a set of other images.
    """
    check_mpp(mpp)
    if (out / PREDICTIONS).is_file():
        raise InputError(f"{out} holds predictions: correct them with irnet view {out} --assist")
    files = list_images(images)
    names = [file.name for file in files]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{doubled} is the name of several images: rename all but one")
    if (out / ANNOTATIONS).exists():
        return _go_on(out, names, mpp)

    entries = []
    for file in each(files, "copying", lambda file: file.name):
        image = read_image(file)
        cells = Cells.empty(image.pixels.shape[:2], image.mpp if mpp is None else mpp)
        entries.append(Entry(name=file.name, path=file, content=Content(cells=cells)))
        write_atomic(safe_join(out / "images", file.name), file.read_bytes())
    write_coco(out / ANNOTATIONS, entries, info={"description": "annotated by hand"})
    return f"{number_of(len(entries), 'image')} to annotate in {out}"


def _go_on(out: Path, names: Sequence[str], mpp: float | None) -> str:
    rows = load(out / ANNOTATIONS).images
    there = {row["file_name"] for row in rows}
    if missing := sorted(set(names) - there):
        raise InputError(
            f"{out} is a set of {number_of(len(there), 'image')} without {missing[0]}: name a new folder for "
            "other images"
        )
    if mpp is not None and any(row.get("mpp") != mpp for row in rows):
        raise InputError(
            f"{out} was begun with other um per pixel than {mpp:g}: leave --mpp out, or name a new folder"
        )
    return f"going on with {out}, as it was begun"
