"""Box branch: class and box of each proposal, and the removal of duplicates (IRNet, section 2.2)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from irnet.models.box_coder import BoxCoder
from irnet.models.boxes import Proposed, clip
from irnet.models.candidates import ScoredCandidates
from irnet.models.constants import BOX_CODE, BOX_SIDE, STRIDES, Sizes
from irnet.models.constants import LEVELS as POOLED
from irnet.models.losses import class_loss, giou, mean_over, smooth_l1
from irnet.models.postprocess import Selection, select_places
from irnet.models.ranking import CandidateRanking
from irnet.models.sampling import Sampling
from irnet.models.truths import Truths, ignored, truth_iou
from irnet.models.vision import FastRCNNPredictor, TwoMLPHead, pyramid_pool

LEVELS = [str(level) for level in range(POOLED)]
LEVEL_STRIDES = STRIDES[:POOLED]

Features = dict[str, Tensor]
Detections = tuple[Tensor, Tensor, Tensor]  # boxes (n, 4), labels (n,), scores (n,) of one image


class SampledBoxes(NamedTuple):
    """The boxes of each image that give a loss, S an image, positives first."""

    boxes: Tensor  # (B, S, 4)
    labels: Tensor  # (B, S) class of the truth, 0 for background
    match: Tensor  # (B, S) index of the truth that each overlaps most
    chosen: Tensor  # (B, S) bool, false where padding
    proposed: Tensor  # (B, S) bool, false for truth boxes that were added
    quota: int  # most positives of an image

    @property
    def positive(self) -> Tensor:
        """(B, S) bool."""
        return self.chosen & (self.labels > 0)

    def positives(self) -> tuple[Tensor, Tensor, list[int]]:
        """Image and place of each positive, (n,), and how many each image has."""
        if self.boxes.device.type != "cpu":
            return self.filled()
        image, place = self.positive.nonzero(as_tuple=True)
        return image, place, self.positive.sum(dim=1).tolist()

    def filled(self) -> tuple[Tensor, Tensor, list[int]]:
        """The same with padding up to each image's quota: a GPU need not be asked how many there are."""
        images, quota = len(self.boxes), min(self.quota, self.boxes.shape[1])
        number = torch.arange(images * quota, device=self.boxes.device)
        return number // quota, number % quota, [quota] * images


class BoxBranch(nn.Module):
    """Two fully connected layers, class scores, class-wise boxes, and p(correct) of the best candidates.

    Args:
        width: channels of the pyramid; fc_width: of the two layers; classes: without background.
        sampling: the boxes that give a loss.
        box_form, smooth_l1_beta: the box loss.
        drm: None ranks by class score alone.
        selection: which boxes leave the network.
    """

    def __init__(
        self,
        *,
        width: int,
        fc_width: int,
        classes: int,
        sampling: Sampling,
        box_form: Literal["smooth_l1", "giou"],
        smooth_l1_beta: float,
        drm: CandidateRanking | None,
        selection: Selection,
    ) -> None:
        super().__init__()
        self.head = TwoMLPHead(width * BOX_SIDE * BOX_SIDE, fc_width)
        self.predictor = FastRCNNPredictor(fc_width, classes + 1)
        nn.init.normal_(self.predictor.cls_score.weight, std=0.01)  # each class as likely at first
        nn.init.normal_(self.predictor.bbox_pred.weight, std=0.001)  # and the proposals unchanged
        nn.init.zeros_(self.predictor.cls_score.bias)
        nn.init.zeros_(self.predictor.bbox_pred.bias)
        self.drm = drm

        self.pool = pyramid_pool(LEVELS, LEVEL_STRIDES, side=BOX_SIDE, inside=True)
        self.coder = BoxCoder(*BOX_CODE)
        self.classes = classes
        self.sampling, self.selection = sampling, selection
        self.box_form, self.smooth_l1_beta = box_form, smooth_l1_beta

    def forward(self, features: Features, boxes: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, R, F), class logits (B, R, 1 + C), box codes (B, R, 1 + C, 4) of boxes (B, R, 4)."""
        pooled = self.pool(features, list(boxes), sizes)  # (B R, width, 7, 7)
        hidden = self.head(pooled)  # (B R, F)
        logits, codes = self.predictor(hidden)  # (B R, 1 + C), (B R, 4 + 4 C)

        batch = boxes.shape[:2]
        return (
            hidden.unflatten(0, batch),
            logits.float().unflatten(0, batch),
            codes.float().unflatten(0, batch).unflatten(2, (-1, 4)),
        )

    def detect(self, features: Features, proposals: Proposed, sizes: Sizes) -> list[Detections]:
        """What each image holds: boxes, labels and scores (s p^a with the DRM, s without), best first."""
        boxes, valid = proposals
        hidden, logits, codes = self(features, boxes, sizes)
        ranked = self.rank(hidden, logits, self.decode(codes, boxes, sizes), valid, sizes)

        found = []
        for box, score in zip(*ranked, strict=True):  # (C, N, 4), (C, N)
            places, kept = self.select(box, score, sizes)
            found.append((box.flatten(0, 1)[places], places // box.shape[1] + 1, kept))
        return found

    def select(self, boxes: Tensor, scores: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor]:
        """Places (n,) in the flattened (C N) candidates of an image that stay, and scores, best first."""
        return select_places(boxes, scores, self.selection, self.selection.limit(sizes))

    @property
    def power(self) -> tuple[float, ...]:
        """Of each class, the power of p(correct) in the final score."""
        return (1.0,) * self.classes if self.drm is None else self.drm.rules.power

    def rank(
        self, hidden: Tensor, logits: Tensor, boxes: Tensor, valid: Tensor, sizes: Sizes
    ) -> tuple[Tensor, Tensor]:
        """Boxes (B, C, N, 4) and their final scores (B, C, N); 0 for padding."""
        scored = self.score_candidates(hidden, logits.softmax(dim=2)[..., 1:], boxes, valid, sizes)
        return scored.boxes, scored.rank(self.power)

    def score_candidates(
        self, hidden: Tensor, scores: Tensor, boxes: Tensor, valid: Tensor, sizes: Sizes
    ) -> ScoredCandidates:
        """The candidates of class probabilities (B, R, C) and boxes (B, R, C, 4), and their p(correct)."""
        if self.drm is not None:
            return self.drm.score_candidates(hidden, scores, boxes, valid, sizes, self.selection.floor)
        scores = (scores * valid[..., None]).transpose(1, 2)  # (B, C, R): every box is a candidate
        return ScoredCandidates(boxes.transpose(1, 2), scores, torch.ones_like(scores))

    def decode(self, codes: Tensor, boxes: Tensor, sizes: Sizes) -> Tensor:
        """The box of each class, cut to its image, (B, R, C, 4), without gradient."""
        return clip(self.coder.decode(codes.detach()[:, :, 1:], boxes[:, :, None]), sizes)

    def losses(
        self, features: Features, proposals: Proposed, sizes: Sizes, truths: Truths
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], SampledBoxes]:
        """Losses cls, box and drm, each (); figures to log; and the sampled boxes, which train the masks."""
        boxes, valid = proposals
        chosen = self.choose(boxes, valid, truths)
        hidden, logits, codes = self(features, chosen.boxes, sizes)

        # Class of every sampled box, and box of the positives
        unlabelled = ~truths.annotated[:, None, :].expand(*chosen.labels.shape, -1)  # (B, S, C)
        cls = class_loss(logits.flatten(0, 1), chosen.labels.flatten(), unlabelled.flatten(0, 1))  # (B S,)
        losses = {
            "cls": mean_over(cls, chosen.chosen.flatten(), chosen.chosen),
            "box": self.box_loss(codes, chosen, truths),
        }
        if self.drm is None:
            return losses, {}, chosen

        # p(correct): in test the DRM meets all proposals, so it may learn from all of them too
        rules = self.drm.rules
        if rules.training_boxes == "proposals":
            with torch.set_grad_enabled(rules.end_to_end):
                hidden, logits, codes = self(features, boxes, sizes)
        else:
            boxes, valid = chosen.boxes, chosen.chosen & (chosen.proposed | rules.truth_candidates)
        decoded = self.decode(codes, boxes, sizes)
        losses["drm"], figures = self.drm.loss(hidden, logits, decoded, valid, truths)
        return losses, figures, chosen

    @torch.no_grad()
    def choose(self, boxes: Tensor, valid: Tensor, truths: Truths) -> SampledBoxes:
        """A sample of the proposals (B, R, 4) and of the truth boxes."""
        proposed = torch.cat([valid, torch.zeros_like(truths.valid)], dim=1)  # (B, R + G)
        valid = torch.cat([valid, truths.valid], dim=1)
        boxes = torch.cat([boxes, truths.boxes], dim=1)

        # What is background, and which truth the others are of
        overlap, match = truth_iou(boxes, truths).max(dim=2)
        positive = valid & (overlap >= self.sampling.positive_iou)
        negative = valid & ~positive & (overlap < self.sampling.negative_iou) & ~ignored(boxes, truths)
        labels = truths.labels.gather(1, match) * positive

        index, chosen = self.sampling.draw(positive, negative)  # (B, S)
        return SampledBoxes(
            boxes=boxes.gather(1, index[..., None].expand(-1, -1, 4)),
            labels=labels.gather(1, index),
            match=match.gather(1, index),
            chosen=chosen,
            proposed=proposed.gather(1, index),
            quota=self.sampling.quota,
        )

    def box_loss(self, codes: Tensor, chosen: SampledBoxes, truths: Truths) -> Tensor:
        """Loss () of codes (B, S, 1 + C, 4) of the positives' own class, over the number of sampled boxes."""
        # Positives come first: the others need no code
        some = slice(chosen.quota)
        labels, match = chosen.labels[:, some], chosen.match[:, some]  # (B, quota)
        boxes, positive = chosen.boxes[:, some], chosen.positive[:, some]

        # Of each box the code of its own class, and the box of its truth
        own = labels[..., None, None].expand(-1, -1, 1, 4)
        code = codes[:, some].gather(2, own)[:, :, 0]  # (B, quota, 4)
        target = truths.boxes.gather(1, match[..., None].expand(-1, -1, 4))

        if self.box_form == "giou":
            losses = giou(self.coder.decode(code, boxes), target)
        else:
            goal = torch.where(positive[..., None], self.coder.encode(target, boxes), 0.0)
            losses = smooth_l1(code, goal, beta=self.smooth_l1_beta)
        return torch.where(positive, losses, 0.0).sum() / chosen.chosen.sum().clamp(min=1)
