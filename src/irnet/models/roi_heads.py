"""Heads over the proposals: boxes, duplicate removal, masks and instance relations (IRNet, Fig. 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from irnet.models.box_branch import BoxBranch, Features
from irnet.models.mask_branch import MaskBranch, enlarge
from irnet.models.postprocess import Instances
from irnet.models.sampling import Proposed, Sizes, Truths


class RoIHeads(nn.Module):
    """The second stage. Without DRM and IRM it is that of Mask R-CNN, parameter for parameter."""

    def __init__(self, *, box: BoxBranch, mask: MaskBranch) -> None:
        super().__init__()
        self.box = box
        self.mask = mask

    def losses(
        self, features: Features, proposals: Proposed, sizes: Sizes, truths: Truths
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses cls, box, drm, mask and irm, and figures to log, of a batch with truth."""
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
