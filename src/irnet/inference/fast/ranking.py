"""The candidates of duplicate removal and their p(correct) in NumPy, around the graph `rank`.

What is computed is what `models.ranking` does with tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.config import ModelSettings, PredictSettings
from irnet.inference.fast.boxes import Floats, Places, best
from irnet.models.constants import area_growth, by_label
from irnet.models.neighbourhoods import by_tiles, relation_reach

Compute = Callable[[Sequence[NDArray[Any]]], list[NDArray[Any]]]

PAIRS_AT_ONCE = 256 * 256  # of candidates whose geometry is held in memory together
BEYOND = 1e9  # px: farther than anything in an image


class RankedBoxes(NamedTuple):
    """The best boxes of each class, and the two scores that their rank is made of."""

    boxes: Floats  # (C, N, 4)
    scores: Floats  # (C, N) class probability
    correct: Floats  # (C, N) p(correct) of the DRM, 1 without it, and where nothing depends on it


def choose_candidates(
    found: tuple[Floats, Floats, Floats],
    size: tuple[int, int],
    model: ModelSettings,
    predict: PredictSettings,
    graph: Compute | None,
) -> RankedBoxes:
    """Return the best of R boxes of an image of `size` (H, W), by features (R, F), scores (R, C), (R, C, 4).

    p(correct) is asked for where it counts: above the floor, in classes whose score it enters. `graph` is
    that of the DRM, None without it.
    """
    features, scores, boxes = found
    if graph is None:
        return RankedBoxes(boxes.swapaxes(0, 1), scores.T, np.ones_like(scores.T))

    growth = area_growth([size], model.field_megapixels)
    top = np.stack([best(score, round(model.drm.candidates * growth)) for score in scores.T])  # (C, N)
    column = np.arange(len(top))[:, None]
    chosen = RankedBoxes(boxes[top, column], scores[top, column], np.ones(top.shape, np.float32))

    # The candidates of each class are a set, or those of all classes are one
    sets = (1, top.size) if model.drm.across_classes else top.shape
    fields = features[top].reshape(*sets, -1), chosen.scores.reshape(sets), chosen.boxes.reshape(*sets, 4)
    powers = np.array([*by_label(predict.drm_power).values()])
    asked = ((chosen.scores > predict.floor) & (powers[:, None] > 0)).reshape(sets)

    correct, reach = chosen.correct.reshape(sets), relation_reach([size], model.field_megapixels)
    for number, rows in enumerate(map(np.flatnonzero, asked)):
        mine = tuple(field[number] for field in fields)
        correct[number, rows] = _judge(graph, mine, rows, reach, at_least=model.drm.top_k)
    return chosen


def _judge(
    graph: Compute, fields: tuple[Floats, ...], rows: Places, reach: float | None, *, at_least: int
) -> Floats:
    """Return p(correct) (R,) of the `rows` of a set of candidates: features, scores and boxes (N, ...).

    The graph keeps the best `at_least` of the candidates that it gets: where there are fewer, it gets some
    that are out of reach.
    """
    features, scores, boxes = fields
    ranks, correct = ranks_within(reach, scores, boxes), np.ones(len(scores), np.float32)
    for mine, near in by_tiles(boxes, rows, reach):
        lacking = max(0, at_least - len(near))
        given = [
            np.pad(features[near], ((0, lacking), (0, 0))),
            np.pad(ranks[near], (0, lacking)),
            np.pad(boxes[near], ((0, lacking), (0, 0)), constant_values=10 * BEYOND),
        ]

        step = max(1, PAIRS_AT_ONCE // len(given[1]))
        for low in range(0, len(mine), step):
            some = mine[low : low + step]
            inputs = [*(field[None] for field in given), np.searchsorted(near, some), as_input(reach)]
            correct[some] = graph(inputs)[0][0]
    return correct[rows]


def ranks_within(reach: float | None, scores: Floats, boxes: Floats) -> Floats:
    """Return the place (n,) of each score (n,) among those of boxes (n, 4) within `reach` px of its own."""
    order = np.argsort(-scores, kind="stable")
    if reach is None:
        return np.argsort(order).astype(np.float32)

    centres = ((boxes[:, :2] + boxes[:, 2:]) / 2)[order]  # best first
    near = np.abs(centres[:, None] - centres[None, :]).max(axis=2) <= np.float32(reach)  # (n, n)
    ranks = np.zeros(len(scores), np.float32)
    ranks[order] = np.tril(near, -1).sum(axis=1)
    return ranks


def as_input(reach: float | None) -> Floats:
    """Return what graphs take for a reach: farther than any image where there is no limit."""
    return np.array([BEYOND if reach is None else reach], np.float32)
