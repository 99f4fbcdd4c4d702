"""The page of mistakes: how many of each cause, and the worst of each beside the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from irnet.cells import LABEL_NAMES
from irnet.metrics.causes import CAUSES, FALSE, KINDS, MERGED, MISSED, POOR, SPLIT, Counts, Mistake
from irnet.report.cases import FOUND, TRUE, Case, add_pictures, apart, name_ids, place_of
from irnet.report.close_up import BOLD, PALE, ROOM, THIN, CloseUp, DrawnCells
from irnet.report.draw import Picture
from irnet.report.mistakes import ComparedImage, choose_worst
from irnet.report.page import Table, Value, render
from irnet.report.pictures import Shown
from irnet.wording import number_and_noun

WORDS = {MISSED: "missed", FALSE: "false", POOR: "matched"}


def gallery_page(
    images: Sequence[ComparedImage], counts: Counts, *, data: str, method: str | None, scored: bool
) -> str:
    """The page of the mistakes in a set of images; `counts` are those of `count_mistakes`.

    Without a picture a mistake is described in words alone. Finds have scores where they are `scored`.
    """
    chosen = choose_worst(images)
    cases = [_describe(images[number], mistake, scored) for number, mistake in chosen]
    problems = add_pictures(images, chosen, cases, _draw)

    groups: dict[str, list[Case]] = {cause: [] for cause in counts}
    for (_, mistake), case in zip(chosen, cases, strict=True):
        groups[mistake.cause].append(case)

    return render(
        "gallery.html",
        title="Mistakes",
        data=data,
        method=method,
        headline=_headline(images),
        counts=count_table(counts),
        totals={cause: _total(counts, cause) for cause in counts},
        meanings=CAUSES,
        groups=list(groups.items()),
        shown=len(cases),
        problems=problems,
    )


def count_table(counts: Counts, caption: str = "") -> Table:
    """How many mistakes each cause has, by class and kind."""
    with_mistakes = {name for part in counts.values() for name, kinds in part.items() if any(kinds.values())}
    names = [name for name in LABEL_NAMES.values() if name in with_mistakes]

    rows: list[list[Value]] = []
    for cause, part in counts.items():
        numbers = [part[name][kind] or None for name in names for kind in KINDS]
        rows.append([cause, *numbers, _total(counts, cause)])
    columns = ["cause", *(f"{name}, {kind}" for name in names for kind in KINDS), "all"]
    return Table(columns=columns, rows=rows, caption=caption)


def _total(counts: Counts, cause: str) -> int:
    return sum(sum(kinds.values()) for kinds in counts[cause].values())


def _headline(images: Sequence[ComparedImage]) -> list[tuple[str, str]]:
    """How many are wrong of how many: (number, what it is)."""
    numbers = [number_and_noun(len(images), "image")]
    for label, name in LABEL_NAMES.items():
        true = sum(int((compared.truths.labels == label).sum()) for compared in images)
        found = sum(int((compared.preds.labels == label).sum()) for compared in images)
        kinds = [m.kind for compared in images for m in compared.mistakes if m.label == label]
        if true or found:
            numbers.append((str(kinds.count(MISSED)), f"{name} missed, of {true} true"))
            numbers.append((str(kinds.count(FALSE)), f"{name} false, of {found} found"))
    return numbers


def _describe(compared: ComparedImage, mistake: Mistake, scored: bool) -> Case:
    """What a mistake is, in words."""
    facts = [f"{WORDS[mistake.kind]} {LABEL_NAMES[mistake.label]}"]
    facts += [f"on {mistake.distractor}"] if mistake.distractor else []
    facts += [f"{len(mistake.truths)} in one"] if mistake.cause == MERGED else []
    facts += [f"in {len(mistake.preds)} pieces"] if mistake.cause == SPLIT else []

    facts.append(f"IoU {mistake.iou:.2f}")
    if mistake.kind != MISSED and scored:
        facts.append(f"score {compared.preds.scores[mistake.preds[0]]:.2f}")
    false = mistake.kind == FALSE
    mask = compared.preds.masks[mistake.preds[0]] if false else compared.truths.masks[mistake.truths[0]]
    facts.append(f"{mask.sum()} px")

    true, found = _numbers(compared, mistake)
    ids = name_ids({"true": true, "found": found})
    return Case(compared.entry.name, place_of(_boxes(compared, mistake)), ", ".join(facts), ids)


def _numbers(compared: ComparedImage, mistake: Mistake) -> tuple[list[int], list[int]]:
    """The numbers of the truths and of the predictions that a mistake involves, none where none are known."""
    return (
        _chosen(compared.truth_numbers, mistake.truths),
        _chosen(compared.pred_numbers, mistake.preds),
    )


def _chosen(numbers: Sequence[int] | None, chosen: Sequence[int]) -> list[int]:
    return [numbers[i] for i in chosen] if numbers else []


def _draw(image: Picture, compared: ComparedImage, mistake: Mistake) -> list[tuple[str, Shown]]:
    """The place as it is, in truth and as found; what the other side has there is dashed."""
    window = CloseUp.about(_boxes(compared, mistake), ROOM[mistake.label], compared.truths.image_shape)
    around_true, true = apart(compared.truths, mistake.label, mistake.truths)
    around_found, found = apart(compared.preds, mistake.label, mistake.preds)
    true_numbers, found_numbers = _numbers(compared, mistake)

    truth = [
        DrawnCells(around_true, THIN, PALE, dashed=False),
        DrawnCells(found, THIN, FOUND, dashed=True),
        DrawnCells(true, BOLD, TRUE, dashed=False, numbers=true_numbers),
    ]
    finding = [
        DrawnCells(around_found, THIN, PALE, dashed=False),
        DrawnCells(true, THIN, TRUE, dashed=True),
        DrawnCells(found, BOLD, FOUND, dashed=False, numbers=found_numbers),
    ]

    return [
        ("image", window.draw(image)),
        ("truth", window.draw(image, truth)),
        ("found", window.draw(image, finding)),
    ]


def _boxes(compared: ComparedImage, mistake: Mistake) -> np.ndarray:
    """Boxes of all that a mistake involves, (k, 4)."""
    return np.concatenate(
        [compared.truths.boxes[list(mistake.truths)], compared.preds.boxes[list(mistake.preds)]]
    )
