"""Images with their mistakes, and which of these to show: the worst of every cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple, Self, TypeVar

from irnet.cells import Cells, Content, Cuts
from irnet.data.sample import Entry
from irnet.metrics.causes import MISSED, POOR, Mistake, find_mistakes
from irnet.metrics.ignore import counted

MOST = 20  # mistakes that are shown

_Case = TypeVar("_Case")


@dataclass(frozen=True, eq=False)
class ComparedImage:
    """An image with what was scored in it, and what is wrong."""

    entry: Entry
    truths: Cells
    preds: Cells
    mistakes: list[Mistake]
    truth_numbers: tuple[int, ...] = ()  # in their image
    pred_numbers: tuple[int, ...] = ()  # none where they stand in no file

    @classmethod
    def of(
        cls,
        entry: Entry,
        truth: Content,
        cells: Cells,
        cuts: Cuts | None = None,
        known: Content | None = None,
    ) -> Self:
        """Hold predictions, from the cuts on, against `truth`, which may be less than all of the entry's.

        `known` is what a file says of the predictions, their numbers among it.
        """
        truths, preds = counted(truth, truth.cells), counted(truth, cells, cuts)
        return cls(
            entry,
            truths,
            preds,
            find_mistakes(truths, preds, truth.distractors),
            numbers_of(truths, truth),
            numbers_of(preds, known) if known else (),
        )


def numbers_of(chosen: Cells, known: Content) -> tuple[int, ...]:
    """The numbers of instances that were chosen of those of `known`: a choice keeps their masks."""
    numbers = {id(mask): number for mask, number in zip(known.cells.masks, known.numbered, strict=True)}
    return tuple(numbers[id(mask)] for mask in chosen.masks)


class ChosenMistake(NamedTuple):
    """A mistake in one of several images."""

    image: int
    mistake: Mistake


def choose_worst(images: Sequence[ComparedImage], most: int = MOST) -> list[ChosenMistake]:
    """The worst mistakes: of each cause in turn, and of each class and kind of it in turn.

    The worst are the largest missed, the surest false, and the matches of lowest IoU. What has a truth or a
    prediction in common, such as two cells that were merged, is shown once.
    """
    queues: dict[str, dict[tuple[int, str], list[ChosenMistake]]] = {}
    for number, compared in enumerate(images):
        for mistake in compared.mistakes:
            queue = queues.setdefault(mistake.cause, {}).setdefault((mistake.label, mistake.kind), [])
            queue.append(ChosenMistake(number, mistake))

    ranked = []
    for parts in queues.values():
        for queue in parts.values():
            queue.sort(key=lambda case: _rank(images[case.image], case.mistake))
        ranked.append(_once(in_turn(parts.values())))
    return in_turn(sorted(ranked, key=len, reverse=True))[:most]


def _rank(compared: ComparedImage, mistake: Mistake) -> tuple[float, float]:
    """What sorts the worst of one class and kind first."""
    if mistake.kind == POOR:
        return mistake.iou, 0.0
    if mistake.kind == MISSED:
        return -float(compared.truths.masks[mistake.truths[0]].sum()), 0.0
    pred = mistake.preds[0]
    return -float(compared.preds.scores[pred]), -float(compared.preds.masks[pred].sum())


def in_turn(queues: Iterable[Sequence[_Case]]) -> list[_Case]:
    """The first of each queue, then the second of each, and so on."""
    return [case for turn in zip_longest(*queues) for case in turn if case is not None]


def _once(cases: Sequence[ChosenMistake]) -> list[ChosenMistake]:
    """Cases of one cause without those that share a truth or a prediction with one before them."""
    seen: set[tuple[int, int, str, int]] = set()
    kept = []
    for case in cases:
        image, mistake = case
        sides = {"truth": mistake.truths, "pred": mistake.preds}
        mine = {(image, mistake.label, side, index) for side, chosen in sides.items() for index in chosen}
        if mine.isdisjoint(seen):
            kept.append(case)
        seen |= mine
    return kept
