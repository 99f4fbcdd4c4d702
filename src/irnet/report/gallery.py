"""The page of mistakes: how many of each cause, and the worst of each beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from irnet.cells import LABEL_NAMES, Cells
from irnet.errors import InputError
from irnet.metrics.causes import CAUSES, FALSE, KINDS, MERGED, MISSED, POOR, SPLIT, Counts, Mistake
from irnet.report.close_up import BOLD, PALE, ROOM, THIN, Colour, Layer, Window
from irnet.report.draw import Picture
from irnet.report.judged import Case, Judged, choose_worst
from irnet.report.page import Table, Value, render
from irnet.report.pictures import Shown

TRUE: Colour = (118, 255, 3)  # contours of truths that a mistake is about
FOUND: Colour = (255, 61, 0)  # of predictions
WORDS = {MISSED: "missed", FALSE: "false", POOR: "matched"}


@dataclass(eq=False)
class Shot:
    """A mistake in words and, where its image could be read, in pictures."""

    name: str
    place: str
    told: str
    pictures: list[tuple[str, Shown]] = field(default_factory=list)  # caption and picture


def gallery_page(
    images: Sequence[Judged], counts: Counts, *, data: str, method: str | None, scored: bool
) -> str:
    """The page of the mistakes in a set of images; `counts` are those of `count_mistakes`.

    Without a picture a mistake is told in words alone. Finds have scores where they are `scored`.
    """
    cases = choose_worst(images)
    shots = [_tell(images[case.image], case.mistake, scored) for case in cases]
    problems = _photograph(images, cases, shots)
    groups = [
        (cause, [shot for case, shot in zip(cases, shots, strict=True) if case.mistake.cause == cause])
        for cause in counts
    ]
    return render(
        "gallery.html",
        title="Mistakes",
        data=data,
        method=method,
        headline=_headline(images),
        counts=count_table(counts),
        totals={cause: _total(counts, cause) for cause in counts},
        meanings=CAUSES,
        groups=groups,
        shown=len(cases),
        problems=problems,
    )


def count_table(counts: Counts, caption: str = "") -> Table:
    """How many mistakes each cause has, by class and kind."""
    names = [name for name in LABEL_NAMES.values() if any(any(c[name].values()) for c in counts.values())]
    rows: list[list[Value]] = [
        [cause, *(part[name][kind] or None for name in names for kind in KINDS), _total(counts, cause)]
        for cause, part in counts.items()
    ]
    columns = ["cause", *(f"{name}, {kind}" for name in names for kind in KINDS), "all"]
    return Table(columns=columns, rows=rows, caption=caption)


def _total(counts: Counts, cause: str) -> int:
    return sum(sum(kinds.values()) for kinds in counts[cause].values())


def _headline(images: Sequence[Judged]) -> list[tuple[str, str]]:
    """How many are wrong of how many: (number, what it is)."""
    told = [(str(len(images)), "image" if len(images) == 1 else "images")]
    for label, name in LABEL_NAMES.items():
        true = sum(int((judged.truths.labels == label).sum()) for judged in images)
        found = sum(int((judged.preds.labels == label).sum()) for judged in images)
        kinds = [m.kind for judged in images for m in judged.mistakes if m.label == label]
        if true or found:
            told.append((str(kinds.count(MISSED)), f"{name} missed, of {true} true"))
            told.append((str(kinds.count(FALSE)), f"{name} false, of {found} found"))
    return told


def _tell(judged: Judged, mistake: Mistake, scored: bool) -> Shot:
    """What a mistake is, in words."""
    boxes = _boxes(judged, mistake)
    x, y = np.round((boxes[:, :2].min(axis=0) + boxes[:, 2:].max(axis=0)) / 2).astype(int)
    facts = [f"{WORDS[mistake.kind]} {LABEL_NAMES[mistake.label]}"]
    facts += [f"on {mistake.distractor}"] if mistake.distractor else []
    facts += [f"{len(mistake.truths)} in one"] if mistake.cause == MERGED else []
    facts += [f"in {len(mistake.preds)} pieces"] if mistake.cause == SPLIT else []
    facts.append(f"IoU {mistake.iou:.2f}")
    if mistake.kind != MISSED and scored:
        facts.append(f"score {judged.preds.scores[mistake.preds[0]]:.2f}")
    mask = (
        judged.preds.masks[mistake.preds[0]]
        if mistake.kind == FALSE
        else judged.truths.masks[mistake.truths[0]]
    )
    facts.append(f"{mask.sum()} px")
    return Shot(judged.entry.name, f"x {x}, y {y}", ", ".join(facts))


def _photograph(images: Sequence[Judged], cases: Sequence[Case], shots: Sequence[Shot]) -> list[str]:
    """Give the shots their pictures, reading each image once. Returns what could not be read, and why."""
    problems = []
    for number in sorted({case.image for case in cases}):
        judged = images[number]
        try:
            image = judged.entry.read().image
        except InputError as error:
            problems.append(str(error))
            continue
        for case, shot in zip(cases, shots, strict=True):
            if case.image == number:
                shot.pictures = _draw(image, judged, case.mistake)
    return problems


def _draw(image: Picture, judged: Judged, mistake: Mistake) -> list[tuple[str, Shown]]:
    """The place as it is, in truth and as found; what the other side has there is dashed."""
    window = Window.about(_boxes(judged, mistake), ROOM[mistake.label], judged.truths.image_shape)
    around_true, true = _sides(judged.truths, mistake.label, mistake.truths)
    around_found, found = _sides(judged.preds, mistake.label, mistake.preds)
    truth = [
        Layer(around_true, THIN, PALE, dashed=False),
        Layer(found, THIN, FOUND, dashed=True),
        Layer(true, BOLD, TRUE, dashed=False),
    ]
    finding = [
        Layer(around_found, THIN, PALE, dashed=False),
        Layer(true, THIN, TRUE, dashed=True),
        Layer(found, BOLD, FOUND, dashed=False),
    ]
    return [
        ("image", window.draw(image)),
        ("truth", window.draw(image, truth)),
        ("found", window.draw(image, finding)),
    ]


def _sides(cells: Cells, label: int, chosen: Sequence[int]) -> tuple[Cells, Cells]:
    """The other cells of a class, and the chosen ones."""
    mine = np.isin(np.arange(len(cells)), list(chosen))
    return cells.select((cells.labels == label) & ~mine), cells.select(mine)


def _boxes(judged: Judged, mistake: Mistake) -> np.ndarray:
    """Boxes of all that a mistake involves, (k, 4)."""
    return np.concatenate(
        [judged.truths.boxes[list(mistake.truths)], judged.preds.boxes[list(mistake.preds)]]
    )
