"""The files that a run leaves in its folder: those of an earlier run make way, corrections of them do not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from irnet.data.files import safe_join
from irnet.data.formats.run_record import JOURNAL, RunRecord
from irnet.errors import InputError

MADE_OF_THEM = ("cells.csv", "cells.parquet", "report.html")  # by irnet measure and irnet report


def refuse_corrected(folder: Path) -> None:
    """Raise InputError where what a folder holds was corrected: other predictions would orphan that."""
    if (journal := folder / JOURNAL).exists():
        raise InputError(
            f"{journal} corrects the predictions in {folder}, which would be replaced: "
            "write to another folder with -o, or export the corrections with irnet view and move it away"
        )


def remove_earlier(folder: Path, written: Collection[str]) -> None:
    """Remove what an earlier run wrote to a folder, and what was made of it, but for the names in `written`.

    A folder whose record lists no files, or cannot be read, is left as it is.
    """
    try:
        files = RunRecord.read(folder).files
        stale = [safe_join(folder, name) for name in {*files, *MADE_OF_THEM} - set(written)] if files else []
    except InputError:
        return
    for path in stale:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it goes on up to the first folder that is not empty
            os.removedirs(path.parent)
