"""What a user says of own images, where their files do not: um per pixel, and the patient of each."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from irnet.conventions import check_mpp
from irnet.data.image import header_mpp
from irnet.data.nucleus_size import doubt_mpp
from irnet.data.patients import read_patients
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.wording import number_of

SAME = 0.01  # scales that differ by less are one

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OwnData:
    """What holds for all images of a set.

    Args:
        mpp: um per pixel; None is what the files say.
        patients: a table or a pattern of names (`patients.read_patients`); None is what the files say.
    """

    mpp: float | None = None
    patients: str | None = None

    def complete(self, entries: Sequence[Entry], source: str | Path) -> list[Entry]:
        """The images with what is said of them. Warned is of what the files, or the nuclei, say against it.

        Raises InputError where um per pixel are no microscope's, or an image has no patient.
        """
        check_mpp(self.mpp)
        completed = list(entries)
        if self.patients is not None:
            patients = read_patients(self.patients, [entry.name for entry in entries])
            _warn_of_other_patients(entries, patients, source)
            completed = [replace(entry, patient=patients[entry.name]) for entry in completed]
        if self.mpp is not None:
            _warn_of_other_scales(entries, self.mpp, source)
            completed = [_scaled(entry, self.mpp) for entry in completed]

        for doubt in doubt_mpp(*(entry.content.cells for entry in completed)):
            _logger.warning("%s: %s", source, doubt)
        return completed


def stated_mpp(entry: Entry) -> float | None:
    """Um per pixel that the data set, or else the header of the image's file, states."""
    if entry.content.cells.mpp is not None or entry.pixels is not None:
        return entry.content.cells.mpp
    try:
        return header_mpp(entry.path, entry.page)
    except InputError:  # gone or damaged: whoever reads it says so
        return None


def contradiction(given: float | None, stated: float | None) -> str | None:
    """What to say where um per pixel are given and others stated.

    >>> contradiction(0.25, 0.5), contradiction(0.25, 0.2501)
    ('mpp 0.25 is taken, and not the 0.5 um per pixel stated', None)
    """
    if given is None or stated is None or math.isclose(given, stated, rel_tol=SAME):
        return None
    return f"mpp {given:g} is taken, and not the {stated:g} um per pixel stated"


def _warn_of_other_scales(entries: Sequence[Entry], mpp: float, source: str | Path) -> None:
    said = {entry.name: contradiction(mpp, stated_mpp(entry)) for entry in entries}
    for note, count in Counter(filter(None, said.values())).items():
        example = next(name for name, text in said.items() if text == note)
        _logger.warning("%s: %s of %s, such as %s", source, note, number_of(count, "image"), example)


def _warn_of_other_patients(entries: Sequence[Entry], patients: dict[str, str], source: str | Path) -> None:
    other = [entry for entry in entries if entry.patient not in (None, patients[entry.name])]
    if other:
        name, before = other[0].name, other[0].patient
        _logger.warning(
            "%s: --patients is taken, and not the patient stated of %s, such as %s of %s",
            source,
            number_of(len(other), "image"),
            before,
            name,
        )


def _scaled(entry: Entry, mpp: float) -> Entry:
    content = entry.content
    ignore = None if content.ignore is None else replace(content.ignore, mpp=mpp)
    cells = replace(content.cells, mpp=mpp)
    return replace(entry, content=replace(content, cells=cells, ignore=ignore))
