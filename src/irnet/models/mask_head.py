"""Mask heads, by the name that a recipe gives them.

A new one is a function in a file of its own and a line in `config/parts.py`: docs/how-to/add-a-mask-head.md
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import NamedTuple

from torch import nn

from irnet.config.parts import MASK_HEADS
from irnet.models.pyramid import Norm
from irnet.models.vision import MaskRCNNHeads, MaskRCNNPredictor

CONVOLUTIONS = 4


class MaskHead(NamedTuple):
    """What draws a mask of each box: two modules, for the IRM reads what goes from one to the other."""

    features: nn.Module  # (n, width, 14, 14) pooled from the pyramid -> deep features (n, mask_width, 14, 14)
    predictor: nn.Module  # deep features -> logits (n, 1 + classes, 28, 28), of the background first


def build_mask_head(name: str, *, width: int, mask_width: int, classes: int, norm: Norm | None) -> MaskHead:
    """The mask head `name`, one of MASK_HEADS.

    Args:
        width: channels of the pyramid; mask_width: of the deep features; classes: without background.
        norm: norm of its convolutions, or None.
    """
    build = resolve_name(MASK_HEADS[name])
    return build(width=width, mask_width=mask_width, classes=classes, norm=norm)


def convolutions(*, width: int, mask_width: int, classes: int, norm: Norm | None) -> MaskHead:
    """Mask R-CNN's: four convolutions, a deconvolution and a classifier, see `build_mask_head`."""
    return MaskHead(
        features=MaskRCNNHeads(width, [mask_width] * CONVOLUTIONS, dilation=1, norm_layer=norm),
        predictor=MaskRCNNPredictor(mask_width, mask_width, classes + 1),
    )
