"""Stage 1 of CSPNet as published: a network of six layers (Akram et al. 2016; IRNet, Table 1).

Source: one class, anchors of the sizes of its cells. Here: a score of each class, anchors of the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.models.box_branch import Detections
from irnet.models.box_coder import BoxCoder
from irnet.models.boxes import Proposed, clip
from irnet.models.constants import Sizes, area_growth
from irnet.models.losses import class_loss, mean_over, smooth_l1
from irnet.models.postprocess import Selection, select_boxes
from irnet.models.proposals import assign_anchors
from irnet.models.pyramid import Norm
from irnet.models.sampling import Sampling
from irnet.models.truths import Truths
from irnet.models.vision import AnchorGenerator

KERNELS = (7, 5, 3, 3, 3)
WIDTHS = (32, 64, 128, 256, 512)
POOLED = 2  # layers that a max-pool follows
STRIDE = 4
FRAME = 22  # px by which unpadded layers fall short of the border, and half of what one unit sees
BOX_WEIGHT = 10.0  # of smooth L1 beside the softmax
NMS_IOU = 0.8  # of the suppression within a class: the masks decide
BETA = 1.0  # where smooth L1 turns linear


class FiveLayers(nn.Module):
    """The first five layers: unpadded convolutions, ReLU, norms after four and max-pools after two.

    Source: the border of an image gives nothing. Here: its last pixels are repeated around it, so that the
    features cover it.
    """

    def __init__(self, *, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for i, (kernel, size_in, size_out) in enumerate(zip(KERNELS, (3, *WIDTHS), WIDTHS, strict=False)):
            conv = nn.Conv2d(size_in, size_out, kernel)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            last = i == len(KERNELS) - 1
            self.layers.append(nn.Sequential(conv, nn.ReLU(), nn.Identity() if last else norm(size_out)))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Features (B, 512, H/4, W/4) of normalised images (B, 3, H, W), sides multiples of 4."""
        x = F.pad(images, [FRAME] * 4, mode="replicate")
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < POOLED:
                x = F.max_pool2d(x, 3, stride=2)
        return {"0": x}


class AnchorDetector(nn.Module):
    """The sixth layer: a score of each class and a box of each anchor; what it finds needs no other head.

    Args:
        classes: without background.
        anchor_sizes: sides of the anchors (px); anchor_ratios: their height over width.
        sampling: the anchors that give a loss.
        candidates: anchors that enter suppression, (training, test). Those of test are meant for one
            megapixel and grow with the area beyond.
        training_limit: boxes that leave it in training, regardless of their score.
        selection: boxes that leave it in test.
    """

    def __init__(
        self,
        *,
        classes: int,
        anchor_sizes: Sequence[float],
        anchor_ratios: Sequence[float],
        sampling: Sampling,
        candidates: tuple[int, int],
        training_limit: int,
        selection: Selection,
    ) -> None:
        super().__init__()
        self.generator = AnchorGenerator((tuple(anchor_sizes),), (tuple(anchor_ratios),))
        self.coder = BoxCoder(1.0, 1.0)
        anchors = len(anchor_sizes) * len(anchor_ratios)
        self.cls_score = nn.Conv2d(WIDTHS[-1], anchors * (1 + classes), 1)
        self.bbox_pred = nn.Conv2d(WIDTHS[-1], anchors * 4, 1)
        for layer in (self.cls_score, self.bbox_pred):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

        self.classes = classes
        self.sampling, self.selection = sampling, selection
        self.candidates, self.training_limit = candidates, training_limit

    def forward(
        self, features: Sequence[Tensor], sizes: Sizes, truths: Truths
    ) -> tuple[Proposed, dict[str, Tensor]]:
        """The best boxes (B, R, 4), without gradient, and the losses cls and box."""
        logits, codes, anchors = self._score(features)
        found = self._select(logits.detach(), codes.detach(), anchors, sizes)
        losses = self.losses(logits, codes, anchors, sizes, truths)
        return Proposed.of([boxes for boxes, _, _ in found]), losses

    def detect(self, features: Sequence[Tensor], sizes: Sizes) -> list[Detections]:
        """What each image holds: boxes (n, 4), labels (n,) and scores (n,), best first."""
        return self._select(*self._score(features), sizes)

    def losses(
        self, logits: Tensor, codes: Tensor, anchors: Tensor, sizes: Sizes, truths: Truths
    ) -> dict[str, Tensor]:
        """Softmax and smooth L1 of a sample of the anchors, means over it.

        Args:
            logits: (B, A, 1 + C); codes: (B, A, 4); anchors: (A, 4).
        """
        positive, negative, match = assign_anchors(anchors, sizes, truths, self.sampling)
        index, chosen = self.sampling.draw(positive, negative)  # (B, S)
        image = torch.arange(len(index), device=index.device)[:, None]
        match, is_object = match[image, index], positive[image, index] & chosen

        # Class of every anchor of the sample
        labels = truths.labels[image, match] * is_object  # (B, S)
        unlabelled = ~truths.annotated[:, None, :].expand(*labels.shape, -1)
        cls = class_loss(logits[image, index].flatten(0, 1), labels.flatten(), unlabelled.flatten(0, 1))

        # Box of the positives
        goal = self.coder.encode(truths.boxes[image, match][is_object], anchors[index][is_object])
        box = smooth_l1(codes[image, index][is_object], goal, beta=BETA)  # (positives,)

        return {
            "cls": mean_over(cls, chosen.flatten(), chosen),
            "box": BOX_WEIGHT * box.sum() / chosen.sum().clamp(min=1),
        }

    def _score(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, A, 1 + C), codes (B, A, 4), float32, and anchors (A, 4) xyxy px."""
        (x,) = features
        logits, codes = (
            layer(x).float().permute(0, 2, 3, 1).reshape(len(x), -1, channels)
            for layer, channels in ((self.cls_score, 1 + self.classes), (self.bbox_pred, 4))
        )

        self.generator.set_cell_anchors(torch.float32, x.device)
        (anchors,) = self.generator.grid_anchors([list(x.shape[-2:])], [[STRIDE, STRIDE]])  # type: ignore[arg-type]
        return logits, codes, anchors + 0.5  # the middle of what a unit sees is that of a pixel

    @torch.no_grad()
    def _select(self, logits: Tensor, codes: Tensor, anchors: Tensor, sizes: Sizes) -> list[Detections]:
        """The best boxes of each image; arguments as `_score` gives them."""
        selection, (count, test_count) = self.selection, self.candidates
        if self.training:
            selection, limit = replace(selection, floor=0.0), self.training_limit
        else:
            count, limit = round(test_count * area_growth(sizes)), selection.limit(sizes)

        # The best anchors, regardless of their class
        scores = logits.softmax(dim=2)[..., 1:]  # (B, A, C)
        best = scores.amax(dim=2).topk(min(count, len(anchors)), dim=1).indices  # (B, N)
        image = torch.arange(len(best), device=best.device)[:, None]
        boxes = clip(self.coder.decode(codes[image, best], anchors[best]), sizes)  # (B, N, 4)

        # Suppression class by class: all classes share a box
        found = zip(boxes, scores[image, best], strict=True)  # (N, 4), (N, C)
        return [
            select_boxes(box.expand(self.classes, -1, -1), score.T, selection, limit) for box, score in found
        ]
