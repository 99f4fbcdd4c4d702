"""Losses of the detector (IRNet, section 2.3; Mask R-CNN), float32. The DRM's is in duplicate_removal.py."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irnet.models.vision import generalized_box_iou_loss, roi_align


def mean_over(values: Tensor, wanted: Tensor, counted: Tensor) -> Tensor:
    """Sum () of `values` where `wanted`, over the number of `counted`; 0 for none. All of one shape."""
    return torch.where(wanted, values, 0.0).sum() / counted.sum().clamp(min=1)


def smooth_l1(predicted: Tensor, target: Tensor, *, beta: float) -> Tensor:
    """Smooth L1 of encoded boxes (..., 4), summed over the four numbers, (...)."""
    return F.smooth_l1_loss(predicted, target, beta=beta, reduction="none").sum(dim=-1)


def giou(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - generalised IoU of boxes xyxy (..., 4), (...) (Rezatofighi et al. 2019)."""
    return generalized_box_iou_loss(predicted, target)


def class_loss(logits: Tensor, labels: Tensor, unlabelled: Tensor) -> Tensor:
    """Cross-entropy of each box, (k,); for background, of all classes that it may hide.

    Args:
        logits: (k, 1 + C).
        labels: (k,) class of each box, 0 for background.
        unlabelled: (k, C) bool, classes that were not annotated in the image of the box.
    """
    own = labels[:, None] == torch.arange(logits.shape[1], device=labels.device)  # (k, 1 + C)
    hidden = F.pad(unlabelled & (labels == 0)[:, None], (1, 0))
    log_p = logits.float().log_softmax(dim=1)
    return -log_p.masked_fill(~(own | hidden), -torch.inf).logsumexp(dim=1)


def mask_loss(logits: Tensor, labels: Tensor, targets: Tensor, real: Tensor | None = None) -> Tensor:
    """Mean binary cross-entropy of the masks of each box's own class, a scalar; 0 for no box.

    Args:
        logits: (n, 1 + C, 28, 28); labels: (n,); targets: (n, 28, 28) in 0 to 1.
        real: (n,) bool, false where a box is padding; None: all are real.
    """
    own = logits[torch.arange(len(labels), device=labels.device), labels].float()  # (n, 28, 28)
    losses = F.binary_cross_entropy_with_logits(own, targets, reduction="none")
    if real is None:
        return losses.sum() / max(losses.numel(), 1)
    return mean_over(losses.mean(dim=(1, 2)), real, real)


def mask_targets(boxes: Tensor, truth_boxes: Tensor, truth_masks: Tensor, *, side: int) -> Tensor:
    """What of its truth's mask each box should show, (n, side, side) in 0 to 1.

    Args:
        boxes: (n, 4) xyxy px.
        truth_boxes: (n, 4) of the truth that each box is matched to.
        truth_masks: (n, M, M) 0 to 255, the truth's mask resampled into its own box.
    """
    # Each box seen in the frame of its truth's mask
    n, samples = len(boxes), truth_masks.shape[-1]
    corner, size = truth_boxes[:, :2].repeat(1, 2), (truth_boxes[:, 2:] - truth_boxes[:, :2]).repeat(1, 2)
    inside = (boxes - corner) / size * samples + 1  # px of the mask with a margin of one

    framed = F.pad(truth_masks[:, None].float() / 255, (1, 1, 1, 1))  # outside its box a mask is empty
    index = torch.arange(n, device=boxes.device, dtype=inside.dtype)[:, None]
    return roi_align(framed, torch.cat([index, inside], dim=1), (side, side), aligned=True)[:, 0]
