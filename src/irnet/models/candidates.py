"""Candidates of the duplicate removal: which boxes it ranks, and which of them are correct (section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from irnet.models.duplicate_removal import LabelRule, drm_labels
from irnet.models.truths import Truths


class Candidates(NamedTuple):
    """The N best boxes of each class c of each image b."""

    features: Tensor  # (B, C, N, F) of the box head
    boxes: Tensor  # (B, C, N, 4) xyxy px, decoded for the class
    scores: Tensor  # (B, C, N) class probability
    valid: Tensor  # (B, C, N) bool, false where padding


class ScoredCandidates(NamedTuple):
    """Candidates of each class, and the two scores that their rank is made of."""

    boxes: Tensor  # (B, C, N, 4) xyxy px, decoded for the class
    scores: Tensor  # (B, C, N) class probability s, 0 for padding
    correct: Tensor  # (B, C, N) p(correct) of the DRM, 1 without it

    def rank(self, powers: Sequence[float]) -> Tensor:
        """What suppression and cuts go by, s p^a with the power a of each class, (B, C, N)."""
        factors = [self.correct[:, place].pow(power) for place, power in enumerate(powers)]
        return self.scores * torch.stack(factors, dim=1)


def top_candidates(
    features: Tensor, boxes: Tensor, scores: Tensor, valid: Tensor, *, count: int
) -> Candidates:
    """The `count` boxes of best score of each class.

    Args:
        features: (B, R, F); boxes: (B, R, C, 4); scores: (B, R, C).
        valid: (B, R, C) bool, boxes that may be candidates.
    """
    ranked = scores.masked_fill(~valid, -1).transpose(1, 2)  # (B, C, R)
    best, index = ranked.topk(min(count, ranked.shape[2]), dim=2)  # (B, C, N)

    image = torch.arange(len(index), device=index.device).view(-1, 1, 1)
    column = torch.arange(index.shape[1], device=index.device).view(1, -1, 1)
    return Candidates(
        features=features[image, index],
        boxes=boxes[image, index, column],
        scores=best.clamp(min=0),
        valid=best >= 0,
    )


def label_candidates(candidates: Candidates, truths: Truths, *, rule: LabelRule, iou: float) -> Tensor:
    """1 for the correct candidate of each truth, 0 for the others, (B, C, N).

    All images and classes are labelled at once, each moved to a place of its own where no other reaches.
    """
    images, classes = candidates.scores.shape[:2]
    extent = 2 * torch.maximum(candidates.boxes.amax(), truths.boxes.amax())  # between two such places
    group = torch.arange(images * classes, device=extent.device).view(images, classes, 1, 1)
    truth_group = torch.arange(images, device=extent.device)[:, None] * classes + truths.labels - 1  # (B, G)

    # Padding shrinks to a point, which overlaps nothing
    boxes = candidates.boxes * candidates.valid[..., None] + group * extent
    truth_boxes = truths.boxes * truths.valid[..., None] + truth_group[..., None] * extent

    labels = drm_labels(
        boxes.flatten(0, 2), candidates.scores.flatten(), truth_boxes.flatten(0, 1), rule=rule, iou=iou
    )
    return labels.view_as(candidates.scores)
