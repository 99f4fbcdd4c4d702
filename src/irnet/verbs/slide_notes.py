"""What qc.json of a slide says, as sentences for people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from irnet.data.coco.document import parse
from irnet.errors import InputError
from irnet.verbs.slide_finish import QC
from irnet.wording import number_of

Row = dict[str, Any]


def read_quality(folder: Path) -> Row:
    """qc.json in the folder of a slide. Raises InputError where it is missing or none."""
    path = folder / QC
    if not path.is_file():
        raise InputError(f"{path}: no such file: irnet slide finish writes it")
    said = parse(path)
    if not isinstance(said, dict):
        raise InputError(f"{path}: not of irnet slide: irnet slide finish writes it anew")
    return said


def notes_of(quality: Row) -> list[str]:
    """What a reader should know before the numbers: what is missing first. Unknown entries are left out."""
    windows = quality.get("windows", {})
    failed, missing = windows.get("failed", 0), windows.get("missing", 0)
    notes = []
    if failed or missing:
        notes.append(f"{number_of(failed, 'window')} failed and {missing} not done: cells there are missing")
    reasons = Counter(str(error.get("reason", "")) for error in quality.get("errors", []))
    notes += [f"{reason} ({number_of(count, 'window')})" for reason, count in reasons.most_common()]

    if skipped := quality.get("skipped", 0):
        audited, found = quality.get("audited", 0), quality.get("found_where_nothing_shows", 0)
        notes.append(
            f"{number_of(skipped, 'window')} where nothing shows; {audited} of them were looked at all the "
            f"same, with {found} cells and nuclei in them"
        )
    if cut := quality.get("cut", 0):
        notes.append(f"{cut} cells and nuclei are cut by the edge of their window")
    return notes + [str(note) for note in quality.get("notes", [])]
