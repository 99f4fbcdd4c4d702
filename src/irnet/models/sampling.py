"""Truth in batches, and the choice of the boxes that give a loss (Ren et al. 2015, section 3.1.3).

What is not labelled gives no loss. Instances of a class that was not annotated in an image could lie anywhere
in its background: there, background gives no objectness loss, and its class loss only asks for "background or
one of those classes". Boxes of which more than half lies in an ignore region are no background either.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Sizes = list[tuple[int, int]]  # height and width of each image inside the padded batch (px)

INSIDE = 0.5  # share of its area above which a box lies in an ignore region


class Proposed(NamedTuple):
    """Boxes of B images, R of each."""

    boxes: Tensor  # (B, R, 4) xyxy px
    valid: Tensor  # (B, R) bool, false where padding

    @classmethod
    def of(cls, boxes: list[Tensor]) -> Proposed:
        """The boxes (n, 4) of each image, padded to the longest."""
        counts = torch.tensor([len(box) for box in boxes])
        padded = pad_sequence(boxes, batch_first=True)
        valid = torch.arange(padded.shape[1]) < counts[:, None]
        return cls(padded, valid.to(padded.device))

    def each(self) -> list[Tensor]:
        """Those of each image without padding, (n, 4)."""
        return [box[there] for box, there in zip(*self, strict=True)]


class Truths(NamedTuple):
    """What is known of a batch of B images. Each has G instances, of which at least the last is padding."""

    boxes: Tensor  # (B, G, 4) xyxy px at the network's scale
    labels: Tensor  # (B, G) classes, 1 and up
    valid: Tensor  # (B, G) bool, false where padding
    masks: Tensor  # (B, G, M, M) uint8 or float, 0 to 255, each mask resampled into its own box
    annotated: Tensor  # (B, C) bool, column c - 1 for class c
    ignore: Tensor  # (B, K, 4) boxes of ignore regions, zeros where padding

    @classmethod
    def collate(cls, targets: list[dict[str, Tensor]], scales: Tensor) -> Truths:
        """Batch the targets of the images; `scales` (B, 2) are the factors of x and y of their resizing."""
        boxes, labels, masks, ignore = (
            pad_sequence([with_padding(target[key]) for target in targets], batch_first=True)
            for key in ("boxes", "labels", "masks", "ignore")
        )
        annotated = torch.stack([target["annotated"] for target in targets])
        factor = scales.repeat(1, 2)[:, None]  # (B, 1, 4)
        return cls(
            boxes=boxes.float() * factor,
            labels=labels,
            valid=(labels > 0) & annotated.gather(1, (labels - 1).clamp(min=0)),
            masks=masks,
            annotated=annotated,
            ignore=ignore.float() * factor,
        )

    @property
    def complete(self) -> Tensor:
        """Images in which every class was annotated, (B,) bool."""
        return self.annotated.all(dim=1)


def with_padding(values: Tensor) -> Tensor:
    """`values` and one row of zeros, so that an image without instances is no special case."""
    return torch.cat([values, values.new_zeros(1, *values.shape[1:])])


def clip(boxes: Tensor, sizes: Sizes) -> Tensor:
    """Boxes (B, ..., 4) cut to their images."""
    limits = _limits(tuple(sizes), boxes.dtype, boxes.device)
    return boxes.clamp(min=0).minimum(limits.view(-1, *[1] * (boxes.ndim - 2), 4))


@lru_cache(maxsize=16)
def _limits(sizes: tuple[tuple[int, int], ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Right and lower ends of images, (B, 4); kept, for what is sent to a GPU anew is waited for."""
    with torch.inference_mode(False):
        ends = [[width, height, width, height] for height, width in sizes]
        return torch.tensor(ends, dtype=dtype, device=device)


def area_growth(sizes: Sizes, megapixels: float = 1.0) -> float:
    """Factor of limits meant for images of up to `megapixels`: how much larger the largest is, at least 1."""
    return max(1.0, max(height * width for height, width in sizes) / 1e6 / megapixels)


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (B, n, 4) and (B, m, 4), (B, n, m); 0 where both are empty."""
    shared = intersection(a, b)
    union = (area(a)[..., :, None] + area(b)[..., None, :]).sub_(shared)
    return shared.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))


def intersection(a: Tensor, b: Tensor) -> Tensor:
    """Shared area of boxes (B, n, 4) and (B, m, 4), (B, n, m)."""
    a, b = a[..., :, None, :], b[..., None, :, :]
    width = torch.minimum(a[..., 2], b[..., 2]).sub_(torch.maximum(a[..., 0], b[..., 0]))
    height = torch.minimum(a[..., 3], b[..., 3]).sub_(torch.maximum(a[..., 1], b[..., 1]))
    return width.clamp_(min=0).mul_(height.clamp_(min=0))


def area(boxes: Tensor) -> Tensor:
    """Area of boxes (..., 4), (...)."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def truth_iou(boxes: Tensor, truths: Truths) -> Tensor:
    """Overlap of boxes (B, n, 4) with the truths, (B, n, G); 0 for padding."""
    return box_iou(boxes, truths.boxes).mul_(truths.valid[:, None, :])


def ignored(boxes: Tensor, truths: Truths) -> Tensor:
    """Boxes (B, n, 4) of which an ignore region holds more than half, (B, n) bool."""
    held = intersection(boxes, truths.ignore).amax(dim=2)
    return held > INSIDE * area(boxes)


def sample(
    positive: Tensor, negative: Tensor, *, batch: int, positive_fraction: float
) -> tuple[Tensor, Tensor]:
    """Choose `batch` boxes an image at random: up to a share of positives, filled up with negatives.

    Args:
        positive, negative: (B, n) bool, disjoint.

    Returns:
        Indices (B, S) and whether each is a choice and no padding (B, S); S = min(batch, n), positives first.
    """
    key = torch.rand(positive.shape, device=positive.device)
    quota = min(int(batch * positive_fraction), key.shape[1])
    bar = key.masked_fill(~positive, -1).topk(quota, dim=1).values[:, -1:] if quota else 2
    chosen = positive & (key >= bar)
    merit = torch.where(chosen, key + 1, key).masked_fill(~(chosen | negative), -1)
    values, index = merit.topk(min(batch, key.shape[1]), dim=1)
    return index, values >= 0
