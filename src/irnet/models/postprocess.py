"""From scored boxes to instances, and from instances to Cells, without a mask of the whole frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irnet.cells import Cells
from irnet.models.boxes import Sizes, area_growth, box_iou
from irnet.models.vision import nms

Suppression = Literal["box", "mask", "soft"]

SMALLEST = 1e-2  # px; thinner boxes hold nothing
SIGMA = 0.5  # of soft suppression
THRESHOLD = 0.5  # of the mask probability, where no other is given


class Instances(NamedTuple):
    """What the network found in one image, best first."""

    boxes: Tensor  # (n, 4) xyxy px, where the masks lie
    labels: Tensor  # (n,) 1 and up
    scores: Tensor  # (n,)
    masks: Tensor  # (n, 28, 28) probabilities inside the box


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which boxes of an image leave the network: suppression class by class, then the best of all classes.

    Args:
        floor: scores up to it are dropped.
        nms_iou: of each class, the overlap from which a worse box is dropped.
        max_per_megapixel: most boxes of an image, of a megapixel at least.
        suppression: "soft" lowers the scores of worse boxes instead; "mask" keeps all, for masks to decide.
    """

    floor: float
    nms_iou: tuple[float, ...]
    max_per_megapixel: int
    suppression: Suppression = "box"

    def limit(self, sizes: Sizes) -> int:
        """Most boxes of an image of a batch."""
        return round(self.max_per_megapixel * area_growth(sizes))


def select_boxes(
    boxes: Tensor, scores: Tensor, selection: Selection, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The boxes of one image that stay, `limit` at most.

    Args:
        boxes: (C, N, 4) xyxy px; scores: (C, N) of each class.

    Returns:
        Boxes (n, 4), labels (n,) from 1, scores (n,), best first.
    """
    chosen, score = select_places(boxes, scores, selection, limit)
    return boxes.flatten(0, 1)[chosen], chosen // boxes.shape[1] + 1, score


def select_places(boxes: Tensor, scores: Tensor, selection: Selection, limit: int) -> tuple[Tensor, Tensor]:
    """The same as places (n,) in the flattened (C N) candidates, and their scores (n,)."""
    floor, suppression = selection.floor, selection.suppression
    places, kept_scores = [], []
    for number, (box, score, iou) in enumerate(zip(boxes, scores, selection.nms_iou, strict=True)):
        real = ((score > floor) & (box[:, 2:] - box[:, :2] >= SMALLEST).all(dim=1)).nonzero()[:, 0]
        box, score = box[real], score[real]

        if suppression == "soft":
            score = soften(box, score)
        kept = nms(box, score, iou) if suppression == "box" else (score > floor).nonzero()[:, 0]
        places.append(number * boxes.shape[1] + real[kept])
        kept_scores.append(score[kept])

    score, order = torch.cat(kept_scores).sort(descending=True, stable=True)
    return torch.cat(places)[order[:limit]], score[:limit]


def soften(boxes: Tensor, scores: Tensor) -> Tensor:
    """Scores (n,) of boxes (n, 4) after Gaussian soft-NMS (Bodla et al. 2017, Eq. 3).

    From the best box down, every box that still waits is damped by exp(-IoU^2 / SIGMA) with it.
    """
    damping = (-(box_iou(boxes, boxes) ** 2) / SIGMA).exp()  # (n, n)
    waiting = torch.ones_like(scores, dtype=torch.bool)
    for _ in range(len(scores)):
        best = scores.masked_fill(~waiting, -1).argmax()
        waiting[best] = False
        scores = torch.where(waiting, scores * damping[best], scores)
    return scores


def to_cells(
    instances: Instances,
    image_shape: tuple[int, int],
    mpp: float | None = None,
    *,
    thresholds: Mapping[int, float] | None = None,
) -> Cells:
    """Cells of the instances, cut to an image of `image_shape` (H, W).

    Each mask is interpolated inside its own box and ends where its probability falls below the threshold of
    its label (.5 where `thresholds` is None); one without a pixel is dropped. Parents are left unknown.
    """
    boxes, labels, scores, masks = (field.detach().cpu().numpy() for field in instances)
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
