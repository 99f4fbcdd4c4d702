"""The page of two methods on the same images: scores side by side, and the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from markupsafe import Markup, escape

from irnet.cells import LABEL_NAMES, Cells, Content, Cuts
from irnet.data.sample import Entry
from irnet.metrics.changes import CHANGES, FALSE, UNFALSE, Change, ChangeCounts, find_changes
from irnet.metrics.ignore import counted
from irnet.metrics.paired import Comparison, PairedScore
from irnet.metrics.statistics import Estimate
from irnet.metrics.table import signed
from irnet.report.cases import FOUND, TRUE, Case, add_pictures, apart, name_ids, place_of
from irnet.report.close_up import BOLD, PALE, ROOM, THIN, CloseUp, DrawnCells
from irnet.report.draw import Picture
from irnet.report.mistakes import MOST, in_turn, numbers_of
from irnet.report.page import Table, Value, render
from irnet.report.pictures import Shown
from irnet.wording import number_and_noun

SIDES = ("A", "B")


@dataclass(frozen=True, eq=False)
class TwiceFound:
    """An image with its truth, what two methods found in it, and what differs."""

    entry: Entry
    truths: Cells
    finds: tuple[Cells, Cells]  # of A and B, those that are scored
    changes: list[Change]
    truth_numbers: tuple[int, ...]
    numbers: tuple[tuple[int, ...], ...]  # of the finds, none where they stand in no file

    @classmethod
    def of(
        cls,
        entry: Entry,
        truth: Content,
        cells: Sequence[Cells],
        cuts: Sequence[Cuts | None],
        known: Sequence[Content | None],
    ) -> Self:
        """Hold what A and B found against `truth`; `known` is what files say of it."""
        truths = counted(truth, truth.cells)
        first, second = (counted(truth, found, cut) for found, cut in zip(cells, cuts, strict=True))
        pairs = zip((first, second), known, strict=True)
        return cls(
            entry,
            truths,
            (first, second),
            find_changes(truths, first, second),
            numbers_of(truths, truth),
            tuple(numbers_of(found, said) if said else () for found, said in pairs),
        )


def comparison_page(
    images: Sequence[TwiceFound],
    comparison: Comparison,
    counts: ChangeCounts,
    *,
    names: tuple[str, str],
    data: str,
    provenance: Sequence[tuple[str, str]],
) -> str:
    """The page of two methods of these names; without a picture a change is described in words alone."""
    chosen = _choose(images)
    cases = [_describe(images[number], change) for number, change in chosen]
    problems = add_pictures(images, chosen, cases, _draw)

    groups: dict[str, list[Case]] = {kind: [] for kind in CHANGES if any(counts[kind].values())}
    for (_, change), case in zip(chosen, cases, strict=True):
        groups[change.kind].append(case)

    return render(
        "comparison.html",
        title="Comparison",
        names=names,
        data=data,
        headline=_headline(comparison),
        intervals=f"{comparison.intervals[0].upper()}{comparison.intervals[1:]}.",
        remarks=comparison.remarks,
        tables=[_score_table(title, scores) for title, scores in comparison.tables()],
        counts=_count_table(counts),
        totals={kind: sum(by.values()) for kind, by in counts.items()},
        meanings=CHANGES,
        groups=list(groups.items()),
        shown=len(cases),
        problems=problems,
        provenance=provenance,
    )


def _headline(comparison: Comparison) -> list[tuple[str, str]]:
    numbers = [number_and_noun(comparison.images, "image")]
    numbers += [number_and_noun(comparison.patients, "patient")] if comparison.patients else []
    for name, scores in comparison.classes.items():
        for title, score in (("F1", "f1"), ("AJI", "aji")):
            part = scores[score]["image_mean"].difference
            numbers.append((Estimate(value=part.value).text(signed), f"{title}, {name}: B less A"))
    return numbers


def _score_table(title: str, scores: Sequence[tuple[str, PairedScore]]) -> Table:
    rows: list[list[Value]] = []
    for name, part in scores:
        text = part.difference.text(signed)
        rows.append([name, part.first.text(), part.second.text(), _bold(text) if part.is_clear else text])
    return Table(caption=title.capitalize(), columns=["score", *SIDES, "B − A"], rows=rows)


def _bold(text: str) -> Markup:
    return Markup("<strong>") + escape(text) + Markup("</strong>")


def _count_table(counts: ChangeCounts) -> Table:
    rows = [[kind, *by.values()] for kind, by in counts.items()]
    return Table(columns=["change", *LABEL_NAMES.values()], rows=rows)


def _choose(images: Sequence[TwiceFound], most: int = MOST) -> list[tuple[int, Change]]:
    """The largest changes, each kind and class in turn: number of the image, and the change."""
    queues: dict[tuple[str, int], list[tuple[int, Change]]] = {}
    for number, image in enumerate(images):
        for change in image.changes:
            queues.setdefault((change.kind, change.label), []).append((number, change))

    order = [*CHANGES]
    ranked = sorted(queues.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    return in_turn([sorted(queue, key=lambda case: -case[1].size) for _, queue in ranked])[:most]


def _describe(image: TwiceFound, change: Change) -> Case:
    """What a change is, in words."""
    facts = [LABEL_NAMES[change.label]]
    if change.kind in (FALSE, UNFALSE):
        facts += [f"score {change.size:.2f}"]
    else:
        sides = zip(SIDES, change.ious, strict=True)
        ious = [f"{side} {iou:.2f}" if iou else f"{side} unmatched" for side, iou in sides]
        facts += [f"IoU with the truth: {', '.join(ious)}"]

    ids = {"true": [] if change.truth is None else [image.truth_numbers[change.truth]]}
    for side, index, numbers in zip(SIDES, (change.first, change.second), image.numbers, strict=True):
        ids[side] = [] if index is None or not numbers else [numbers[index]]
    return Case(image.entry.name, place_of(_boxes(image, change)), ", ".join(facts), name_ids(ids))


def _draw(picture: Picture, image: TwiceFound, change: Change) -> list[tuple[str, Shown]]:
    """The place as it is, in truth, and as A and B found it, the truth dashed."""
    window = CloseUp.about(_boxes(image, change), ROOM[change.label], image.truths.image_shape)
    around, true = apart(image.truths, change.label, _listed(change.truth))
    numbers = [] if change.truth is None else [image.truth_numbers[change.truth]]
    shown = [
        ("image", window.draw(picture)),
        ("truth", window.draw(picture, [_pale(around), DrawnCells(true, BOLD, TRUE, False, numbers)])),
    ]

    finds = zip(SIDES, image.finds, (change.first, change.second), image.numbers, strict=True)
    for side, cells, index, known in finds:
        around, found = apart(cells, change.label, _listed(index))
        numbers = [known[index]] if known and index is not None else []
        layers = [
            _pale(around),
            DrawnCells(true, THIN, TRUE, True),
            DrawnCells(found, BOLD, FOUND, False, numbers),
        ]
        shown.append((side, window.draw(picture, layers)))
    return shown


def _pale(cells: Cells) -> DrawnCells:
    return DrawnCells(cells, THIN, PALE, dashed=False)


def _listed(index: int | None) -> list[int]:
    return [] if index is None else [index]


def _boxes(image: TwiceFound, change: Change) -> np.ndarray:
    """Boxes of all that a change involves, (k, 4)."""
    sides = zip((image.truths, *image.finds), (change.truth, change.first, change.second), strict=True)
    return np.array([cells.boxes[index] for cells, index in sides if index is not None])
