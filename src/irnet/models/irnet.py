"""IRNet: overlapping cells by boxes, masks and relations of instances (Zhou et al., MICCAI 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.models.backbones import Pyramid
from irnet.models.postprocess import Instances
from irnet.models.proposals import RegionProposals
from irnet.models.roi_heads import RoIHeads
from irnet.models.sampling import Sizes, Truths

STRIDE = 32  # sides of the batch are multiples of it


class IRNet(nn.Module):
    """Trunk and pyramid, proposals, heads. Mask R-CNN is IRNet whose heads have neither DRM nor IRM.

    Args:
        backbone, rpn, roi_heads: the three stages.
        mean, std: of the RGB image, grey levels.
        min_size: shorter side that images are resized to (px), unless the longer would exceed max_size;
            0 keeps every image as it is.
        loss_weights: factor of each loss by name; those that are not named count once.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        backbone: Pyramid,
        rpn: RegionProposals,
        roi_heads: RoIHeads,
        mean: Sequence[float],
        std: Sequence[float],
        min_size: int = 0,
        max_size: int = 0,
        loss_weights: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.rpn, self.roi_heads = backbone, rpn, roi_heads
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.min_size, self.max_size = min_size, max_size
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

    def prepare(self, images: Sequence[Tensor]) -> tuple[Tensor, Sizes, Tensor]:
        """A normalised batch (B, 3, H, W), the images' sizes in it, and their scales in x and y, (B, 2)."""
        resized = [self._resize(image.to(self.mean.dtype)) for image in images]
        sizes = [(image.shape[1], image.shape[2]) for image in resized]
        height, width = (-(-max(side) // STRIDE) * STRIDE for side in zip(*sizes, strict=True))
        batch = self.mean.expand(len(images), 3, height, width).clone()  # padding is zero once normalised
        for place, image in zip(batch, resized, strict=True):
            place[:, : image.shape[1], : image.shape[2]] = image
        scales = [
            (w / image.shape[2], h / image.shape[1]) for (h, w), image in zip(sizes, images, strict=True)
        ]
        return (batch - self.mean) / self.std, sizes, torch.tensor(scales, device=batch.device)

    def _resize(self, image: Tensor) -> Tensor:
        if not self.min_size:
            return image
        short, long = sorted(image.shape[1:])
        scale = min(self.min_size / short, self.max_size / long)
        return F.interpolate(
            image[None], scale_factor=scale, mode="bilinear", recompute_scale_factor=True, align_corners=False
        )[0]
