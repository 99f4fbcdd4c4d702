"""ResNets as backbones (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from irnet.models import vision
from irnet.models.backbones import Backbone
from irnet.models.vision import FrozenBatchNorm2d, IntermediateLayerGetter, ResNet

GROUPS = 32  # of the group norms, where there is no batch norm
LEVELS = {f"layer{i + 1}": str(i) for i in range(4)}  # C2 to C5


def build_resnet(kind: Callable[..., ResNet], *, norm: str, state: dict[str, Tensor] | None) -> Backbone:
    """A ResNet of torchvision without its classifier, see `build_backbone`."""
    norm_layer = FrozenBatchNorm2d if norm == "frozen_bn" else partial(nn.GroupNorm, GROUPS)
    resnet = kind(weights=None, norm_layer=norm_layer)
    if state is not None:
        resnet.load_state_dict(state)

    stem = nn.ModuleList([resnet.conv1, resnet.bn1])
    return Backbone(
        body=IntermediateLayerGetter(resnet, LEVELS),
        channels=[resnet.inplanes // 8 * 2**i for i in range(4)],
        stages=[stem, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4],
    )


resnet18 = partial(build_resnet, vision.resnet18)
resnet34 = partial(build_resnet, vision.resnet34)
resnet50 = partial(build_resnet, vision.resnet50)
