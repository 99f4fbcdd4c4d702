"""EfficientNet-Lite: its published size, TensorFlow's padding, and batch norms folded exactly."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.models.backbones import build_backbone
from irnet.models.efficientnet import BN_EPS, SameConv

STAGES = {  # blocks of each stage, as published
    "efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}


def published_state(name: str) -> dict[str, Tensor]:
    """A random state dict with the names and shapes of the published ones (classifier left out)."""
    body, state = build_backbone(name, norm="frozen_bn", state=None).body, {}

    def add(conv: str, norm: str, module: nn.Conv2d) -> None:
        channels = module.out_channels
        state[f"{conv}.weight"] = torch.randn_like(module.weight) / math.sqrt(module.weight[0].numel())
        state[f"{norm}.weight"] = torch.rand(channels) + 0.5
        state[f"{norm}.bias"] = torch.randn(channels) * 0.1
        state[f"{norm}.running_mean"] = torch.randn(channels) * 0.1
        state[f"{norm}.running_var"] = torch.rand(channels) + 0.1

    add("_conv_stem", "_bn0", body.stem)
    for number, block in enumerate(block for stage in body.stages for block in stage):
        prefix = f"_blocks.{number}."
        if block.expand is not None:
            add(f"{prefix}_expand_conv", f"{prefix}_bn0", block.expand)
        add(f"{prefix}_depthwise_conv", f"{prefix}_bn1", block.depthwise)
        add(f"{prefix}_project_conv", f"{prefix}_bn2", block.project)
    return state


def reference(state: dict[str, Tensor], name: str, x: Tensor) -> list[Tensor]:
    """Outputs of all stages, with the batch norms as published and padding by its definition."""

    def layer(x: Tensor, conv: str, norm: str, stride: int, groups: int = 1) -> Tensor:
        weight = state[f"{conv}.weight"]
        size, kernel = x.shape[-1], weight.shape[-1]
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, weight, stride=stride, groups=groups)
        statistics = (state[f"{norm}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *statistics, eps=BN_EPS)

    x = F.relu6(layer(x, "_conv_stem", "_bn0", 2))
    outputs, number = [], 0
    for stage, blocks in enumerate(STAGES[name]):
        for i in range(blocks):
            prefix, y = f"_blocks.{number}.", x
            if stage:
                y = F.relu6(layer(y, f"{prefix}_expand_conv", f"{prefix}_bn0", 1))
            stride = 2 if i == 0 and stage in (1, 2, 3, 5) else 1
            y = F.relu6(layer(y, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride, y.shape[1]))
            y = layer(y, f"{prefix}_project_conv", f"{prefix}_bn2", 1)
            x = x + y if i else y
            number += 1
        outputs.append(x)
    return [outputs[i] for i in (1, 2, 4, 6)]


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
@torch.no_grad()
def test_folded_efficientnet_equals_the_published_one(name):
    torch.manual_seed(0)
    state = published_state(name)
    body = build_backbone(name, norm="frozen_bn", state=state).body
    x = torch.randn(1, 3, 64, 64)
    for found, expected in zip(body(x).values(), reference(state, name, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "channels", "parameters"),
    [
        ("efficientnet_lite0", [24, 40, 112, 320], 2_939_120),
        ("efficientnet_lite1", [24, 40, 112, 320], 3_697_968),
        ("efficientnet_lite2", [24, 48, 120, 352], 4_330_184),
    ],
)
def test_efficientnet_has_the_published_size(name, channels, parameters):
    body = build_backbone(name, norm="frozen_bn", state=None).body
    assert body.channels == channels
    assert tuple(len(stage) for stage in body.stages) == STAGES[name]
    assert sum(p.numel() for p in body.parameters()) == parameters


@pytest.mark.parametrize("size", [16, 17])
@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding_of_stride_two(size, kernel):
    conv = SameConv(1, 1, kernel=kernel, stride=2)
    nn.init.ones_(conv.weight), nn.init.zeros_(conv.bias)
    image = torch.zeros(1, 1, size, size)
    image[..., 0, 0] = 1
    seen = conv(image)
    assert seen.shape[-1] == math.ceil(size / 2)
    before = ((math.ceil(size / 2) - 1) * 2 + kernel - size) // 2  # padding at the left and the top
    assert seen[0, 0, 0, 0] == 1  # the first window starts at -before
    assert (seen[0, 0, 0, 1] == 1) == (before >= 2)
