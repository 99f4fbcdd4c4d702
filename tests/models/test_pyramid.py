"""The pyramid over a backbone: levels, frozen stages, norms."""

import pytest
import torch
from torch import nn

from irnet.models.backbones import build_backbone
from irnet.models.pyramid import Pyramid


def build(name: str, *, frozen_stages: int = 0) -> Pyramid:
    backbone = build_backbone(name, norm="group", state=None)
    return Pyramid(backbone, width=32, norm=None, frozen_stages=frozen_stages)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
@torch.no_grad()
def test_pyramid_has_five_levels(name):
    pyramid = build(name)
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
    pyramid = build(name, frozen_stages=stages)
    held = {n for n, p in pyramid.body.named_parameters() if not p.requires_grad}
    assert held == {n for n, _ in pyramid.body.named_parameters() if n.startswith(tuple(frozen))}
    assert held
    assert all(p.requires_grad for p in pyramid.fpn.parameters())


def test_group_norm_backbone_has_no_batch_norm():
    pyramid = build("resnet18")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in pyramid.modules())
    assert all(p.requires_grad for p in pyramid.parameters())
