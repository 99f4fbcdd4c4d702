"""Backbones under the feature pyramid, by the name that a recipe gives them.

A new one is a function in a file of its own and a line in `config/parts.py`: docs/how-to/add-a-backbone.md
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import NamedTuple

from torch import Tensor, nn

from irnet.config.parts import BACKBONES


class Backbone(NamedTuple):
    """A network that makes C2 to C5 of images (B, 3, H, W) whose sides are multiples of 32.

    `body` returns them in a dict, keys "0" to "3", strides 4, 8, 16 and 32.
    """

    body: nn.Module
    channels: list[int]  # of C2 to C5
    stages: list[nn.Module]  # that can be frozen, the first ones first: the stem, then C2 ...


def build_backbone(name: str, *, norm: str, state: dict[str, Tensor] | None) -> Backbone:
    """The backbone `name`, one of BACKBONES.

    Args:
        norm: "frozen_bn", or "group" where it is trained from scratch.
        state: ImageNet weights as published (classifier included), or None.

    Raises:
        KeyError or RuntimeError where `state` belongs to another backbone.
    """
    return resolve_name(BACKBONES[name].build)(norm=norm, state=state)
