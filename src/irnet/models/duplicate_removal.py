"""Duplicate Removal Module (IRNet, section 2.2; Hu et al., CVPR 2018)."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.models.object_relation import RANK_WIDTH, ObjectRelation, are_near, rank_embedding

LabelRule = Literal["max_score", "max_iou", "quality"]
LossForm = Literal["product", "probability"]

MAX_LOG = -1e-7  # log(s p) stays below 0, where log(1 - s p) is finite


class DuplicateRemoval(nn.Module):
    """Logit of p(correct): that a candidate is the one box of its object and no duplicate.

    The candidates of one call are those of one class of one image; leading dimensions are batched. The score
    that goes to non-maximum suppression is s * sigmoid(logit).

    Args:
        in_features: channels of the box head's features.
        width: channels inside.
        heads, key_width, top_k: see ObjectRelation; top_k is the sparsity constraint.
        relation: false leaves the attention out: a control, see PerBoxLayers.
        prior: bias of the logit. Few candidates are correct, so training starts from p = sigmoid(prior).
    """

    def __init__(
        self,
        *,
        in_features: int = 1024,
        width: int = 128,
        heads: int = 16,
        key_width: int = 64,
        top_k: int = 40,
        relation: bool = True,
        prior: float = -3.0,
    ) -> None:
        super().__init__()
        self.appearance = nn.Linear(in_features, width)
        self.rank = nn.Linear(RANK_WIDTH, width)
        attention = ObjectRelation(width=width, heads=heads, key_width=key_width, top_k=top_k)
        self.relation = attention if relation else PerBoxLayers(width, parameters=_count(attention))
        self.logit = nn.Linear(width, 1)
        self._init(prior)

    def _init(self, prior: float) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)
        # Source: these two as well. Here: larger, or hundreds of steps see the rank alone.
        # Why: docs/decisions/0004
        for layer in (self.relation.value, self.logit):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.constant_(self.logit.bias, prior)

    def forward(
        self,
        features: Tensor,
        boxes: Tensor,
        scores: Tensor,
        valid: Tensor | None = None,
        reach: float | None = None,
    ) -> Tensor:
        """Logits of p(correct), (..., N), in the order of the candidates.

        Args:
            features: (..., N, in_features) of the box head.
            boxes: (..., N, 4) xyxy px, decoded for this class. No gradient flows to them.
            scores: (..., N) class probabilities; only their order counts.
            valid: (..., N) bool, false where a candidate is padding; None: all are real.
            reach: in test, where the image is larger than those of training: a candidate ranks among those
                within so many px in x and in y, and listens to them alone; None: all.
        """
        ranks = ranks_of(scores, valid) if reach is None else ranks_within(reach, scores, boxes, valid)
        embedded = rank_embedding(ranks).to(features.dtype)
        return self.judge(features, embedded, boxes.detach(), valid=valid, reach=reach)

    def judge(
        self,
        features: Tensor,
        embedded: Tensor,
        boxes: Tensor,
        rows: Tensor | None = None,
        valid: Tensor | None = None,
        reach: float | Tensor | None = None,
    ) -> Tensor:
        """The same of candidates whose ranks are `embedded` (..., N, RANK_WIDTH).

        Of those at the places `rows` (R,) alone where they are given, (..., R): what compiles a network
        asks for some at a time, for there are pairs of boxes.
        """
        f = self.appearance(features) + self.rank(embedded)  # (..., N, width)
        update = self.relation(f, boxes, valid, rows, reach)
        f = f if rows is None else f.index_select(-2, rows)
        return self.logit((f + update).relu()).squeeze(-1)


class PerBoxLayers(nn.Module):
    """Stands where the relation stands and sees no other box: two layers with as many `parameters`."""

    def __init__(self, width: int, *, parameters: int) -> None:
        super().__init__()
        hidden = round((parameters - width) / (2 * width + 1))
        self.hidden = nn.Linear(width, hidden)
        self.value = nn.Linear(hidden, width)

    def forward(
        self,
        features: Tensor,
        boxes: Tensor,
        valid: Tensor | None = None,
        rows: Tensor | None = None,
        reach: float | Tensor | None = None,
    ) -> Tensor:
        """The update of each box's features (..., N, width) from its own alone; see ObjectRelation."""
        features = features if rows is None else features.index_select(-2, rows)
        return self.value(self.hidden(features).relu())


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def ranks_of(scores: Tensor, valid: Tensor | None = None) -> Tensor:
    """Place of each score in descending order, (..., N); equal ones by index, padding last."""
    if valid is not None:
        scores = scores.masked_fill(~valid, -torch.inf)
    order = scores.argsort(dim=-1, descending=True, stable=True)
    return order.argsort(dim=-1)


def ranks_within(reach: float, scores: Tensor, boxes: Tensor, valid: Tensor | None = None) -> Tensor:
    """The same among the boxes (..., N, 4) that are within `reach` px in x and in y, (..., N)."""
    ranks = ranks_of(scores, valid)
    ahead = ranks.unsqueeze(-2) < ranks.unsqueeze(-1)  # (..., N, N) the second before the first
    return (ahead & are_near(boxes, boxes, reach)).sum(dim=-1)


def drm_labels(
    boxes: Tensor,
    scores: Tensor,
    truth_boxes: Tensor,
    *,
    rule: LabelRule = "max_score",
    iou: float = 0.5,
) -> Tensor:
    """1 for the candidate that is correct for its truth, 0 for duplicates and background, (N,); or how good.

    Each truth chooses one among the candidates that overlap it by more than `iou` and overlap no other truth
    more: the one of highest score, or the one of highest IoU. Candidates (N, 4) and truths (M, 4) are of one
    class of one image. Paper: max_iou. Default: max_score. Why: docs/decisions/0004.

    "quality" instead labels each candidate by its IoU with the truth that it overlaps most, duplicates too:
    then p says how good a box is, and removing duplicates is left to non-maximum suppression.
    """
    labels = torch.zeros_like(scores)
    if not len(boxes) or not len(truth_boxes):
        return labels
    overlap, truth = box_iou(boxes, truth_boxes).max(dim=1)  # (N,)
    if rule == "quality":
        return overlap.to(labels)

    merit = scores if rule == "max_score" else overlap
    owner = truth[:, None] == torch.arange(len(truth_boxes), device=boxes.device)  # (N, M)
    mine = owner & (overlap > iou)[:, None]
    best = merit[:, None].masked_fill(~mine, -torch.inf).argmax(dim=0)  # (M,) the first of equal ones
    return labels.scatter_reduce(0, best, mine.any(dim=0).to(labels), "amax")


def drm_loss(
    logits: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    form: LossForm = "product",
    valid: Tensor | None = None,
) -> Tensor:
    """Mean binary cross-entropy of s p (product) or p (probability) over candidates, a scalar; 0 for none.

    Labels (N,) lie in 0 to 1; what is not `valid` (N,) does not count. The class probabilities `scores` get
    no gradient. Computed in float32 from the logits: finite, and with a gradient at extreme ones. Paper:
    probability. Default: product, for s p is what ranks boxes at test.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))

    if form == "probability":
        losses = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
    else:
        log_s = scores.detach().to(logits.dtype).clamp(min=1e-8).log()
        log_sp = (log_s + F.logsigmoid(logits)).clamp(max=MAX_LOG)
        losses = -(labels * log_sp + (1 - labels) * log1mexp(log_sp))

    if valid is None:
        return losses.sum() / max(losses.numel(), 1)
    return torch.where(valid, losses, 0.0).sum() / valid.sum().clamp(min=1)


def log1mexp(log_p: Tensor) -> Tensor:
    """log(1 - p) of log p < 0, accurate at both ends (Maechler 2012)."""
    near_one = log_p > -math.log(2)
    large = torch.where(near_one, log_p, -1.0)  # each branch sees only arguments with a finite gradient
    small = torch.where(near_one, -1.0, log_p)
    return torch.where(near_one, (-large.expm1()).log(), (-small.exp()).log1p())


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (n, 4) and (m, 4), (n, m); 0 where both are empty."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    area_a, area_b = ((boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1) for boxes in (a, b))
    union = area_a[:, None] + area_b[None, :] - shared
    return shared / union.clamp(min=torch.finfo(union.dtype).tiny)
