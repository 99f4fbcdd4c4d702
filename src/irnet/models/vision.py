"""The only door to torchvision: its parts that the detector is composed of, private names included.

Tested with torchvision 0.25 to 0.29. State dicts of its Mask R-CNN fit ours because the names of its parts
are kept.
"""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Within, what is imported of torch's compiler is imported when it is first called.

    One line of `torchvision.ops.roi_align` asks for it: nine tenths of the time that torchvision takes to
    import, for a function that only deterministic algorithms on a GPU call.
    """
    if "torch._dynamo" in sys.modules:
        yield
        return

    def later(name: str) -> Callable[..., Any]:
        if name.startswith("__"):  # what others ask of any module
            raise AttributeError(name)
        return lambda *args, **options: getattr(import_module(utils), name)(*args, **options)

    package, utils = "torch._dynamo", "torch._dynamo.utils"
    standing_in = {name: ModuleType(name) for name in (package, utils)}
    standing_in[utils].__getattr__ = later  # type: ignore[method-assign]
    sys.modules.update(standing_in)
    try:
        yield
    finally:
        for name in standing_in:
            del sys.modules[name]


with _without_compiler():
    from torchvision.models import ResNet, resnet18, resnet34, resnet50
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
    from torchvision.ops import (
        FeaturePyramidNetwork,
        MultiScaleRoIAlign,
        generalized_box_iou_loss,
        nms,
        roi_align,
        roi_pool,
    )
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
    from torchvision.ops.misc import Conv2dNormActivation, FrozenBatchNorm2d
    from torchvision.ops.poolers import initLevelMapper

__all__ = [
    "AnchorGenerator",
    "Conv2dNormActivation",
    "FastRCNNPredictor",
    "FeaturePyramidNetwork",
    "FrozenBatchNorm2d",
    "IntermediateLayerGetter",
    "LastLevelMaxPool",
    "MaskRCNNHeads",
    "MaskRCNNPredictor",
    "PyramidPool",
    "ResNet",
    "TwoMLPHead",
    "generalized_box_iou_loss",
    "nms",
    "pyramid_pool",
    "resnet18",
    "resnet34",
    "resnet50",
    "roi_align",
    "roi_pool",
]


class PyramidPool(MultiScaleRoIAlign):
    """RoIAlign from the levels of a pyramid; on a GPU, in training, from all of them at once."""

    at_once = False  # whether boxes are known to lie inside their image, as `pool_at_once` wants them

    def forward(
        self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> Tensor:
        """Samples (n, channels, side, side) of the boxes (n_i, 4) xyxy px of each image."""
        if self.training and self.at_once and boxes[0].device.type != "cpu":
            return self.pool_at_once(x, boxes)
        return super().forward(x, boxes, image_shapes)

    def pool_at_once(self, x: dict[str, Tensor], boxes: list[Tensor]) -> Tensor:
        """The same, of as many boxes (n, 4) in each image, from one canvas with the levels in a column.

        How many boxes belong to which level is never asked. Every level has a rim of its outermost values, so
        that boxes inside their image see what they would see without neighbours.
        """
        assert self.map_levels is not None
        assert self.scales is not None

        # The canvas
        levels = [x[name] for name in self.featmap_names]
        width = max(level.shape[3] for level in levels) + 2
        rimmed = [F.pad(level, (1, 1, 1, 1), mode="replicate") for level in levels]
        canvas = torch.cat([F.pad(level, (0, width - level.shape[3])) for level in rimmed], dim=2)

        # Scale and first row, on it, of the level that each box belongs to
        flat = torch.cat(boxes)  # (n, 4)
        own, scale, top = self.map_levels([flat]), torch.ones_like(flat[:, 0]), torch.ones_like(flat[:, 0])
        row = 1
        for number, (level, factor) in enumerate(zip(levels, self.scales, strict=True)):
            scale, top = scale.masked_fill(own == number, factor), top.masked_fill(own == number, row)
            row += level.shape[2] + 2

        image = torch.arange(len(flat), device=flat.device) // len(boxes[0])
        corner = torch.stack([torch.ones_like(top), top], dim=1).repeat(1, 2)  # (n, 4)
        rois = torch.cat([image[:, None], flat * scale[:, None] + corner], dim=1)
        return roi_align(canvas, rois, self.output_size, sampling_ratio=self.sampling_ratio)


def pyramid_pool(levels: Sequence[str], strides: Sequence[int], *, side: int, inside: bool) -> PyramidPool:
    """RoIAlign of side x side samples from the levels of a pyramid, of boxes `inside` their images or not.

    torchvision guesses the strides from the first image that it meets, and keeps the guess: one much smaller
    than its padding would displace every box from then on. So they are given here.
    """
    pool = PyramidPool(list(levels), output_size=side, sampling_ratio=2)
    pool.scales = [1 / stride for stride in strides]
    pool.map_levels = initLevelMapper(*(round(math.log2(strides[i])) for i in (0, -1)))
    pool.at_once = inside
    return pool
