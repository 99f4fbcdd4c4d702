"""From scored boxes to instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from irnet.models.boxes import box_iou
from irnet.models.constants import SIGMA, SMALLEST_BOX, Sizes, area_growth
from irnet.models.pasting import Found
from irnet.models.vision import nms

Suppression = Literal["box", "mask", "soft"]


class Instances(NamedTuple):
    """What the network found in one image, best first."""

    boxes: Tensor  # (n, 4) xyxy px, where the masks lie
    labels: Tensor  # (n,) 1 and up
    scores: Tensor  # (n,)
    masks: Tensor  # (n, 28, 28) probabilities inside the box

    def found(self) -> Found:
        """The same in NumPy."""
        boxes, labels, scores, masks = (field.detach().cpu().numpy() for field in self)
        return Found(boxes, labels, scores, masks)


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
        real = ((score > floor) & (box[:, 2:] - box[:, :2] >= SMALLEST_BOX).all(dim=1)).nonzero()[:, 0]
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
