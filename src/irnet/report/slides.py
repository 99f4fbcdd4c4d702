"""The page of whole slides: a row a slide, what is wrong with each, where cells lie, a gallery of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.report.draw import Picture
from irnet.report.figure import add_scale_bar
from irnet.report.measures import title_of
from irnet.report.page import Table, Value, render
from irnet.report.pictures import Shown, to_jpeg

OVERVIEW = 900  # px of the longer side of the picture of a slide
_GROUND = 238  # grey where there is no picture
_DENSE = np.array((0, 114, 178), dtype=np.float32)  # blue, told from both stains
_STRONGEST = 0.6
_ANSWERS = {"at_least_5000_cells": ("no", "yes")}


@dataclass(frozen=True)
class CellFigure:
    """A cell or nucleus of the gallery."""

    name: str  # its id, with that of the slide
    label: str
    reasons: Sequence[str]  # why it was chosen
    measures: Mapping[str, float | None]
    shown: Shown | None  # None where its slide could not be read


@dataclass(frozen=True, eq=False)
class SlideFigure:
    """A slide on the page."""

    name: str
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]  # what a reader should know before the numbers
    pictures: Sequence[tuple[str, Shown]]  # caption and picture
    cells: Sequence[CellFigure]
    problem: str | None = None  # why there are no pictures of it


def slides_page(
    slides: Sequence[SlideFigure],
    rows: Sequence[Mapping[str, Value]],
    *,
    title: str,
    headline: Sequence[tuple[str, str]],
    chosen: str,
    provenance: Sequence[tuple[str, str]],
) -> str:
    """The page of slides; `rows` are those of slides.csv, and `chosen` says how the cells were."""
    measures = dict.fromkeys(name for slide in slides for cell in slide.cells for name in cell.measures)
    return render(
        "slides.html",
        title=title,
        headline=headline,
        table=_table(rows),
        slides=slides,
        measures=[(name, title_of(name)) for name in measures],
        chosen=chosen,
        provenance=provenance,
    )


def draw_density(picture: Picture | None, squares: NDArray[np.floating], shape: tuple[int, int]) -> Picture:
    """How many cells lie where, over a picture (h, w, 3) of `shape`, or over grey where there is none.

    `squares` (t, 5) are x1, y1, x2, y2 in px of the picture, and a number; the colour is strongest at the
    highest.
    """
    drawn = np.full((*shape, 3), _GROUND, np.float32) if picture is None else picture.astype(np.float32)
    most = max(1.0, float(squares[:, 4].max(initial=0)))
    for x1, y1, x2, y2, number in squares.tolist():
        part = drawn[round(y1) : max(round(y2), round(y1) + 1), round(x1) : max(round(x2), round(x1) + 1)]
        part += (_DENSE - part) * (_STRONGEST * number / most)
    return np.round(drawn).astype(np.uint8)


def show_overview(picture: Picture, mpp: float) -> Shown:
    """A picture of a whole slide of `mpp` um per pixel, with a scale bar."""
    return to_jpeg(add_scale_bar(picture, mpp))


def _table(rows: Sequence[Mapping[str, Value]]) -> Table:
    columns = list(rows[0]) if rows else []
    listed = [[_answer(name, row.get(name)) for name in columns] for row in rows]
    return Table(columns=[title_of(name) for name in columns], rows=listed)


def _answer(column: str, value: Value) -> Value:
    if column in _ANSWERS and value in (0, 1):
        return _ANSWERS[column][int(value)]
    return value
