"""What changes from one method to another: cells found and lost, false finds, outlines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, NO_PARENT, Cells
from irnet.metrics.match import partners

LOST, GAINED, FALSE, UNFALSE, WORSE, BETTER = (
    "found by A, missed by B",
    "missed by A, found by B",
    "false in B alone",
    "false in A alone",
    "outline further off in B",
    "outline closer in B",
)
CHANGES = {  # kind of a change -> what it is
    LOST: "true, matched with a find of A and with none of B",
    GAINED: "true, matched with a find of B and with none of A",
    FALSE: "a find of B that is not true, where A has none like it (IoU above .5)",
    UNFALSE: "a find of A that is not true, where B has none like it (IoU above .5)",
    WORSE: "matched by both; with B its IoU with the truth is lower by more than .05",
    BETTER: "matched by both; with B its IoU with the truth is higher by more than .05",
}
STEP = 0.05  # of IoU, for an outline that is another

ChangeCounts = dict[str, dict[str, int]]  # kind of a change -> class -> how many


@dataclass(frozen=True, kw_only=True)
class Change:
    """A truth, or a false find, that the methods A and B do not share."""

    kind: str  # one of CHANGES
    label: int
    truth: int | None = None  # indices
    first: int | None = None  # of A's finds
    second: int | None = None  # of B's
    ious: tuple[float, float] = (0.0, 0.0)  # with the truth, of A and of B; 0 where unmatched
    size: float  # what sorts the largest change of a kind first


def find_changes(truths: Cells, first: Cells, second: Cells) -> list[Change]:
    """What differs between the finds of A and of B in one image.

    All three are those that are scored (see `counted`); matches are those of F1.
    """
    in_first, in_second = partners(truths, first), partners(truths, second)  # (n,) each
    changes = [*_of_truths(truths, (first, second), in_first, in_second)]
    changes += _false(second, in_second, first, in_first, of_second=True)
    changes += _false(first, in_first, second, in_second, of_second=False)
    return changes


def count_changes(images: Sequence[Sequence[Change]]) -> ChangeCounts:
    """How many changes of each kind each class has."""
    counts = {kind: dict.fromkeys(LABEL_NAMES.values(), 0) for kind in CHANGES}
    for change in (change for changes in images for change in changes):
        counts[change.kind][LABEL_NAMES[change.label]] += 1
    return counts


def _of_truths(
    truths: Cells, sides: tuple[Cells, Cells], first: NDArray[np.int64], second: NDArray[np.int64]
) -> Iterator[Change]:
    """Truths that one method alone found, or whose outlines differ."""
    areas = truths.areas.tolist()
    for truth, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        if a == b == NO_PARENT:
            continue
        ious = _iou(truths, truth, sides[0], a), _iou(truths, truth, sides[1], b)
        step = ious[1] - ious[0]

        if b == NO_PARENT:
            kind, size = LOST, float(areas[truth])
        elif a == NO_PARENT:
            kind, size = GAINED, float(areas[truth])
        elif abs(step) > STEP:
            kind, size = (BETTER if step > 0 else WORSE), abs(step)
        else:
            continue
        yield Change(
            kind=kind,
            label=int(truths.labels[truth]),
            truth=truth,
            first=None if a == NO_PARENT else a,
            second=None if b == NO_PARENT else b,
            ious=ious,
            size=size,
        )


def _false(
    mine: Cells,
    matched: NDArray[np.int64],
    other: Cells,
    other_matched: NDArray[np.int64],
    *,
    of_second: bool,
) -> Iterator[Change]:
    """False finds of one method that are not among the false finds of the other."""
    false, others = (
        np.setdiff1d(np.arange(len(cells)), taken)
        for cells, taken in ((mine, matched), (other, other_matched))
    )
    alone = partners(mine.select(false), other.select(others)) == NO_PARENT
    for index in false[alone].tolist():
        label, score = int(mine.labels[index]), float(mine.scores[index])
        if of_second:
            yield Change(kind=FALSE, label=label, second=index, size=score)
        else:
            yield Change(kind=UNFALSE, label=label, first=index, size=score)


def _iou(truths: Cells, truth: int, finds: Cells, find: int) -> float:
    """Of a truth with a find, 0 without one."""
    if find == NO_PARENT:
        return 0.0
    return float(truths.select([truth]).iou(finds.select([find]))[0, 0])
