"""Does the score say how good a prediction is? Reliability of scores against the IoU that was reached."""

import numpy as np
from numpy.typing import NDArray

from irnet.metrics.match import MATCH_IOU

BINS = 10


def calibration(scores: NDArray[np.float64], iou: NDArray[np.float64], bins: int = BINS) -> dict:
    """Bins of equal width over scores 0..1: mean score, mean IoU and share of right finds in each.

    `iou` (m,) is the IoU of each prediction with its match, 0 without one, so that a duplicate's is 0.
    "ece_iou" is the mean over predictions of |mean score - mean IoU| of their bin, "ece_right" the same
    against the share of right finds (expected calibration error). Both are None without a prediction.
    """
    index = np.clip((scores * bins).astype(int), 0, bins - 1)
    rows = [_bin(scores[index == b], iou[index == b], b / bins, (b + 1) / bins) for b in range(bins)]
    return {
        "ece_iou": _error([(r["count"], r["score"], r["iou"]) for r in rows]),
        "ece_right": _error([(r["count"], r["score"], r["right"]) for r in rows]),
        "bins": rows,
    }


def _bin(scores: NDArray, iou: NDArray, low: float, high: float) -> dict:
    def mean(values: NDArray) -> float | None:
        return float(values.mean()) if len(values) else None

    return {
        "from": low,
        "to": high,
        "count": len(scores),
        "score": mean(scores),
        "iou": mean(iou),
        "right": mean(iou > MATCH_IOU),
    }


def _error(rows: list[tuple[int, float | None, float | None]]) -> float | None:
    gaps = [
        (n, abs(score - reached)) for n, score, reached in rows if score is not None and reached is not None
    ]
    return sum(n * gap for n, gap in gaps) / sum(n for n, _ in gaps) if gaps else None
