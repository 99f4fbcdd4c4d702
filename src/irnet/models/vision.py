"""The only door to torchvision: its parts that the detector is composed of, private names included.

Tested with torchvision 0.25 to 0.29. State dicts of its Mask R-CNN fit ours because the names of its parts
are kept.
"""

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
    "MultiScaleRoIAlign",
    "ResNet",
    "TwoMLPHead",
    "batched_nms",
    "generalized_box_iou_loss",
    "nms",
    "resnet18",
    "resnet34",
    "resnet50",
    "roi_align",
    "roi_pool",
]
