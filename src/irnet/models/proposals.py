"""Region proposal network on a feature pyramid (Ren et al. 2015; Lin et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from irnet.models.box_coder import BoxCoder
from irnet.models.boxes import Proposed, clip
from irnet.models.constants import (
    PROPOSAL_CODE,
    PROPOSAL_NMS_IOU,
    SMALLEST_PROPOSAL,
    STRIDES,
    Sizes,
    area_growth,
)
from irnet.models.losses import mean_over, smooth_l1
from irnet.models.pyramid import Norm
from irnet.models.sampling import Sampling
from irnet.models.suppression import suppress
from irnet.models.truths import Truths, ignored, truth_iou
from irnet.models.vision import AnchorGenerator, Conv2dNormActivation

BETA = 1 / 9  # where smooth L1 turns linear


class ProposalHead(nn.Module):
    """Objectness and box of each anchor: a 3x3 convolution and two 1x1, shared by the levels."""

    def __init__(self, *, width: int, anchors: int, norm: Norm | None) -> None:
        super().__init__()
        self.conv = nn.Sequential(Conv2dNormActivation(width, width, kernel_size=3, norm_layer=norm))
        self.cls_logits = nn.Conv2d(width, anchors, 1)
        self.bbox_pred = nn.Conv2d(width, anchors * 4, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Of each level, logits (B, n_l) and deltas (B, n_l, 4), float32, in the order of the anchors."""
        hidden = [self.conv(feature) for feature in features]
        logits = [self.cls_logits(h).permute(0, 2, 3, 1).flatten(1).float() for h in hidden]  # (B, h w a)
        deltas = [self.bbox_pred(h).permute(0, 2, 3, 1).reshape(h.shape[0], -1, 4).float() for h in hidden]
        return logits, deltas


class RegionProposals(nn.Module):
    """Proposes boxes that may hold a cell or a nucleus.

    Args:
        width: channels of the pyramid.
        norm: norm of the head's convolution, or None.
        anchor_sizes: side of the anchors of each level (px); anchor_ratios: their height over width.
        pre_nms, post_nms: boxes of a level before, of an image after suppression, (training, test). Those of
            test are meant for `field_megapixels` and grow with the area beyond.
        sampling: the anchors that give a loss.
    """

    def __init__(
        self,
        *,
        width: int,
        norm: Norm | None,
        anchor_sizes: Sequence[float],
        anchor_ratios: Sequence[float],
        pre_nms: tuple[int, int],
        post_nms: tuple[int, int],
        sampling: Sampling,
        field_megapixels: float,
    ) -> None:
        super().__init__()
        self.head = ProposalHead(width=width, anchors=len(anchor_ratios), norm=norm)
        self.anchors = AnchorGenerator(tuple((s,) for s in anchor_sizes), (tuple(anchor_ratios),) * 5)
        self.coder = BoxCoder(*PROPOSAL_CODE)
        self._laid: tuple[object, list[Tensor]] = (None, [])  # the grid of the last shapes
        self.pre_nms, self.post_nms = pre_nms, post_nms
        self.sampling = sampling
        self.field_megapixels = field_megapixels

    def forward(
        self, features: Sequence[Tensor], sizes: Sizes, truths: Truths | None = None
    ) -> tuple[Proposed, dict[str, Tensor]]:
        """Proposals of each image, best first, without gradient; with `truths` the losses.

        Args:
            features: P2 to P6, (B, width, h, w).
            sizes: height and width of each image inside the padded batch (px).
        """
        logits, deltas = self.head(features)
        anchors = self._grid(features)
        boxes = self.propose([x.detach() for x in logits], [x.detach() for x in deltas], anchors, sizes)
        if truths is None:
            return boxes, {}

        all_logits, all_deltas = torch.cat(logits, 1), torch.cat(deltas, 1)  # (B, A), (B, A, 4)
        return boxes, self.losses(all_logits, all_deltas, torch.cat(anchors), sizes, truths)

    def _grid(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Anchors of each level, (n_l, 4)."""
        device = features[0].device
        shapes = [list(feature.shape[-2:]) for feature in features]
        if self._laid[0] != (shapes, device):
            with torch.inference_mode(False):
                self.anchors.set_cell_anchors(torch.float32, device)
                grid = self.anchors.grid_anchors(shapes, [[stride, stride] for stride in STRIDES])  # type: ignore[arg-type]
            self._laid = (shapes, device), grid
        return self._laid[1]

    def propose(
        self, logits: list[Tensor], deltas: list[Tensor], anchors: list[Tensor], sizes: Sizes
    ) -> Proposed:
        """The best boxes (B, R, 4) of all levels that no better one of their level covers.

        In training as many as the limit allows, padding included: their number need not be asked for.
        """
        growth = 1.0 if self.training else area_growth(sizes, self.field_megapixels)
        pre, post = (round(pair[not self.training] * growth) for pair in (self.pre_nms, self.post_nms))

        # The best anchors of each level, and their boxes
        best = [level.topk(min(pre, level.shape[1]), dim=1) for level in logits]
        levels = zip(deltas, anchors, best, strict=True)
        boxes = torch.cat([self._decode(delta, anchor, top.indices) for delta, anchor, top in levels], dim=1)
        boxes = clip(boxes, sizes)  # (B, K, 4)

        # Suppression within each level
        scores = [top.values for top in best]
        counts = [score.shape[1] for score in scores]
        real = ((boxes[..., 2:] - boxes[..., :2]) >= SMALLEST_PROPOSAL).all(dim=2)
        kept = suppress(
            boxes.split(counts, dim=1), scores, real.split(counts, dim=1), PROPOSAL_NMS_IOU
        )  # (B, K)

        # The best of all levels
        most = min(post, kept.shape[1])
        if not self.training:
            most = min(most, int(kept.sum(dim=1).amax()))
        values, index = torch.cat(scores, dim=1).masked_fill(~kept, -torch.inf).topk(most, dim=1)
        return Proposed(boxes.gather(1, index[..., None].expand(-1, -1, 4)), values > -torch.inf)

    def _decode(self, deltas: Tensor, anchors: Tensor, index: Tensor) -> Tensor:
        """Boxes (B, k, 4) of the anchors `index` (B, k) among those of a level (n_l, 4)."""
        chosen = deltas.gather(1, index[..., None].expand(-1, -1, 4))
        return self.coder.decode(chosen, anchors[index])

    def losses(
        self, logits: Tensor, deltas: Tensor, anchors: Tensor, sizes: Sizes, truths: Truths
    ) -> dict[str, Tensor]:
        """Objectness and box loss of a sample of the anchors, means over it.

        Args:
            logits: (B, A); deltas: (B, A, 4); anchors: (A, 4).
        """
        positive, negative, match = assign_anchors(anchors, sizes, truths, self.sampling)
        index, chosen = self.sampling.draw(positive, negative)  # (B, S)
        deep = index[..., None].expand(-1, -1, 4)

        # Is there an object at all?
        is_object = positive.gather(1, index) & chosen
        objectness = nn.functional.binary_cross_entropy_with_logits(
            logits.gather(1, index), is_object.float(), reduction="none"
        )

        # Its box, where there is one
        truth = truths.boxes.gather(1, match.gather(1, index)[..., None].expand(-1, -1, 4))  # (B, S, 4)
        target = torch.where(is_object[..., None], self.coder.encode(truth, anchors[index]), 0.0)
        box = smooth_l1(deltas.gather(1, deep), target, beta=BETA)  # (B, S)

        return {
            "objectness": mean_over(objectness, chosen, chosen),
            "rpn_box": mean_over(box, is_object, chosen),
        }


def assign_anchors(
    anchors: Tensor, sizes: Sizes, truths: Truths, sampling: Sampling
) -> tuple[Tensor, Tensor, Tensor]:
    """Positive and negative anchors (B, A) bool of (A, 4), and the truth that each overlaps most (B, A).

    The anchors nearest to a truth are positive too, so that every truth has one.
    """
    boxes = anchors.expand(len(sizes), -1, 4)  # (B, A, 4)
    overlap = truth_iou(boxes, truths)  # (B, A, G)
    best, match = overlap.max(dim=2)
    nearest = overlap.amax(dim=1, keepdim=True)  # (B, 1, G)
    positive = (best >= sampling.positive_iou) | ((overlap == nearest) & (nearest > 0)).any(dim=2)

    # What may hold an instance that nobody labelled is no background
    negative = (best < sampling.negative_iou) & ~positive & ~ignored(clip(boxes, sizes), truths)
    negative &= truths.complete[:, None]

    if sampling.ignore_straddling:
        inside = (clip(boxes, sizes) == boxes).all(dim=2)
        positive, negative = positive & inside, negative & inside
    return positive, negative, match
