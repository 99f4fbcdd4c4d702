"""CSPNet: boxes from one network, masks from another (Akram et al. 2016; IRNet, Table 1).

Source: the two networks are trained one after the other, each with its own solver. Here: in one run; boxes
enter stage 2 without gradient, so that the stages share neither weights nor gradients.
Why: docs/decisions/0009-cspnet-in-one-run.md
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from irnet.baselines.cspnet_boxes import NMS_IOU, AnchorDetector, FiveLayers
from irnet.baselines.cspnet_masks import MaskNetwork
from irnet.cells import LABEL_NAMES
from irnet.config import LossSettings, ModelSettings, PerClass, PredictSettings
from irnet.models.box_branch import BoxBranch, Detections, Features
from irnet.models.boxes import Proposed
from irnet.models.build import anchor_sampling, build_model, group_norm, image_batch
from irnet.models.constants import Sizes
from irnet.models.image_batch import ImageBatch
from irnet.models.postprocess import Instances, Selection
from irnet.models.proposals import RegionProposals
from irnet.models.pyramid import Pyramid
from irnet.models.truths import Truths

CLASSES = len(LABEL_NAMES)
LRN_CHANNELS = 5  # that local response normalisation sums over (Krizhevsky et al. 2012)


class BoxHeads(nn.Module):
    """The heads of stage 1, named as in IRNet, so that its weights fit."""

    def __init__(self, *, box: BoxBranch) -> None:
        super().__init__()
        self.box = box


class CSPNet(nn.Module):
    """Finds boxes, then draws a mask in each. Suppression of masks is the caller's, in image pixels.

    Args:
        backbone, rpn, roi_heads: stage 1. The six-layer network classifies in its `rpn` and has no heads.
        masks: stage 2.
        prepare: what makes a batch of the images.
        loss_weights: factor of each loss by name; those that are not named count once.
    """

    def __init__(
        self,
        *,
        backbone: Pyramid | FiveLayers,
        rpn: RegionProposals | AnchorDetector,
        roi_heads: BoxHeads | None,
        masks: MaskNetwork,
        prepare: ImageBatch,
        loss_weights: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.rpn, self.roi_heads, self.masks = backbone, rpn, roi_heads, masks
        self.prepare = prepare
        self.loss_weights = loss_weights or {}
        self.diagnostics: dict[str, Tensor] = {}  # figures of the last training step, detached

    def forward(
        self, images: Sequence[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[Instances]:
        """Losses of both stages by name, weighted, where `targets` are given; else the instances.

        Images and targets are those of IRNet. The masks lie in grown boxes.
        """
        batch, sizes, scales = self.prepare(images)
        features = self.backbone(batch)
        if targets is None:
            return self._detect(batch, features, sizes, scales)

        truths = Truths.collate(targets, scales)
        boxes, losses = self.box_losses(features, sizes, truths)
        losses["mask"], self.diagnostics = self.masks.losses(batch, boxes, sizes, truths)
        return {name: self.loss_weights.get(name, 1.0) * loss for name, loss in losses.items()}

    def box_losses(
        self, features: Features, sizes: Sizes, truths: Truths
    ) -> tuple[Proposed, dict[str, Tensor]]:
        """Boxes (B, R, 4) for stage 2, without gradient, and the losses of stage 1."""
        boxes, losses = self.rpn(list(features.values()), sizes, truths)
        if self.roi_heads is not None:
            more, _, _ = self.roi_heads.box.losses(features, boxes, sizes, truths)
            losses = losses | more
        return boxes, losses

    def find_boxes(self, features: Features, sizes: Sizes) -> list[Detections]:
        """What stage 1 finds in each image: boxes, labels and scores, best first."""
        levels = list(features.values())
        if isinstance(self.rpn, AnchorDetector):
            return self.rpn.detect(levels, sizes)
        assert self.roi_heads is not None
        return self.roi_heads.box.detect(features, self.rpn(levels, sizes)[0], sizes)

    def _detect(self, batch: Tensor, features: Features, sizes: Sizes, scales: Tensor) -> list[Instances]:
        boxes, labels, scores = zip(*self.find_boxes(features, sizes), strict=True)
        frames = self.masks.frames(list(boxes), sizes)
        masks = self.masks.masks(batch, frames, list(labels))
        found = zip(frames, scales, labels, scores, masks, strict=True)
        return [Instances(frame / scale.repeat(2), *fields) for frame, scale, *fields in found]


def build_cspnet(
    model: ModelSettings,
    loss: LossSettings | None = None,
    predict: PredictSettings | None = None,
    *,
    pretrained: bool = True,
) -> CSPNet:
    """The network of a recipe, ready to train.

    `pretrained=False` leaves the ImageNet weights of the backbone out, for a network whose weights are
    loaded next. Raises `InputError` where they are missing.
    """
    loss, predict = loss or LossSettings(), predict or PredictSettings()
    norm = group_norm if model.cspnet.norm == "group" else local_response_norm
    if model.cspnet.stage1 == "fpn":
        backbone, rpn, roi_heads = _mask_rcnn_boxes(model, loss, predict, pretrained=pretrained)
    else:
        backbone, rpn, roi_heads = FiveLayers(norm=norm), _anchor_detector(model, predict), None

    return CSPNet(
        backbone=backbone,
        rpn=rpn,
        roi_heads=roi_heads,
        masks=MaskNetwork(classes=CLASSES, norm=norm, rois=model.cspnet.rois),
        prepare=image_batch(model),
        loss_weights=loss.model_dump(include={"objectness", "rpn_box", "cls", "box", "mask"}),
    )


def local_response_norm(_channels: int) -> nn.Module:
    """Local response normalisation over channels."""
    return nn.LocalResponseNorm(LRN_CHANNELS)


def _mask_rcnn_boxes(
    model: ModelSettings, loss: LossSettings, predict: PredictSettings, *, pretrained: bool
) -> tuple[Pyramid, RegionProposals, BoxHeads]:
    """The recipe's Mask R-CNN without its mask branch; its boxes are suppressed loosely, the masks decide."""
    loose = PerClass(cytoplasm=NMS_IOU, nucleus=NMS_IOU)
    boxes = predict.model_copy(update={"nms": loose, "suppression": "box"})
    detector = build_model(model, loss, boxes, pretrained=pretrained)
    return detector.backbone, detector.rpn, BoxHeads(box=detector.roi_heads.box)


def _anchor_detector(model: ModelSettings, predict: PredictSettings) -> AnchorDetector:
    rpn = model.rpn
    return AnchorDetector(
        classes=CLASSES,
        anchor_sizes=model.anchor_sizes,
        anchor_ratios=model.anchor_ratios,
        sampling=anchor_sampling(rpn),
        candidates=(rpn.pre_nms_train, rpn.pre_nms_test),
        training_limit=rpn.post_nms_train,
        selection=Selection(
            floor=predict.floor,
            nms_iou=(NMS_IOU,) * CLASSES,
            max_per_megapixel=predict.max_per_megapixel,
        ),
    )
