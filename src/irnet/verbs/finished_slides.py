"""The slides of a folder that are finished, and why others are left out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from irnet.errors import InputError
from irnet.slides.reading import find_stores, open_store
from irnet.wording import number_of


class FinishedSlides(NamedTuple):
    """The cells.db of each finished slide, in the order of the plan."""

    paths: list[Path]
    left_out: list[str]  # why, with file and remedy


def finished_slides(source: str | Path) -> FinishedSlides:
    """Those of a folder of `irnet slide`, the one of a slide's folder in it, or the one of a cells.db.

    A slide without a cells.db that can be read is left out. Raises InputError where none is left.
    """
    found = FinishedSlides([], [])
    for path in find_stores(source):
        try:
            open_store(path).close()
        except InputError as error:
            found.left_out.append(str(error))
        else:
            found.paths.append(path)

    if not found.paths:
        of_several = f"none of {number_of(len(found.left_out), 'slide')} is finished: "
        raise InputError((of_several if len(found.left_out) > 1 else "") + found.left_out[0])
    return found
