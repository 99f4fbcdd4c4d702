"""EfficientNet-Lite as a backbone (Tan and Le 2019)."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.models.backbones import Backbone

B0_STAGES = (  # expansion, kernel, stride, channels, blocks
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
PARTS = (1, 2, 3, 5, 7)  # stages after which stem, C2, C3, C4 and C5 end
STEM_CHANNELS = 32
BN_EPS = 1e-3  # EfficientNet's
NORM_OF = {"stem": "_bn0", "expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}  # published names


class EfficientNetLite(nn.Module):
    """EfficientNet without squeeze-excitation and with ReLU6; batch norms are folded into the convolutions.

    Args:
        width, depth: factors of the channels and of the blocks of a stage; stem, first and last stage keep
            their size.
    """

    def __init__(self, *, width: float, depth: float) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM_CHANNELS, kernel=3, stride=2)
        self.stages = nn.ModuleList()
        size_in, last = STEM_CHANNELS, len(B0_STAGES) - 1
        for i, (expansion, kernel, stride, channels, blocks) in enumerate(B0_STAGES):
            size_out = _round_channels(channels * width)
            blocks = blocks if i in (0, last) else math.ceil(blocks * depth)

            # The first block changes stride and channels, the others keep them
            stage = [MBConv(size_in, size_out, expansion=expansion, kernel=kernel, stride=stride)]
            stage += [
                MBConv(size_out, size_out, expansion=expansion, kernel=kernel) for _ in range(1, blocks)
            ]
            self.stages.append(nn.Sequential(*stage))
            size_in = size_out
        self.channels = [_round_channels(B0_STAGES[end - 1][3] * width) for end in PARTS[1:]]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """C2 to C5, strides 4 to 32, of images (B, 3, H, W) scaled by (x - 127) / 128."""
        x = F.relu6(self.stem(images), inplace=True)
        features = {}
        for i, stage in enumerate(self.stages, start=1):
            x = stage(x)
            if i in PARTS[1:]:
                features[str(len(features))] = x
        return features


class MBConv(nn.Module):
    """Inverted residual block: expand (1x1), depthwise, project (1x1)."""

    def __init__(self, size_in: int, size_out: int, *, expansion: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        size = size_in * expansion
        self.expand = SameConv(size_in, size, kernel=1) if expansion > 1 else None
        self.depthwise = SameConv(size, size, kernel=kernel, stride=stride, groups=size)
        self.project = SameConv(size, size_out, kernel=1)
        self.residual = stride == 1 and size_in == size_out

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's "SAME" does: the odd pixel goes to the right and the bottom."""

    def __init__(self, size_in: int, size_out: int, *, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(size_in, size_out, kernel, stride=stride, padding=padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            (top, bottom), (left, right) = (self._same(n) for n in x.shape[2:])
            x = F.pad(x, (left, right, top, bottom))
        return super().forward(x)

    def _same(self, size: int) -> tuple[int, int]:
        # A plain number: in a traced graph it is constant, and the same for all multiples of the stride
        total = self.kernel_size[0] - 1 - (int(size) - 1) % self.stride[0]
        return total // 2, total - total // 2


def build_efficientnet(width: float, depth: float, *, norm: str, state: dict[str, Tensor] | None) -> Backbone:
    """An EfficientNet-Lite, see `build_backbone`; `width` and `depth` are factors of B0's.

    Its batch norms are folded into the convolutions, so that `norm` is always "frozen_bn".
    """
    del norm
    body = EfficientNetLite(width=width, depth=depth)
    if state is not None:
        body.load_state_dict(fold(state, body))

    parts = [body.stages[start:end] for start, end in pairwise((0, *PARTS))]
    stem = nn.ModuleList([body.stem, parts[0]])
    return Backbone(body=body, channels=body.channels, stages=[stem, *parts[1:]])


efficientnet_lite0 = partial(build_efficientnet, 1.0, 1.0)
efficientnet_lite1 = partial(build_efficientnet, 1.0, 1.1)
efficientnet_lite2 = partial(build_efficientnet, 1.1, 1.2)


def fold(state: dict[str, Tensor], body: EfficientNetLite) -> dict[str, Tensor]:
    """The published state dict with each batch norm folded into the convolution before it.

    w' = w * g / sqrt(var + eps), b' = beta - mean * g / sqrt(var + eps).
    """
    blocks = [name for name, module in body.named_modules() if isinstance(module, MBConv)]
    convolutions = [name for name, module in body.named_modules() if isinstance(module, SameConv)]

    folded = {}
    for name in convolutions:
        # Names as published: blocks are counted through all stages
        block, _, layer = name.rpartition(".")
        prefix = f"_blocks.{blocks.index(block)}." if block else ""
        conv, norm = f"{prefix}_{layer}_conv" if block else "_conv_stem", prefix + NORM_OF[layer]

        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + BN_EPS)
        folded[f"{name}.weight"] = state[f"{conv}.weight"] * scale.view(-1, 1, 1, 1)
        folded[f"{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return folded


def _round_channels(channels: float) -> int:
    """The nearest multiple of 8 that loses at most a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
