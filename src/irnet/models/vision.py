"""The only door to torchvision: its parts that the detector is composed of, private names included.

Tested with torchvision 0.25 to 0.29. State dicts of its Mask R-CNN fit ours because the names of its parts
are kept.
"""

import math
from collections.abc import Sequence

from torchvision.models import ResNet, resnet18, resnet34, resnet50
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import (
    FeaturePyramidNetwork,
    MultiScaleRoIAlign,
    batched_nms,
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
    "BoxCoder",
    "Conv2dNormActivation",
    "FastRCNNPredictor",
    "FeaturePyramidNetwork",
    "FrozenBatchNorm2d",
    "IntermediateLayerGetter",
    "LastLevelMaxPool",
    "MaskRCNNHeads",
    "MaskRCNNPredictor",
    "ResNet",
    "TwoMLPHead",
    "batched_nms",
    "generalized_box_iou_loss",
    "nms",
    "pyramid_pool",
    "resnet18",
    "resnet34",
    "resnet50",
    "roi_align",
    "roi_pool",
]


def pyramid_pool(levels: Sequence[str], strides: Sequence[int], *, side: int) -> MultiScaleRoIAlign:
    """RoIAlign of side x side samples from the levels of a pyramid.

    torchvision guesses the strides from the first image that it meets, and keeps the guess: one much smaller
    than its padding would displace every box from then on. So they are given here.
    """
    pool = MultiScaleRoIAlign(list(levels), output_size=side, sampling_ratio=2)
    pool.scales = [1 / stride for stride in strides]
    pool.map_levels = initLevelMapper(*(round(math.log2(strides[i])) for i in (0, -1)))
    return pool
