"""Why it went wrong: one cause for every missed truth, false prediction and poor outline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Distractor
from irnet.metrics.aji import most_alike
from irnet.metrics.degree import degrees
from irnet.metrics.distractors import ELSEWHERE, kinds_under
from irnet.metrics.f1 import duplicates, unmatched
from irnet.metrics.match import Pairwise, match_iou
from irnet.metrics.several import Indices, lies_inside, merged_truths, split_truths

KINDS: tuple[str, str, str] = ("missed", "false", "poor")
MISSED, FALSE, POOR = KINDS
CUT, TWICE, MERGED, SPLIT = "cut by the border", "found twice", "merged", "split"
OUTLINE, UNDER, OVERLOOKED = "poor outline", "under others", "overlooked"
DISTRACTOR, FRAGMENT, BACKGROUND = "on a distractor", "fragment", "background"

POOR_IOU = 0.7  # below it a match has a poor outline
NEAR_IOU = 0.3  # from it on a prediction without a match is a poor outline of a truth without one
UNDER_SHARE = 0.4  # of a truth's area: the last bin of the overlap degree

CAUSES = {  # in the order in which they are asked
    CUT: "missed or false, and it touches the edge of the image",
    TWICE: "another find of what has its match: IoU above .5",
    MERGED: "one find that holds most of two or more, of the part outside each other too",
    SPLIT: "found in pieces: several finds, each for the most part inside it, hold most of it together",
    OUTLINE: "found, but the outline is off: IoU of .3 to .7 (up to .5 both sides count as mistakes)",
    UNDER: "missed, and more than 40 % of it lies under others of its class",
    OVERLOOKED: "missed, and nothing in its place is like it",
    DISTRACTOR: "false, on what the data name as no target: a white blood cell, mucus, debris",
    FRAGMENT: "false, more than half of it inside a true one",
    BACKGROUND: "false, and most of it lies outside any true one",
}

Involved = tuple[Indices, Indices]  # truths and predictions
Counts = dict[str, dict[str, dict[str, int]]]  # cause -> class -> kind -> number of mistakes


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A truth without a match, a prediction without one, or a match with a poor outline."""

    kind: str  # missed, false or poor
    cause: str  # one of CAUSES
    truths: Indices  # those involved: a missed one comes first
    preds: Indices  # those involved: a false one comes first
    iou: float  # of the match, else the highest with any of the other side
    label: int = 0
    distractor: str | None = None  # its kind


def find_mistakes(truths: Cells, preds: Cells, distractors: Sequence[Distractor] = ()) -> list[Mistake]:
    """Every mistake of one image, each with the first of the CAUSES that applies.

    `truths` and `preds` are those that are scored (see `counted`), and matches are those of F1: as many are
    missed as recall lacks, as many false as precision lacks.
    """
    mistakes: list[Mistake] = []
    for label in LABEL_NAMES:
        ours, theirs = np.flatnonzero(truths.labels == label), np.flatnonzero(preds.labels == label)
        scene = _Scene.of(truths.select(ours), preds.select(theirs))

        # The scene counts its instances from 0: back to their places among all classes.
        for found in (*_missed(scene), *_false(scene, distractors), *_poor(scene)):
            at_truths, at_preds = ours[list(found.truths)].tolist(), theirs[list(found.preds)].tolist()
            mistakes.append(replace(found, label=label, truths=tuple(at_truths), preds=tuple(at_preds)))
    return mistakes


def count_mistakes(images: Iterable[Sequence[Mistake]]) -> Counts:
    """Number of mistakes by cause, class and kind: the causes that occur, the most frequent first."""
    every = [mistake for mistakes in images for mistake in mistakes]
    causes = [mistake.cause for mistake in every]
    met = sorted((cause for cause in CAUSES if cause in causes), key=causes.count, reverse=True)

    counts = {cause: _no_mistakes() for cause in met}
    for mistake in every:
        counts[mistake.cause][LABEL_NAMES[mistake.label]][mistake.kind] += 1
    return counts


def _no_mistakes() -> dict[str, dict[str, int]]:
    return {name: dict.fromkeys(KINDS, 0) for name in LABEL_NAMES.values()}


class _Scene(NamedTuple):
    """One class of one image, compared; its n truths and m predictions are counted from 0."""

    truths: Cells
    preds: Cells
    pairs: Pairwise
    matches: NDArray[np.int64]  # (k, 2)
    free_truths: NDArray[np.bool_]  # (n,) without a match
    free_preds: NDArray[np.bool_]  # (m,)
    merged: dict[int, Indices]  # prediction -> truths
    split: dict[int, Indices]  # truth -> predictions
    near: list[tuple[int, int]]  # truths and predictions that are poor outlines of them

    @classmethod
    def of(cls, truths: Cells, preds: Cells) -> Self:
        pairs = Pairwise.between(truths, preds)
        matches = match_iou(pairs)
        free = unmatched(len(truths), matches[:, 0]), unmatched(len(preds), matches[:, 1])

        return cls(
            truths,
            preds,
            pairs,
            matches,
            *free,
            merged=merged_truths(truths, preds, pairs),
            split=split_truths(truths, preds, pairs, *free),
            near=_near(pairs, *free),
        )


def _near(
    pairs: Pairwise, free_truths: NDArray[np.bool_], free_preds: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Pairs without a match whose IoU is almost one, the best last: of several that is the one to name."""
    alike = (pairs.iou >= NEAR_IOU) & free_truths[pairs.truths] & free_preds[pairs.preds]
    order = np.argsort(pairs.iou[alike], kind="stable")
    return [(t, f) for t, f in pairs.pairs[alike][order].tolist()]


def _missed(scene: _Scene) -> Iterator[Mistake]:
    covered = degrees(scene.truths) > UNDER_SHARE
    causes: dict[str, dict[int, Involved]] = {
        CUT: {t: ((t,), ()) for t in _indices(scene.truths.at_border)},
        MERGED: {t: (_first(t, held), (f,)) for f, held in scene.merged.items() for t in held},
        SPLIT: {t: ((t,), pieces) for t, pieces in scene.split.items()},
        OUTLINE: {t: ((t,), (f,)) for t, f in scene.near},
        UNDER: {t: ((t,), ()) for t in _indices(covered)},
    }

    best = _highest_iou(scene.pairs)  # (n,)
    for t in _indices(scene.free_truths):
        cause = _first_cause(causes, t) or OVERLOOKED
        truths, preds = causes[cause][t] if cause in causes else ((t,), ())
        yield Mistake(kind=MISSED, cause=cause, truths=truths, preds=preds, iou=float(best[t]))


def _false(scene: _Scene, distractors: Sequence[Distractor]) -> Iterator[Mistake]:
    home, twice = most_alike(scene.pairs.turned), duplicates(scene.pairs, scene.matches)
    kinds = kinds_under(scene.preds, distractors)
    causes: dict[str, dict[int, Involved]] = {
        CUT: {f: ((), (f,)) for f in _indices(scene.preds.at_border)},
        TWICE: {f: ((int(home[f]),), (f,)) for f in _indices(twice)},
        MERGED: {f: (held, (f,)) for f, held in scene.merged.items()},
        SPLIT: {f: ((t,), _first(f, pieces)) for t, pieces in scene.split.items() for f in pieces},
        OUTLINE: {f: ((t,), (f,)) for t, f in scene.near},
        DISTRACTOR: {f: ((), (f,)) for f, kind in enumerate(kinds) if kind != ELSEWHERE},
        FRAGMENT: {f: ((t,), (f,)) for t, f in scene.pairs.pairs[lies_inside(scene.pairs)].tolist()},
    }

    best = _highest_iou(scene.pairs.turned)  # (m,)
    for f in _indices(scene.free_preds):
        cause = _first_cause(causes, f) or BACKGROUND
        truths, preds = causes[cause][f] if cause in causes else ((), (f,))
        kind = kinds[f] if cause == DISTRACTOR else None
        yield Mistake(
            kind=FALSE, cause=cause, truths=truths, preds=preds, iou=float(best[f]), distractor=kind
        )


def _poor(scene: _Scene) -> Iterator[Mistake]:
    ious = scene.pairs.iou[scene.pairs.find(scene.matches)].tolist()
    for (t, f), iou in zip(scene.matches.tolist(), ious, strict=True):
        if iou < POOR_IOU:
            held = scene.merged.get(f, ())
            cause, truths = (MERGED, _first(t, held)) if t in held else (OUTLINE, (t,))
            yield Mistake(kind=POOR, cause=cause, truths=truths, preds=(f,), iou=iou)


def _highest_iou(pairs: Pairwise) -> NDArray[np.float64]:
    """Of each truth with any prediction, (n,)."""
    best = np.zeros(len(pairs.truth_areas))
    np.maximum.at(best, pairs.truths, pairs.iou)
    return best


def _first_cause(causes: Mapping[str, Mapping[int, Involved]], index: int) -> str | None:
    return next((cause for cause, explained in causes.items() if index in explained), None)


def _indices(chosen: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(chosen).tolist()


def _first(index: int, others: Indices) -> Indices:
    """`others` with `index` at their head."""
    return (index, *(other for other in others if other != index))
