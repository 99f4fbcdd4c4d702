"""The feature pyramid over a backbone (Lin et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from irnet.models.backbones import Backbone
from irnet.models.vision import FeaturePyramidNetwork, LastLevelMaxPool

Norm = Callable[[int], nn.Module]  # of that many channels


class Pyramid(nn.Module):
    """A backbone and the feature pyramid over it: P2 to P6, strides 4 to 64, `width` channels each.

    Args:
        backbone: what makes C2 to C5.
        width: channels of the pyramid.
        norm: norm after each convolution of the pyramid, None for a bias alone.
        frozen_stages: stages of the backbone without gradient: the stem, then C2 ...
    """

    def __init__(self, backbone: Backbone, *, width: int, norm: Norm | None, frozen_stages: int) -> None:
        super().__init__()
        for stage in backbone.stages[:frozen_stages]:
            stage.requires_grad_(False)
        self.body = backbone.body
        self.fpn = FeaturePyramidNetwork(
            backbone.channels, width, extra_blocks=LastLevelMaxPool(), norm_layer=norm
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Features "0" to "3" and "pool" of normalised images (B, 3, H, W), sides multiples of 32."""
        if images.device.type != "cpu":
            return self.fpn(self.body(images))

        # NHWC halves the time of depthwise kernels; at stride 4 it is slow for gradients of others.
        features = self.body(images.contiguous(memory_format=torch.channels_last))
        if torch.is_grad_enabled():
            features = {name: feature.contiguous() for name, feature in features.items()}
        return self.fpn(features)
