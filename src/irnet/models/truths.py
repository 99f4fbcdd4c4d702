"""The truth of a batch of images, and how boxes lie to it.

What is not labelled gives no loss. Instances of a class that was not annotated in an image could lie anywhere
in its background: there, background gives no objectness loss, and its class loss only asks for "background or
one of those classes". Boxes of which more than half lies in an ignore region are no background either.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from irnet.models.boxes import area, box_iou, intersection

INSIDE = 0.5  # share of its area above which a box lies in an ignore region


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
        fields = ("boxes", "labels", "masks", "ignore")
        boxes, labels, masks, ignore = (_padded(targets, field) for field in fields)
        annotated = torch.stack([target["annotated"] for target in targets])
        known = annotated.gather(1, (labels - 1).clamp(min=0))  # whether the class of each instance is

        factor = scales.repeat(1, 2)[:, None]  # (B, 1, 4)
        return cls(
            boxes=boxes.float() * factor,
            labels=labels,
            valid=(labels > 0) & known,
            masks=masks,
            annotated=annotated,
            ignore=ignore.float() * factor,
        )

    @property
    def complete(self) -> Tensor:
        """Images in which every class was annotated, (B,) bool."""
        return self.annotated.all(dim=1)


def _padded(targets: list[dict[str, Tensor]], field: str) -> Tensor:
    """A field (n, ...) of each target in one tensor, (B, G, ...).

    Each gets a row of zeros, so that an image without instances is no special case.
    """
    longer = []
    for target in targets:
        values = target[field]
        longer.append(torch.cat([values, values.new_zeros(1, *values.shape[1:])]))
    return pad_sequence(longer, batch_first=True)


def truth_iou(boxes: Tensor, truths: Truths) -> Tensor:
    """Overlap of boxes (B, n, 4) with the truths, (B, n, G); 0 for padding."""
    return box_iou(boxes, truths.boxes).mul_(truths.valid[:, None, :])


def ignored(boxes: Tensor, truths: Truths) -> Tensor:
    """Boxes (B, n, 4) of which an ignore region holds more than half, (B, n) bool."""
    held = intersection(boxes, truths.ignore).amax(dim=2)
    return held > INSIDE * area(boxes)
