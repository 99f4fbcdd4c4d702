"""From masks in boxes to `Cells`, without a mask of the whole frame and without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells

THRESHOLD = 0.5  # of the mask probability, where no other is given


class Found(NamedTuple):
    """What a network found in one image, best first."""

    boxes: NDArray[np.float32]  # (n, 4) xyxy px, where the masks lie
    labels: NDArray[np.int64]  # (n,) 1 and up
    scores: NDArray[np.float32]  # (n,)
    masks: NDArray[np.float32]  # (n, 28, 28) probabilities inside the box


def to_cells(
    found: Found,
    image_shape: tuple[int, int],
    mpp: float | None = None,
    *,
    thresholds: Mapping[int, float] | None = None,
) -> Cells:
    """Cells of what was found, cut to an image of `image_shape` (H, W).

    Each mask is interpolated inside its own box and ends where its probability falls below the threshold of
    its label (.5 where `thresholds` is None); one without a pixel is dropped. Parents are left unknown.
    """
    boxes, labels, scores, masks = found
    least = [THRESHOLD if thresholds is None else thresholds[label] for label in labels.tolist()]
    placed = zip(boxes.astype(np.float64), masks.astype(np.float64), least, strict=True)

    crops, offsets, kept = [], [], []
    for i, (box, mask, threshold) in enumerate(placed):
        crop, offset = paste(mask, box, image_shape, threshold)
        if crop.any():
            crops.append(crop)
            offsets.append(offset)
            kept.append(i)

    return Cells.build(crops, offsets, labels[kept], image_shape, scores=scores[kept], mpp=mpp)


def paste(
    mask: NDArray[np.float64],
    box: NDArray[np.float64],
    image_shape: tuple[int, int],
    threshold: float = THRESHOLD,
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """A mask (S, S) of probabilities in its box as a crop of the image, bool, and the crop's x and y.

    Pixels belong to the crop whose centres the box may cover; outside its box the mask is zero.
    """
    height, width = image_shape
    x, columns = _interpolation(box[0], box[2], width, mask.shape[1])
    y, rows = _interpolation(box[1], box[3], height, mask.shape[0])
    return rows @ mask @ columns.T >= threshold, (x, y)  # (h, S) (S, S) (S, w)


def _interpolation(low: float, high: float, limit: int, samples: int) -> tuple[int, NDArray[np.float64]]:
    """First pixel of an extent along one axis, and the bilinear weights (pixels, samples) of its pixels."""
    first, last = max(0, int(np.floor(low))), min(limit, int(np.ceil(high)))
    centres = np.arange(first, max(first, last)) + 0.5
    place = (centres - low) / max(high - low, 1e-6) * samples - 0.5
    return first, np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(samples)))
