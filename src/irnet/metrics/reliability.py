"""Does the score say how good a prediction is? Reliability of scores against the IoU that was reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from irnet.metrics.match import MATCH_IOU
from irnet.metrics.statistics import Number

BINS = 10


@dataclass(frozen=True, kw_only=True)
class ScoreBin:
    """The predictions with a score from `low` to `high`; means of none are None."""

    low: Annotated[Number, Field(alias="from")]
    high: Annotated[Number, Field(alias="to")]
    count: int
    score: Number | None  # mean score
    iou: Number | None  # mean IoU with the match
    right: Number | None  # share with an IoU above .5

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "from": self.low,
            "to": self.high,
            "count": self.count,
            "score": self.score,
            "iou": self.iou,
            "right": self.right,
        }


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Expected calibration errors, None without a prediction, and the bins that they are from.

    `ece_iou` is the mean over predictions of |mean score - mean IoU| of their bin, `ece_right` the same
    against the share of right finds.
    """

    ece_iou: Number | None
    ece_right: Number | None
    bins: list[ScoreBin]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        bins = [one.to_json() for one in self.bins]
        return {"ece_iou": self.ece_iou, "ece_right": self.ece_right, "bins": bins}


def reliability(scores: NDArray[np.float64], iou: NDArray[np.float64], bins: int = BINS) -> Reliability:
    """Put m predictions into bins of equal width over scores 0..1, each with its means.

    `scores` and `iou` are (m,); the IoU is that with the match, 0 without one, so that a duplicate's is 0.
    """
    index = np.clip((scores * bins).astype(int), 0, bins - 1)
    filled = [_bin(scores[index == b], iou[index == b], b / bins, (b + 1) / bins) for b in range(bins)]
    return Reliability(
        ece_iou=_error([(one.count, one.score, one.iou) for one in filled]),
        ece_right=_error([(one.count, one.score, one.right) for one in filled]),
        bins=filled,
    )


def _bin(scores: NDArray[np.float64], iou: NDArray[np.float64], low: float, high: float) -> ScoreBin:
    return ScoreBin(
        low=low,
        high=high,
        count=len(scores),
        score=_mean(scores),
        iou=_mean(iou),
        right=_mean(iou > MATCH_IOU),
    )


def _mean(values: NDArray) -> float | None:
    return float(values.mean()) if len(values) else None


def _error(rows: Sequence[tuple[int, float | None, float | None]]) -> float | None:
    """Mean gap between score and what was reached, weighted by the number of predictions."""
    gaps = [
        (n, abs(score - reached)) for n, score, reached in rows if score is not None and reached is not None
    ]
    return sum(n * gap for n, gap in gaps) / sum(n for n, _ in gaps) if gaps else None
