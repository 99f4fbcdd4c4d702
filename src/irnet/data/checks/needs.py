"""What is asked of annotated images before any work begins."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from irnet.data.coco.document import load
from irnet.data.coco.location import locate
from irnet.data.coco.rows import is_proposed
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.wording import number_of

_logger = logging.getLogger(__name__)


def need_annotated(entries: Sequence[Entry], data: str | Path) -> None:
    """Raise InputError where a set has no image, or no annotated cell or nucleus in any."""
    if any(has_annotated(entry) for entry in entries):
        return
    nothing = f"{data}: no annotated cell and no nucleus in {number_of(len(entries), 'image')}"
    if any(is_marked(entry) for entry in entries):
        raise InputError(
            f"{nothing}: points are no outlines, and an image with points counts as not annotated: name the "
            "classes that are outlined in its annotated_categories, or train on points with --unlabelled"
        )
    if entries and not any(entry.scored for entry in entries):
        raise InputError(
            f"{nothing}: nobody accepted or drew any, or finished an image: do so in irnet view (A accepts, "
            "Shift A finishes an image) and export again"
        )
    raise InputError(
        f"{nothing}: annotate some, name the corrected.json that irnet view exported, or another set"
    )


def has_annotated(entry: Entry) -> bool:
    """Whether there is an instance of a class that was annotated."""
    return bool(np.isin(entry.content.cells.labels, [*entry.content.annotated]).any())


def is_marked(entry: Entry) -> bool:
    """Whether an image has points, and counts as not annotated for it."""
    return bool(entry.content.points) and not entry.content.annotated


def take_scored(entries: Sequence[Entry], data: str | Path) -> list[Entry]:
    """The images of a set in which finds can be right or wrong; warns of the others, and of missing patients.

    Raises InputError where there is none, or nothing is annotated in them.
    """
    need_annotated(entries, data)
    scored = [entry for entry in entries if entry.scored]
    if left := len(entries) - len(scored):
        if not scored:
            raise InputError(
                f"{data}: nobody finished any of {number_of(left, 'image')}, so that nothing can be scored: "
                "finish some in irnet view (Shift A) and export again"
            )
        _logger.warning("%s: nothing is scored in %s of %d", data, number_of(left, "image"), len(entries))
        need_annotated(scored, data)

    nameless = sum(entry.patient is None for entry in scored)
    if 0 < nameless < len(scored):
        _logger.warning(
            "%s: %d of %s name no patient: each counts as a patient of its own, and intervals are too "
            "narrow if it is not; --patients says whose they are",
            data,
            nameless,
            number_of(len(scored), "image"),
        )
    return scored


def warn_of_found(data: str | Path) -> None:
    """Warn where every instance of a data set is a prediction that nobody accepted. Raises InputError."""
    document = load(locate(data))
    begun = any(row.get("finished") is False for row in document.images)
    rows = document.annotations
    if rows and not begun and all(is_proposed(row) for row in rows):
        _logger.warning(
            "%s: holds what a method found, which is taken for the truth: name annotated images, or correct "
            "it in irnet view",
            data,
        )


def need_images(entries: Sequence[Entry], data: str | Path) -> None:
    """Raise InputError where the files of images are missing, and name some."""
    missing = [entry.path for entry in entries if entry.pixels is None and not entry.path.is_file()]
    if missing:
        raise InputError(
            f"{data}: {len(missing)} of {number_of(len(entries), 'image')} missing, such as {missing[0]}: "
            "put them there, or leave them out with irnet data check --fix"
        )
