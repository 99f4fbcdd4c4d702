"""The files that a run leaves in its folder: those of an earlier run make way, corrections of them do not."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from irnet.data.coco.document import load
from irnet.data.coco.run_record import RunRecord
from irnet.data.file_names import (
    ANNOTATIONS,
    CELLS,
    ERRORS,
    IMAGES,
    JOURNAL,
    OVERLAYS,
    PREDICTIONS,
    RUN,
    SLIDES_RUN,
)
from irnet.data.files import safe_join
from irnet.errors import InputError
from irnet.morphometry.images import IMAGE_COLUMNS
from irnet.morphometry.table import COLUMNS

MADE_OF_THEM = (CELLS, IMAGES, "cells.parquet", "report.html")  # by irnet measure and irnet report
WRITTEN = (PREDICTIONS, ERRORS, *MADE_OF_THEM)


def refuse_taken(folder: Path) -> None:
    """Raise InputError where a folder holds whole slides, annotations, or corrections of its predictions.

    Nothing shows slides beside images, predictions are read in the place of annotations, and other
    predictions would orphan the corrections.
    """
    if (folder / SLIDES_RUN).exists():
        raise InputError(
            f"{folder}: it holds whole slides (irnet slide): write images to another folder with -o"
        )
    if (truth := folder / ANNOTATIONS).is_file() and load(truth).annotations:
        raise InputError(
            f"{folder}: it holds annotated images ({ANNOTATIONS}), in whose place predictions would be read: "
            "write to another folder with -o"
        )
    if (journal := folder / JOURNAL).exists():
        raise InputError(
            f"{journal} corrects the predictions in {folder}, which would be replaced: "
            "write to another folder with -o, or export the corrections with irnet view and move it away"
        )


def refuse_foreign_tables(files: Iterable[Path]) -> None:
    """Raise InputError where a table of somebody else has the name of one that is to be written."""
    for file in files:
        if _is_foreign_table(file):
            raise InputError(
                f"{file} is there, with other columns than irnet writes, and would be written over: rename "
                "it, or write to another folder"
            )


def _is_foreign_table(file: Path) -> bool:
    """Whether there is a table that lacks most columns of cells.csv and images.csv, or has others.

    A spreadsheet may have parted them by something else; columns may be new since it was written.
    """
    try:
        with open(file, encoding="utf-8-sig", errors="replace") as lines:
            columns = {name.strip('"') for name in re.split("[,;\t]", lines.readline(10_000).strip())}
    except OSError:
        return file.exists()
    known = [{*names} for names in (IMAGE_COLUMNS, COLUMNS)]
    return not any(columns <= names and 2 * len(columns) > len(names) for names in known)


def remove_earlier(folder: Path, *, but: Collection[str] = ()) -> None:
    """Remove what an earlier run wrote to a folder, and what was made of it; its record goes last.

    What the record lists and no run writes stays, and the files `but`. A folder whose record lists no files,
    or cannot be read, loses nothing but the record.
    """
    with contextlib.suppress(InputError):
        listed = {name: safe_join(folder, name) for name in RunRecord.read(folder).files}
        drawn = {name: path for name, path in listed.items() if _is_overlay(name)}
        ours = {**{name: folder / name for name in WRITTEN}, **drawn} if listed else {}
        foreign = [name for name in (CELLS, IMAGES) if _is_foreign_table(folder / name)]
        for path in (path for name, path in ours.items() if name not in (*but, *foreign)):
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # it goes on up to the first folder that is not empty
                os.removedirs(path.parent)
    (folder / RUN).unlink(missing_ok=True)


def _is_overlay(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[0:1] == (OVERLAYS,) and path.suffix == ".png"
