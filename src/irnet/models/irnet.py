"""IRNet: overlapping cells by boxes, masks and relations of instances (Zhou et al., MICCAI 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from irnet.models.box_branch import BoxBranch, Features
from irnet.models.boxes import Proposed
from irnet.models.constants import Sizes
from irnet.models.image_batch import ImageBatch
from irnet.models.mask_branch import MaskBranch, enlarge
from irnet.models.postprocess import Instances
from irnet.models.proposals import RegionProposals
from irnet.models.pyramid import Pyramid
from irnet.models.truths import Truths


class RoIHeads(nn.Module):
    """The second stage: boxes, duplicate removal, masks and relations (Fig. 1).

    Without DRM and IRM it is that of Mask R-CNN, parameter for parameter.
    """

    def __init__(self, *, box: BoxBranch, mask: MaskBranch) -> None:
        super().__init__()
        self.box = box
        self.mask = mask

    def losses(
        self, features: Features, proposals: Proposed, sizes: Sizes, truths: Truths
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses cls, box, drm, mask and irm, scalars (), and figures to log, of a batch with truth."""
        box_losses, drm_figures, chosen = self.box.losses(features, proposals, sizes, truths)
        mask_losses, irm_figures = self.mask.losses(features, chosen, sizes, truths)
        return box_losses | mask_losses, drm_figures | irm_figures

    def forward(self, features: Features, proposals: Proposed, sizes: Sizes) -> list[Instances]:
        """The instances of each image: boxes first, then masks for those that stay."""
        found = self.box.detect(features, proposals, sizes)
        frames = [enlarge(box, self.mask.box_scale) for box, _, _ in found]
        labels = torch.cat([label for _, label, _ in found])
        masks = self.mask.masks(features, frames, labels, sizes).split([len(box) for box in frames])

        return [
            Instances(frame, label, score, mask)
            for frame, (_, label, score), mask in zip(frames, found, masks, strict=True)
        ]


class IRNet(nn.Module):
    """Backbone and pyramid, proposals, heads. Mask R-CNN is IRNet whose heads have neither DRM nor IRM.

    Args:
        backbone, rpn, roi_heads: the three stages.
        prepare: what makes a batch of the images.
        loss_weights: factor of each loss by name; those that are not named count once.
    """

    def __init__(
        self,
        *,
        backbone: Pyramid,
        rpn: RegionProposals,
        roi_heads: RoIHeads,
        prepare: ImageBatch,
        loss_weights: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.rpn, self.roi_heads = backbone, rpn, roi_heads
        self.prepare = prepare
        self.loss_weights = loss_weights or {}
        self.diagnostics: dict[str, Tensor] = {}  # figures of the last training step, detached

    def forward(
        self, images: Sequence[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[Instances]:
        """Losses by name, weighted, where `targets` are given; else the instances of each image.

        Args:
            images: (3, H, W) RGB, uint8 or float, 0 to 255; sizes may differ.
            targets: of each image boxes (n, 4) xyxy px, labels (n,), masks (n, M, M) 0 to 255 in their own
                boxes, annotated (2,) bool, ignore (k, 4) xyxy px.
        """
        batch, sizes, scales = self.prepare(images)
        features = self.backbone(batch)
        if targets is None:
            return self._detect(features, sizes, scales)

        truths = Truths.collate(targets, scales)
        proposals, losses = self.rpn(list(features.values()), sizes, truths)
        more, self.diagnostics = self.roi_heads.losses(features, proposals, sizes, truths)
        return {name: self.loss_weights.get(name, 1.0) * loss for name, loss in (losses | more).items()}

    def _detect(self, features: dict[str, Tensor], sizes: Sizes, scales: Tensor) -> list[Instances]:
        proposals, _ = self.rpn(list(features.values()), sizes)
        found = self.roi_heads(features, proposals, sizes)
        return [
            instances._replace(boxes=instances.boxes / scale.repeat(2))
            for instances, scale in zip(found, scales, strict=True)
        ]
