"""The images on which a method did worst, drawn beside their truth; and the scores of every image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from irnet.cells import LABEL_NAMES, Cells, Cuts, reaching
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.metrics import score_image
from irnet.metrics.ignore import counted
from irnet.metrics.image import ImageScore
from irnet.metrics.match import partners
from irnet.report.colours import LOOSE, colour_cells
from irnet.report.draw import Picture
from irnet.report.flaws import Flaw, flaws, frame_flaws
from irnet.report.page import Table, Value
from irnet.report.pictures import Album, Shown, draw_field, length_um, width_of

MOST = 6  # images that are shown
FIGURES = ("true", "missed", "false", "F1", "AJI")
LIMIT = 6_000_000  # bytes of their pictures


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """An image with its truth, what was found in it, and its scores at the cuts in use."""

    entry: Entry
    found: Cells  # from the cuts on
    score: ImageScore

    @classmethod
    def at(cls, entry: Entry, candidates: Cells, cuts: Cuts) -> ScoredImage:
        """Score what is left of the candidates from the cuts on."""
        found = candidates.select(reaching(candidates, cuts))
        return cls(entry, found, score_image(entry.content, found))

    @property
    def aji(self) -> float | None:
        """Mean over the classes that have one."""
        values = [part.ratios["aji"].value for part in self.score.classes.values()]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None


class WorstImage(NamedTuple):
    """An image that is shown."""

    name: str
    summary: str  # its AJI and what is wrong with it
    pictures: list[tuple[str, Shown]]  # caption and picture


def draw_worst(scored: Sequence[ScoredImage]) -> tuple[list[WorstImage], list[str]]:
    """The images of the lowest AJI that have a flaw, and which of them could not be read."""
    ranked = sorted((one for one in scored if one.aji is not None), key=lambda one: one.aji or 0.0)
    cases, missing = [], []
    album = Album(3 * MOST, LIMIT)

    for one in ranked:
        if len(cases) + len(missing) == MOST:
            break

        known = one.entry.content
        truth, found = counted(known, known.cells), counted(known, one.found)
        if not (listed := flaws(truth, found)):
            continue
        try:
            cases.append(_draw(one, truth, found, listed, album))
        except InputError as error:
            missing.append(str(error))
    return cases, missing


def image_table(scored: Sequence[ScoredImage]) -> Table:
    """The scores of every image."""
    names = list(dict.fromkeys(label for one in scored for label in one.score.classes))
    rows = []
    for one in scored:
        rows.append([one.entry.name, *chain.from_iterable(_figures(one, label) for label in names)])
    columns = ["image", *(f"{LABEL_NAMES[label]} {what}" for label in names for what in FIGURES)]
    return Table(columns=columns, rows=rows)


def _figures(one: ScoredImage, label: int) -> list[Value]:
    if label not in one.score.classes:
        return [None] * len(FIGURES)
    part = one.score.classes[label]
    matched = int(part.ratios["recall"].numerator)
    counts = [part.truths, part.truths - matched, part.predictions - matched]
    return [*counts, part.ratios["f1"].value, part.ratios["aji"].value]


def _draw(one: ScoredImage, truth: Cells, found: Cells, listed: Sequence[Flaw], album: Album) -> WorstImage:
    image = one.entry.read().image
    colours = colour_cells(truth)
    own = np.concatenate([colours, [LOOSE]])[partners(found, truth)]  # NO_PARENT is the last row

    picture = draw_field(image, found, colours=own)
    zoom = max(picture.shape) / max(image.shape)
    drawn: list[tuple[str, Picture]] = [
        ("image", image),
        ("truth", draw_field(image, truth, colours=colours)),
        ("found", frame_flaws(picture, listed, width=round(1.5 * width_of(picture)), zoom=zoom)),
    ]
    shown = [(caption, album.add(picture, length_um(truth))) for caption, picture in drawn]

    kinds = [flaw.kind for flaw in listed]
    summary = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("missed", "false", "poor"))
    return WorstImage(one.entry.name, f"AJI {one.aji:.3f}; {summary}", [(c, s) for c, s in shown if s])
