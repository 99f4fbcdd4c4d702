"""What qc.json of a slide says, as sentences for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from irnet.data.coco.document import parse
from irnet.errors import InputError
from irnet.verbs.slide_finish import QC
from irnet.wording import number_of

Row = dict[str, Any]


def read_quality(folder: Path) -> Row:
    """qc.json in the folder of a slide, nothing where cells.db was given away alone. Raises InputError."""
    path = folder / QC
    if not path.is_file():
        return {}
    said = parse(path)
    if not isinstance(said, dict):
        raise InputError(f"{path}: not of irnet slide: irnet slide finish writes it anew")
    return said


def notes_of(quality: Row) -> list[str]:
    """What a reader should know before the numbers: what is missing first. Raises InputError."""
    try:
        return [*_on_windows(quality), *_on_pictures(quality), *map(str, quality.get("notes", []))]
    except (AttributeError, TypeError) as error:
        raise InputError(f"{QC}: not of irnet slide ({error}): irnet slide finish writes it anew") from None


def _on_windows(quality: Row) -> Iterator[str]:
    windows = quality.get("windows", {})
    failed, missing = windows.get("failed", 0), windows.get("missing", 0)
    if failed + missing:
        yield f"{number_of(failed, 'window')} failed, {missing} not done: what lies there is missing"
    reasons = Counter(str(error.get("reason", "")) for error in quality.get("errors", []))
    for reason, count in reasons.most_common():
        yield f"{reason} ({number_of(count, 'window')})"

    if skipped := quality.get("skipped", 0):
        audited, found = quality.get("audited", 0), quality.get("found_where_nothing_shows", 0)
        yield (
            f"{number_of(skipped, 'window')} where nothing shows; {audited} of them were looked at all the "
            f"same, and {found} cells and nuclei found there"
        )
    if cut := quality.get("cut", 0):
        yield f"{cut} cells and nuclei are cut by the edge of their window"


def _on_pictures(quality: Row) -> Iterator[str]:
    flagged = quality.get("pictures", {}).get("windows_flagged", {})
    for flag, what in (("blurred", "blurred"), ("pen", "marked by a pen")):
        if count := flagged.get(flag, 0):
            yield f"{number_of(count, 'window')} {'is' if count == 1 else 'are'} {what}"
