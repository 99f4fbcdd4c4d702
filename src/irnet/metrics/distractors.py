"""What false finds were taken for: white blood cells, mucus, debris and anything else the truth names."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells, Distractor
from irnet.geometry import boxes as geometry

ELSEWHERE = "elsewhere"


def false_finds(distractors: Sequence[Distractor], false: Cells) -> Counter[str]:
    """Number of false finds (predictions without a match) per kind of distractor.

    A find belongs to the smallest distractor box that holds its centroid, else to "elsewhere". Where the
    truth names no distractor nothing is known, and nothing is counted.
    """
    return Counter(kinds_under(false, distractors)) if distractors else Counter()


def kinds_under(cells: Cells, distractors: Sequence[Distractor]) -> list[str]:
    """For each instance the kind of the smallest distractor box that holds its centroid, or "elsewhere"."""
    if not distractors:
        return [ELSEWHERE] * len(cells)

    boxes = geometry.as_boxes([d.box for d in distractors])
    by_size = np.argsort(geometry.area(boxes), kind="stable")
    x, y = centroids(cells)[:, :, None].transpose(1, 0, 2)  # (n, 1) each
    x1, y1, x2, y2 = boxes[by_size].T
    inside = (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)  # (n, k)
    kinds = [distractors[i].kind for i in by_size]
    return [kinds[row.argmax()] if row.any() else ELSEWHERE for row in inside]


def centroids(cells: Cells) -> NDArray[np.float64]:
    """Mean x and y of each mask's pixel centres, in px from the frame's corner, (n, 2); nan without area."""
    means = [np.argwhere(m).mean(axis=0)[::-1] + 0.5 if m.any() else (np.nan, np.nan) for m in cells.masks]
    return np.asarray(means, dtype=np.float64).reshape(-1, 2) + cells.offsets
