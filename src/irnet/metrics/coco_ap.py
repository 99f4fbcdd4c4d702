"""COCO mask AP, 0.50:0.95, 101 recall points, without a cap on the number of detections (Lin et al. 2014).

Computed from the IoU of pairs, so that overlaps count and no run length is decoded. Equal to pycocotools and
faster-coco-eval with maxDets above the number of predictions (tests/reference/test_coco_ap.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from irnet.metrics.match import Pairwise, by_index

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
AP_NAMES = {"ap": slice(None), "ap50": slice(0, 1), "ap75": slice(5, 6)}  # which of these
RECALL_POINTS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Which of one image's m predictions are right at each of the ten IoU thresholds."""

    scores: NDArray[np.float64]  # (m,)
    hits: NDArray[np.bool_]  # (10, m)
    truths: int

    @classmethod
    def of(cls, pairs: Pairwise, scores: NDArray[np.float64]) -> Self:
        """From the highest score (m,) down each prediction takes a free truth, the one of highest IoU."""
        return cls(scores, _hits(pairs, scores), len(pairs.truth_areas))

    @classmethod
    def empty(cls) -> Self:
        """No truth, no prediction."""
        return cls(np.zeros(0), np.zeros((len(IOU_THRESHOLDS), 0), dtype=bool), 0)


def _hits(pairs: Pairwise, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    hits = np.zeros((len(IOU_THRESHOLDS), len(scores)), dtype=bool)  # (10, m)
    free = np.ones((len(IOU_THRESHOLDS), len(pairs.truth_areas)), dtype=bool)  # (10, n)

    alike = np.flatnonzero(pairs.iou >= IOU_THRESHOLDS[0])
    finds = by_index(pairs.preds[alike], len(scores))
    for pred in np.argsort(-scores, kind="stable"):
        if not len(finds[pred]):
            continue

        mine = alike[finds[pred]][::-1]  # of equals COCO takes the last
        near, quality = pairs.truths[mine], pairs.iou[mine]
        open_to = free[:, near] & (quality >= IOU_THRESHOLDS[:, None])  # (10, k)
        hits[:, pred] = hit = open_to.any(axis=1)
        taken = near[np.where(open_to, quality, -1.0).argmax(axis=1)]
        free[hit, taken[hit]] = False
    return hits


@dataclass(frozen=True, eq=False)
class PooledRanking:
    """The predictions of all images, ranked once by falling score."""

    hits: tuple[NDArray[np.int64], ...]  # ranks of the right predictions at each of the ten thresholds
    image: NDArray[np.int64]  # (M,) image of the prediction at each rank
    truths: NDArray[np.int64]  # (images,)

    @classmethod
    def of(cls, rankings: Sequence[Ranking]) -> Self:
        """Pool images; equal scores keep the images' order."""
        parts = [Ranking.empty(), *rankings]
        order = np.argsort(-np.concatenate([part.scores for part in parts]), kind="stable")
        hits = np.concatenate([part.hits for part in parts], axis=1)[:, order]  # (10, M)
        image = np.repeat(np.arange(len(parts)) - 1, [len(part.scores) for part in parts])[order]
        truths = np.array([part.truths for part in rankings], dtype=np.int64)
        return cls(tuple(np.flatnonzero(row) for row in hits), image, truths)

    def average_precision(self, weights: NDArray[np.int64] | None = None) -> NDArray[np.float64] | None:
        """AP at each IoU threshold, (10,); None without a truth, 0 without a prediction.

        `weights` (images,) count each image so many times, as a bootstrap sample does.
        """
        weights = np.ones_like(self.truths) if weights is None else weights
        total = int(weights @ self.truths)
        if not total:
            return None

        drawn = weights[self.image]  # (M,)
        ranked = np.maximum(np.cumsum(drawn), 1)
        return np.array([_area(np.cumsum(drawn[hits]), ranked[hits], total) for hits in self.hits])


def _area(found: NDArray[np.int64], ranked: NDArray[np.int64], total: int) -> float:
    """Mean over the recall points of the highest precision from there on; 0 where recall is never reached."""
    precision = np.append(found / ranked, 0.0)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float(highest[np.searchsorted(found / total, RECALL_POINTS, side="left")].mean())
