"""Box branch: class and box of each proposal, and the removal of duplicates (IRNet, section 2.2)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from irnet.models.box_coder import BoxCoder
from irnet.models.candidates import Candidates, Judged, label_candidates, top_candidates
from irnet.models.duplicate_removal import DuplicateRemoval, LabelRule, LossForm, drm_loss
from irnet.models.losses import class_loss, giou, mean_over, smooth_l1
from irnet.models.postprocess import Suppression, select_places
from irnet.models.proposals import STRIDES
from irnet.models.sampling import Proposed, Sizes, Truths, area_growth, clip, ignored, sample, truth_iou
from irnet.models.vision import FastRCNNPredictor, TwoMLPHead, pyramid_pool

LEVELS = ["0", "1", "2", "3"]  # P2 to P5
LEVEL_STRIDES = STRIDES[: len(LEVELS)]
SIDE = 7  # of the pooled features
CODE_WEIGHTS = (10.0, 5.0)  # of centres and sizes
POSITIVE_IOU = 0.5  # with a truth: such boxes are positive, the others background
LABEL_IOU = 0.5  # with every truth: below it candidates are duplicates in any case

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
        batch, positive_fraction: the boxes that give a loss.
        box_form, smooth_l1_beta: the box loss.
        drm: None ranks by class score alone.
        candidates: boxes of each class that the DRM sees, in test for `field_megapixels`; more beyond.
        drm_label, drm_form: its labels and loss, see drm_labels and drm_loss.
        drm_training: its candidates in training are the sampled boxes or, as in test, all proposals.
        truth_candidates: whether added truth boxes are among the sampled candidates.
        drm_end_to_end: whether its loss on proposals reaches the layers under it.
        drm_across: whether boxes of both classes attend to each other.
        drm_power: of each class, the power of p(correct) in the final score s p^a.
        floor, nms_iou, suppression, max_per_megapixel: which boxes leave the network, see select_boxes.
    """

    def __init__(
        self,
        *,
        width: int,
        fc_width: int,
        classes: int,
        batch: int,
        positive_fraction: float,
        box_form: Literal["smooth_l1", "giou"],
        smooth_l1_beta: float,
        drm: DuplicateRemoval | None,
        candidates: int,
        drm_label: LabelRule,
        drm_form: LossForm,
        drm_training: Literal["sampled", "proposals"],
        truth_candidates: bool,
        drm_end_to_end: bool,
        drm_across: bool,
        drm_power: tuple[float, ...],
        floor: float,
        nms_iou: tuple[float, ...],
        suppression: Suppression,
        max_per_megapixel: int,
        field_megapixels: float,
    ) -> None:
        super().__init__()
        self.head = TwoMLPHead(width * SIDE * SIDE, fc_width)
        self.predictor = FastRCNNPredictor(fc_width, classes + 1)
        nn.init.normal_(self.predictor.cls_score.weight, std=0.01)  # each class as likely at first
        nn.init.normal_(self.predictor.bbox_pred.weight, std=0.001)  # and the proposals unchanged
        nn.init.zeros_(self.predictor.cls_score.bias)
        nn.init.zeros_(self.predictor.bbox_pred.bias)
        self.drm = drm
        self.pool = pyramid_pool(LEVELS, LEVEL_STRIDES, side=SIDE, inside=True)
        self.coder = BoxCoder(*CODE_WEIGHTS)
        self.batch, self.positive_fraction = batch, positive_fraction
        self.box_form, self.smooth_l1_beta = box_form, smooth_l1_beta
        self.candidates, self.drm_training, self.truth_candidates = candidates, drm_training, truth_candidates
        self.drm_label: LabelRule = drm_label
        self.drm_form: LossForm = drm_form
        self.drm_across, self.drm_end_to_end = drm_across, drm_end_to_end
        self.drm_power = drm_power
        self.floor, self.nms_iou, self.max_per_megapixel = floor, nms_iou, max_per_megapixel
        self.field_megapixels = field_megapixels
        self.suppression: Suppression = suppression

    def forward(self, features: Features, boxes: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, R, F), class logits (B, R, 1 + C), box codes (B, R, 1 + C, 4) of boxes (B, R, 4)."""
        pooled = self.pool(features, list(boxes), sizes)  # (B R, width, 7, 7)
        hidden = self.head(pooled)
        logits, codes = self.predictor(hidden)
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
        growth = area_growth(sizes, self.field_megapixels)
        ranked = self.rank(hidden, logits, self.decode(codes, boxes, sizes), valid, growth)
        found = []
        for box, score in zip(*ranked, strict=True):
            places, kept = self.select(box, score, sizes)
            found.append((box.flatten(0, 1)[places], places // box.shape[1] + 1, kept))
        return found

    def select(self, boxes: Tensor, scores: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor]:
        """Places (n,) in the flattened (C N) candidates of an image that stay, and scores, best first."""
        return select_places(
            boxes,
            scores,
            floor=self.floor,
            nms_iou=self.nms_iou,
            limit=round(self.max_per_megapixel * area_growth(sizes)),
            suppression=self.suppression,
        )

    def rank(
        self, hidden: Tensor, logits: Tensor, boxes: Tensor, valid: Tensor, growth: float
    ) -> tuple[Tensor, Tensor]:
        """Boxes (B, C, N, 4) and their final scores (B, C, N); 0 for padding."""
        judged = self.judge(hidden, logits.softmax(dim=2)[..., 1:], boxes, valid, growth)
        return judged.boxes, judged.rank(self.drm_power)

    def judge(self, hidden: Tensor, scores: Tensor, boxes: Tensor, valid: Tensor, growth: float) -> Judged:
        """The candidates of class probabilities (B, R, C) and boxes (B, R, C, 4), and their p(correct)."""
        scores = scores * valid[..., None]
        if self.drm is None:
            return Judged(
                boxes.transpose(1, 2), scores.transpose(1, 2), torch.ones_like(scores.transpose(1, 2))
            )
        among = valid[..., None].expand_as(scores)
        best = top_candidates(hidden, boxes, scores, among, count=round(self.candidates * growth))
        return Judged(best.boxes, best.scores, self.correctness(best, growth).float().sigmoid())

    def correctness(self, best: Candidates, growth: float = 1.0) -> Tensor:
        """Logits of p(correct), (B, C, N): each class by itself, or the boxes of all classes as one set."""
        assert self.drm is not None
        if not self.drm_across:
            return self.drm(*best, growth)
        joint = [field.flatten(1, 2) for field in best]  # (B, C N, ...): ranks and geometry of one list
        return self.drm(*joint, growth).view_as(best.scores)

    def decode(self, codes: Tensor, boxes: Tensor, sizes: Sizes) -> Tensor:
        """The box of each class, cut to its image, (B, R, C, 4), without gradient."""
        return clip(self.coder.decode(codes.detach()[:, :, 1:], boxes[:, :, None]), sizes)

    def losses(
        self, features: Features, proposals: Proposed, sizes: Sizes, truths: Truths
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], SampledBoxes]:
        """Losses cls, box and drm; figures to log; and the sampled boxes, whose positives train the masks."""
        boxes, valid = proposals
        chosen = self.choose(boxes, valid, truths)
        hidden, logits, codes = self(features, chosen.boxes, sizes)
        unlabelled = ~truths.annotated[:, None, :].expand(*chosen.labels.shape, -1)
        cls = class_loss(logits.flatten(0, 1), chosen.labels.flatten(), unlabelled.flatten(0, 1))
        losses = {
            "cls": mean_over(cls, chosen.chosen.flatten(), chosen.chosen),
            "box": self.box_loss(codes, chosen, truths),
        }
        if self.drm is None:
            return losses, {}, chosen
        if self.drm_training == "proposals":
            with torch.set_grad_enabled(self.drm_end_to_end):
                hidden, logits, codes = self(features, boxes, sizes)
        else:
            boxes, valid = chosen.boxes, chosen.chosen & (chosen.proposed | self.truth_candidates)
        decoded = self.decode(codes, boxes, sizes)
        losses["drm"], figures = self.drm_loss(hidden, logits, decoded, valid, truths)
        return losses, figures, chosen

    @torch.no_grad()
    def choose(self, boxes: Tensor, valid: Tensor, truths: Truths) -> SampledBoxes:
        """A sample of the proposals (B, R, 4) and of the truth boxes."""
        proposed = torch.cat([valid, torch.zeros_like(truths.valid)], dim=1)
        valid = torch.cat([valid, truths.valid], dim=1)
        boxes = torch.cat([boxes, truths.boxes], dim=1)
        overlap, match = truth_iou(boxes, truths).max(dim=2)
        positive = valid & (overlap >= POSITIVE_IOU)
        negative = valid & ~positive & ~ignored(boxes, truths)
        index, chosen = sample(positive, negative, batch=self.batch, positive_fraction=self.positive_fraction)
        labels = truths.labels.gather(1, match) * positive
        return SampledBoxes(
            boxes=boxes.gather(1, index[..., None].expand(-1, -1, 4)),
            labels=labels.gather(1, index),
            match=match.gather(1, index),
            chosen=chosen,
            proposed=proposed.gather(1, index),
            quota=int(self.batch * self.positive_fraction),
        )

    def box_loss(self, codes: Tensor, chosen: SampledBoxes, truths: Truths) -> Tensor:
        """Box regression of the positives' own class, over the number of sampled boxes."""
        labels, match, boxes, where = (
            field[:, : chosen.quota] for field in (chosen.labels, chosen.match, chosen.boxes, chosen.positive)
        )
        code = codes[:, : chosen.quota].gather(2, labels[..., None, None].expand(-1, -1, 1, 4))[:, :, 0]
        target = truths.boxes.gather(1, match[..., None].expand(-1, -1, 4))  # (B, quota, 4)
        if self.box_form == "giou":
            losses = giou(self.coder.decode(code, boxes), target)
        else:
            goal = torch.where(where[..., None], self.coder.encode(target, boxes), 0.0)
            losses = smooth_l1(code, goal, beta=self.smooth_l1_beta)
        return torch.where(where, losses, 0.0).sum() / chosen.chosen.sum().clamp(min=1)

    def drm_loss(
        self, hidden: Tensor, logits: Tensor, boxes: Tensor, valid: Tensor, truths: Truths
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of p(correct), and the mean p of correct and of duplicate candidates."""
        scores = logits.detach().softmax(dim=2)[..., 1:]
        best = top_candidates(
            hidden, boxes, scores, self._may_compete(boxes, valid, truths), count=self.candidates
        )
        labels = label_candidates(best, truths, rule=self.drm_label, iou=LABEL_IOU)
        logit = self.correctness(best)
        p, right = logit.detach().float().sigmoid(), (labels >= LABEL_IOU) & best.valid
        wrong = best.valid & ~right
        figures = {"p_correct": mean_over(p, right, right), "p_duplicate": mean_over(p, wrong, wrong)}
        return drm_loss(logit, best.scores, labels, form=self.drm_form, valid=best.valid), figures

    def _may_compete(self, boxes: Tensor, valid: Tensor, truths: Truths) -> Tensor:
        """Boxes (B, R, C, 4) of annotated classes outside the ignore regions, (B, R, C) bool."""
        flat = boxes.flatten(1, 2)
        unknown = ignored(flat, truths) & (truth_iou(flat, truths).amax(dim=2) < LABEL_IOU)
        return valid[..., None] & truths.annotated[:, None, :] & ~unknown.view(boxes.shape[:3])
