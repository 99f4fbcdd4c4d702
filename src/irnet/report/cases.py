"""Cases of a page: places in images that are shown one by one, in words and in pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from irnet.cells import Cells
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry.boxes import Boxes
from irnet.progress import each
from irnet.report.close_up import Colour
from irnet.report.draw import Picture
from irnet.report.pictures import Shown

TRUE: Colour = (118, 255, 3)  # contours of truths that a case is about
FOUND: Colour = (255, 61, 0)  # of predictions


class HoldsEntry(Protocol):
    """An image with what was found in it."""

    @property
    def entry(self) -> Entry: ...


_Image = TypeVar("_Image", bound=HoldsEntry)
_What = TypeVar("_What")
Draw = Callable[[Picture, _Image, _What], list[tuple[str, Shown]]]


@dataclass(eq=False)
class Case:
    """A place in words and, where its image could be read, in pictures."""

    name: str  # of the image
    place: str
    text: str
    ids: str = ""  # the numbers of what it is about
    pictures: list[tuple[str, Shown]] = field(default_factory=list)  # caption and picture


def add_pictures(
    images: Sequence[_Image],
    chosen: Sequence[tuple[int, _What]],
    cases: Sequence[Case],
    draw: Draw[_Image, _What],
) -> list[str]:
    """Give the cases their pictures, reading each image once. Returns what could not be read, and why.

    `chosen` is of each case the number of its image, and what there is to `draw`.
    """
    problems = []
    for number in each(sorted({n for n, _ in chosen}), "drawing", lambda n: images[n].entry.name):
        try:
            picture = images[number].entry.read().image
        except InputError as error:
            problems.append(str(error))
            continue

        for (mine, what), case in zip(chosen, cases, strict=True):
            if mine == number:
                case.pictures = draw(picture, images[number], what)
    return problems


def place_of(boxes: Boxes) -> str:
    """The middle of what boxes (k, 4) span, px of the image."""
    x, y = np.round((boxes[:, :2].min(axis=0) + boxes[:, 2:].max(axis=0)) / 2).astype(int)
    return f"x {x}, y {y}"


def name_ids(sides: Mapping[str, Sequence[int]]) -> str:
    """The numbers of instances as people see them.

    >>> name_ids({"true": [3], "found": [17, 18], "other": []})
    'true #3, found #17 #18'
    """
    said = []
    for side, numbers in sides.items():
        if numbers:
            said.append(" ".join([side, *(f"#{number}" for number in numbers)]))
    return ", ".join(said)


def apart(cells: Cells, label: int, chosen: Sequence[int]) -> tuple[Cells, Cells]:
    """The other cells of a class, and the chosen ones, in their order."""
    others = cells.labels == label
    others[list(chosen)] = False
    return cells.select(others), cells.select(list(chosen))
