"""What a network holds at a point of an image that it has looked at: which masks, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from irnet.cells import Cells
from irnet.geometry.boxes import iou
from irnet.inference.encoding import Encoding
from irnet.models.pasting import Found

DRAWN = 16  # masks at a point: more change nothing and take their time
SAME_BOX = 0.8  # box IoU from which two proposals of a class draw one mask
SAME = 0.75  # mask IoU from which two candidates are one
SURE = 0.4  # probability from which a pixel counts for how certain a mask is


class Drawn(NamedTuple):
    """Masks around a point, and how likely their class is."""

    found: Found
    scores: NDArray[np.float64]  # (n,)


def draw_at(encoding: Encoding, point: NDArray[np.float32], labels: Sequence[int]) -> Drawn:
    """Return the masks of the likeliest boxes of each of `labels` around a point (2,), best first."""
    boxes, numbers, scores = [], [], []
    for label in labels:
        box, score = encoding.boxes[:, label - 1], encoding.scores[:, label - 1]
        around = np.flatnonzero((box[:, :2] <= point).all(axis=1) & (box[:, 2:] >= point).all(axis=1))
        best = around[np.argsort(-score[around], kind="stable")]
        chosen = best[_apart(iou(box[best], box[best]), SAME_BOX, DRAWN // len(labels))]
        boxes.append(box[chosen])
        scores.append(score[chosen])
        numbers.append(np.full(len(chosen), label))

    found = encoding.draw(np.concatenate(boxes).astype(np.float32), np.concatenate(numbers))
    return Drawn(found, np.concatenate(scores).astype(np.float64))


def gather(
    cells: Cells, drawn: Drawn, point: NDArray[np.float64], known: Cells, most: int
) -> tuple[Cells, NDArray[np.bool_]]:
    """Return the cells at a point (2,), best first, and which of them look like a known one of their class.

    `cells` are the masks `drawn` in the frame of the image. Of those that look alike the best stays.
    """
    depth = np.array([_depth(cells, i, point) for i in range(len(cells))])
    here = np.flatnonzero(depth > 0)
    cells, depth = cells.select(here), depth[here]

    # How much each repeats what is there already
    alike = cells.labels[:, None] == known.labels[None]  # (n, k)
    repeats = (cells.iou(known) * alike).max(axis=1, initial=0)

    # Chosen on validation images (docs/log.md)
    sure = np.array([mask[mask >= SURE].mean() if (mask >= SURE).any() else 0 for mask in drawn.found.masks])
    scores = drawn.scores[here] * np.sqrt(depth) * sure[here] ** 2 * (1 - repeats)

    order = np.argsort(-scores, kind="stable")
    ranked = cells.select(order)
    same = ranked.iou(ranked) * (ranked.labels[:, None] == ranked.labels[None])
    chosen = order[_apart(same, SAME, most)]
    best = cells.select(chosen)
    return _scored(best, scores[chosen]), repeats[chosen] > SAME


def _apart(overlap: NDArray[np.float64], limit: float, most: int) -> NDArray[np.int64]:
    """Return the first `most` places of ranked things, none of which overlaps an earlier one by more."""
    chosen: list[int] = []
    for place in range(len(overlap)):
        if len(chosen) < most and not (overlap[place, chosen] > limit).any():
            chosen.append(place)
    return np.array(chosen, dtype=np.int64)


def _depth(cells: Cells, index: int, point: NDArray[np.float64]) -> float:
    """Return how far inside a mask a point lies: 0 outside, 1 where the mask is deepest."""
    x, y = np.floor(point).astype(np.int64) - cells.offsets[index]
    mask = cells.masks[index]
    if not (0 <= x < mask.shape[1] and 0 <= y < mask.shape[0] and mask[y, x]):
        return 0.0
    distance = np.asarray(ndimage.distance_transform_edt(np.pad(mask, 1)))[1:-1, 1:-1]
    return float(distance[y, x] / distance.max())


def _scored(cells: Cells, scores: NDArray[np.float64]) -> Cells:
    return Cells.build(
        cells.masks, cells.offsets, cells.labels, cells.image_shape, scores=scores, mpp=cells.mpp
    )
