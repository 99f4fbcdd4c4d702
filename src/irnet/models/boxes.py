"""Boxes of a batch of images as tensors: padded, cut to their images, and how much they share."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from irnet.models.constants import Sizes


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


def clip(boxes: Tensor, sizes: Sizes) -> Tensor:
    """Boxes (B, ..., 4) cut to their images."""
    limits = _limits(tuple(sizes), boxes.dtype, boxes.device)
    return boxes.clamp(min=0).minimum(limits.view(-1, *[1] * (boxes.ndim - 2), 4))


@lru_cache(maxsize=16)
def _limits(sizes: tuple[tuple[int, int], ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Right and lower ends of images, (B, 4); kept: to send them to a GPU again would make it wait."""
    with torch.inference_mode(False):
        ends = [[width, height, width, height] for height, width in sizes]
        return torch.tensor(ends, dtype=dtype, device=device)


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
