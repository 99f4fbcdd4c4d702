"""qc.json of a slide: read and checked, and what it says, as sentences for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from irnet.data.coco.document import parse
from irnet.data.file_names import PLAN
from irnet.errors import InputError
from irnet.slides.instance import AGAIN, damaged
from irnet.verbs.slide_finish import QC
from irnet.wording import number_of


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Windows(_Said):
    failed: NonNegativeInt
    missing: NonNegativeInt


class _Flagged(_Said):
    blurred: NonNegativeInt
    pen: NonNegativeInt
    bubble: NonNegativeInt


class _Pictures(_Said):
    windows_flagged: _Flagged


class _Failure(_Said):
    reason: str


class Quality(_Said):
    """What of qc.json is told to people."""

    reader: str
    notes: list[str]
    windows: _Windows
    skipped: NonNegativeInt
    audited: NonNegativeInt
    found_where_nothing_shows: NonNegativeInt
    cut: NonNegativeInt
    errors: list[_Failure]
    pictures: _Pictures


def read_quality(folder: Path) -> Quality | None:
    """qc.json in the folder of a slide, None where cells.db was given away alone.

    Raises InputError where it is damaged, or is missing beside the plan of the slide.
    """
    path = folder / QC
    if not path.exists():
        if (folder / PLAN).is_file():
            raise InputError(f"{path}: no such file: {AGAIN}")
        return None
    try:
        return Quality.model_validate(parse(path))
    except OSError as error:
        raise damaged(path, error.strerror or error) from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise damaged(path, f"{place}: {problem['msg']}" if place else "no object") from None
    except InputError as error:
        raise damaged(path, str(error).removeprefix(str(path)).lstrip(":, ")) from None


def notes_of(quality: Quality | None) -> list[str]:
    """What a reader should know before the numbers: what is missing first."""
    if quality is None:
        return []
    return [*_on_windows(quality), *_on_pictures(quality.pictures.windows_flagged), *quality.notes]


def _on_windows(quality: Quality) -> Iterator[str]:
    failed, missing = quality.windows.failed, quality.windows.missing
    if failed + missing:
        yield f"{number_of(failed, 'window')} failed, {missing} not done: what lies there is missing"
    reasons = Counter(error.reason for error in quality.errors)
    for reason, count in reasons.most_common():
        yield f"{reason} ({number_of(count, 'window')})"

    if skipped := quality.skipped:
        audited, found = quality.audited, quality.found_where_nothing_shows
        yield (
            f"{number_of(skipped, 'window')} where nothing shows; {audited} of them were looked at all the "
            f"same, and {number_of(found, 'instance')} found there"
        )
    if cut := quality.cut:
        yield f"{number_of(cut, 'instance')} cut by the edge of a window"


def _on_pictures(flagged: _Flagged) -> Iterator[str]:
    told = (
        (flagged.blurred, "blurred"),
        (flagged.pen, "marked by a pen"),
        (flagged.bubble, "partly under air bubbles"),
    )
    for count, what in told:
        if count:
            yield f"{number_of(count, 'window')} {'is' if count == 1 else 'are'} {what}"
