"""The DRM behind a box branch: its candidates, what it learns from them, and their order (section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from irnet.models.candidates import Candidates, ScoredCandidates, label_candidates, top_candidates
from irnet.models.constants import Sizes, area_growth
from irnet.models.duplicate_removal import (
    DuplicateRemoval,
    LabelRule,
    LossForm,
    drm_loss,
    ranks_of,
    ranks_within,
)
from irnet.models.losses import mean_over
from irnet.models.neighbourhoods import by_tiles, relation_reach
from irnet.models.object_relation import PAIRS_AT_ONCE, rank_embedding
from irnet.models.truths import Truths, ignored, truth_iou

LABEL_IOU = 0.5  # with every truth: below it candidates are duplicates in any case


@dataclass(frozen=True, kw_only=True)
class RankingRules:
    """How a network uses its DRM.

    Args:
        count: candidates of each class; in test for images of `field_megapixels`, more beyond.
        across_classes: whether boxes of both classes attend to each other.
        power: of each class, the power a of p(correct) in the final score s p^a.
        label, form: labels and loss, see drm_labels and drm_loss.
        training_boxes: candidates in training are the sampled boxes or, as in test, all proposals.
        truth_candidates: whether added truth boxes are among the sampled candidates.
        end_to_end: whether the loss on proposals reaches the layers under it.
    """

    count: int
    field_megapixels: float
    across_classes: bool
    power: tuple[float, ...]
    label: LabelRule
    form: LossForm
    training_boxes: Literal["sampled", "proposals"]
    truth_candidates: bool
    end_to_end: bool


class CandidateRanking(DuplicateRemoval):
    """p(correct) of the best boxes of each class, and its loss. Arguments as in DuplicateRemoval."""

    def __init__(self, rules: RankingRules, *, in_features: int, top_k: int, relation: bool) -> None:
        super().__init__(in_features=in_features, top_k=top_k, relation=relation)
        self.rules = rules

    def score_candidates(
        self, hidden: Tensor, scores: Tensor, boxes: Tensor, valid: Tensor, sizes: Sizes, floor: float = 0.0
    ) -> ScoredCandidates:
        """The best boxes of each class and their p(correct).

        Args:
            hidden: (B, R, F) of the box head; scores: (B, R, C); boxes: (B, R, C, 4); valid: (B, R) bool.
            sizes: of the images: larger ones have more candidates.
            floor: candidates up to this score leave the network in any case.
        """
        growth = area_growth(sizes, self.rules.field_megapixels)
        reach = relation_reach(sizes, self.rules.field_megapixels)
        among = valid[..., None].expand_as(scores)  # (B, R, C)
        best = top_candidates(hidden, boxes, scores, among, count=round(self.rules.count * growth))
        if hidden.device.type == "cpu":
            return ScoredCandidates(best.boxes, best.scores, self._correct_above(floor, best, reach))
        return ScoredCandidates(best.boxes, best.scores, self.correctness(best, reach).float().sigmoid())

    def _correct_above(self, floor: float, best: Candidates, reach: float | None) -> Tensor:
        """p(correct) (B, C, N) of the candidates of a score above `floor`, 1 of the others: far less work."""
        sets = [field.flatten(1, 2) if self.rules.across_classes else field.flatten(0, 1) for field in best]
        features, boxes, scores, valid = sets  # (S, N, ...)
        ranks = ranks_of(scores, valid) if reach is None else ranks_within(reach, scores, boxes, valid)
        embedded = rank_embedding(ranks).to(features.dtype)

        correct = torch.ones_like(scores)
        for number, score in enumerate(scores):
            asked = (score > floor).nonzero()[:, 0].numpy()
            for places in by_tiles(boxes[number].numpy(), asked, reach):
                rows, near = map(torch.from_numpy, places)
                judge = partial(
                    self.judge,
                    features[number, near],
                    embedded[number, near],
                    boxes[number, near],
                    valid=valid[number, near],
                    reach=reach,
                )
                inside = torch.searchsorted(near, rows).split(max(1, PAIRS_AT_ONCE // len(near)))
                correct[number, rows] = torch.cat([judge(rows=some) for some in inside]).float().sigmoid()
        return correct.view_as(best.scores)

    def correctness(self, best: Candidates, reach: float | None = None) -> Tensor:
        """Logits of p(correct), (B, C, N): each class by itself, or the boxes of all classes as one set."""
        if not self.rules.across_classes:
            return self(*best, reach)
        joint = [field.flatten(1, 2) for field in best]  # (B, C N, ...): ranks and geometry of one list
        return self(*joint, reach).view_as(best.scores)

    def loss(
        self, hidden: Tensor, logits: Tensor, boxes: Tensor, valid: Tensor, truths: Truths
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of p(correct), and the mean p of correct and of duplicate candidates.

        Args:
            hidden: (B, R, F) of the box head; logits: (B, R, 1 + C); boxes: (B, R, C, 4); valid: (B, R) bool.
        """
        # Candidates and their labels
        scores = logits.detach().softmax(dim=2)[..., 1:]  # (B, R, C)
        among = may_compete(boxes, valid, truths)
        best = top_candidates(hidden, boxes, scores, among, count=self.rules.count)
        labels = label_candidates(best, truths, rule=self.rules.label, iou=LABEL_IOU)  # (B, C, N)

        logit = self.correctness(best)
        loss = drm_loss(logit, best.scores, labels, form=self.rules.form, valid=best.valid)

        # Figures: a module that has learned nothing gives both the same p
        p, right = logit.detach().float().sigmoid(), (labels >= LABEL_IOU) & best.valid
        wrong = best.valid & ~right
        return loss, {"p_correct": mean_over(p, right, right), "p_duplicate": mean_over(p, wrong, wrong)}


def may_compete(boxes: Tensor, valid: Tensor, truths: Truths) -> Tensor:
    """Boxes (B, R, C, 4) of annotated classes outside the ignore regions, (B, R, C) bool.

    A box that overlaps a truth competes in an ignore region too. `valid` is (B, R) bool.
    """
    flat = boxes.flatten(1, 2)  # (B, R C, 4)
    unknown = ignored(flat, truths) & (truth_iou(flat, truths).amax(dim=2) < LABEL_IOU)
    return valid[..., None] & truths.annotated[:, None, :] & ~unknown.view(boxes.shape[:3])
