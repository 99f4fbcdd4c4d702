"""What is asked of annotated images before any work begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.wording import number_of


def need_annotated(entries: Sequence[Entry], data: str | Path) -> None:
    """Raise InputError where a set has no image, or no annotated cell or nucleus in any."""
    if not any(len(entry.content.cells) for entry in entries):
        raise InputError(
            f"{data}: no annotated cell and no nucleus in {number_of(len(entries), 'image')}: annotate some, "
            "name the corrected.json that irnet view exported, or another set"
        )


def need_images(entries: Sequence[Entry], data: str | Path) -> None:
    """Raise InputError where the files of images are missing, and name some."""
    missing = [entry.path for entry in entries if entry.pixels is None and not entry.path.is_file()]
    if missing:
        raise InputError(
            f"{data}: {len(missing)} of {number_of(len(entries), 'image')} missing, such as {missing[0]}: "
            "put them there, or leave them out with irnet data check --fix"
        )
