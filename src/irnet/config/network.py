"""Settings of the network and of its loss (paper, section 2)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from irnet.config.parts import BACKBONES, BackboneName, MaskHeadName
from irnet.config.section import (
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    Place,
    Positive,
    Section,
    Triple,
    Width,
)


class RPNSettings(Section):
    """Region proposal network (section 2; Mask R-CNN)."""

    removed: ClassVar = {"nms": 0.7}

    pre_nms_train: Count = 1000
    """Best anchors of each pyramid level and image that enter NMS in training."""
    pre_nms_test: Count = 1000
    """The same in test, for an image of up to `model.field_megapixels`; grows with the area beyond."""
    post_nms_train: Count = 600
    """Proposals an image in training."""
    post_nms_test: Count = 500
    """Proposals an image in test, for up to `model.field_megapixels`; grows with the area beyond."""
    positive_iou: Fraction = 0.7
    """Anchors with at least this IoU to a truth box are positive."""
    negative_iou: Fraction = 0.3
    """Anchors below this IoU to every truth box are negative; those between give no loss."""
    batch: Count = 256
    """Anchors an image in the loss."""
    positive_fraction: Fraction = 0.5
    """Most of these anchors that may be positive."""
    ignore_straddling: bool = False
    """Leave anchors that cross the image border out of the loss (maskrcnn-benchmark does)."""


class DRMSettings(Section):
    """Duplicate removal module (section 2.2)."""

    removed: ClassVar = {"label_iou": 0.5}

    enabled: bool = True
    """Off: the class score alone ranks the boxes (Table 1, "IRNet w/o DRM")."""
    candidates: Count = 150
    """Boxes of each class and image, best class score first; grows with the area in test."""
    top_k: Count = 40
    """Relations kept for each box and head before the softmax, the box itself counted (k in section 2.2)."""
    label: Literal["max_score", "max_iou", "quality"] = "max_score"
    """Which box of a truth is "correct": the one of highest class score, or of highest IoU (the paper); or
    every box in so far as it is good, by its IoU with its truth ("quality")."""
    loss: Literal["product", "probability"] = "product"
    """Cross-entropy of s p (class score times p), or of p alone (the paper)."""
    truth_candidates: bool = False
    """Let the truth boxes that training adds to the proposals be candidates; in test there are none."""
    training_boxes: Literal["sampled", "proposals"] = "proposals"
    """Candidates in training: the boxes sampled for the box loss, or every proposal, as in test."""
    end_to_end: bool = False
    """Let the loss on proposals reach the box head and the backbone (with sampled boxes it always does)."""
    across_classes: bool = False
    """Boxes of both classes attend to each other, so that a cell also sees nuclei; off in the paper."""
    relation: bool = True
    """Off: each box is judged by itself, in layers of as many parameters, to see what attention adds."""

    @model_validator(mode="after")
    def _check_attends(self) -> DRMSettings:
        if self.across_classes and not (self.enabled and self.relation):
            raise ValueError(
                "model.drm.across_classes without model.drm.enabled and model.drm.relation changes nothing: "
                "switch them on, or set model.drm.across_classes = false"
            )
        return self


class IRMSettings(Section):
    """Instance relation module (section 2.1, Eq. 1; Table 2)."""

    enabled: bool = True
    """Off: the masks of the segmentation head are final (Table 1, "IRNet w/o IRM")."""
    inputs: Literal["df+msk", "df", "msk"] = "df+msk"
    """Deep features and the first mask, or one of them (DF and MSK in Table 2)."""
    relation: bool = True
    """Off: encoder and deconvolution without Eq. 1 (DF+MSK without RL in Table 2)."""
    affinity: Literal["cosine", "dot", "scaled_dot", "neg_dot"] = "cosine"
    """d_pq of Eq. 1: cosine times a learned temperature, B B^T (the paper), B B^T / sqrt(hw), or -B B^T."""
    temperature: Positive = 5.0
    """First value of the temperature of the cosine affinity."""
    exclude_same_truth: bool = False
    """In training, hide instances of the same truth from each other: in test there are no duplicates."""

    @model_validator(mode="after")
    def _check_does_something(self) -> IRMSettings:
        if self.inputs == "msk" and not self.relation:
            raise ValueError(
                "model.irm.inputs = 'msk' without model.irm.relation changes nothing: "
                "switch the relation on, or set model.irm.enabled = false"
            )
        return self


class CSPNetSettings(Section):
    """CSPNet, a rival (Table 1; Akram et al. 2016): boxes of one network, masks of another."""

    removed: ClassVar = {
        "mask_side": 25,
        "padding": 3,
        "fc_width": 256,
        "dropout": 0.5,
        "roi_iou": 0.5,
        "box_nms": 0.8,
    }

    enabled: bool = False
    """On: CSPNet instead of Mask R-CNN and IRNet; it suppresses masks (`predict.suppression = "mask"`)."""
    stage1: Literal["fpn", "cspn6"] = "fpn"
    """What finds boxes: the recipe's detector (the paper's variant), or the six-layer network as published,
    with the recipe's anchors and `model.rpn`."""
    norm: Literal["lrn", "group"] = "lrn"
    """Local response normalisation (as published) or group norm, in stage 2 and in the six-layer network."""
    rois: Count = 128
    """Boxes an image in the loss of the masks."""


class ModelSettings(Section):
    """The network (section 2)."""

    removed: ClassVar = {"box_iou": 0.5}

    backbone: BackboneName = "efficientnet_lite2"
    """The network under the feature pyramid."""
    trunk_norm: Literal["frozen_bn", "group"] = "frozen_bn"
    """Of the backbone: frozen batch norm needs `trunk_weights`; group norm (ResNets) starts from scratch,
    nothing frozen."""
    trunk_weights: Place = "package"
    """ImageNet weights: a .pth file, "package" (of the extra imagenet), or "" for none."""
    trunk_sha256: str = ""
    """SHA-256 that `trunk_weights` must have; "" checks only files whose hash is known."""
    frozen_stages: Annotated[int, Field(ge=0, le=5)] = 2
    """Parts of the backbone that keep their weights: 1 the stem, 2 the first stage too, and so on."""
    mean: Triple = (127.0, 127.0, 127.0)
    """Subtracted from the RGB image (grey levels, 0 to 255)."""
    std: Triple = (128.0, 128.0, 128.0)
    """The image is divided by it (grey levels)."""
    min_size: CountOrZero = 0
    """Shorter side that images are resized to (px); 0 keeps them. 800 in the paper's code base."""
    max_size: CountOrZero = 0
    """Longest side allowed by that resizing (px)."""
    field_megapixels: Positive = 0.5
    """Area (network scale) that the limits of proposals and of DRM candidates are meant for in test. In
    larger images relations reach half the side of such a field."""
    fpn_width: Width = 128
    """Channels of the feature pyramid and of the RPN."""
    fc_width: Width = 512
    """Width of the two fully connected layers of the box head."""
    mask_width: Width = 128
    """Channels of the mask head, of its deconvolution and of the IRM encoder."""
    mask_head: MaskHeadName = "convolutions"
    """What draws the first masks: four convolutions and a deconvolution, as in Mask R-CNN."""
    mask_box_scale: Annotated[float, Field(ge=1, le=4)] = 1.0
    """Boxes are enlarged by this factor about their centre before masks are drawn in them (section 2.1)."""
    head_norm: Literal["none", "group"] = "group"
    """Group norm in pyramid, RPN and mask head, or none."""
    anchor_sizes: tuple[Positive, Positive, Positive, Positive, Positive] = (16, 32, 64, 128, 256)
    """Side of the anchors of the levels P2 to P6 (px)."""
    anchor_ratios: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=32)] = (0.5, 1.0, 2.0)
    """Height over width of the anchors."""
    box_batch: Count = 128
    """Boxes an image in the losses of the box head."""
    box_positive_fraction: Fraction = 0.25
    """Most of these boxes that may be positive; they are also the ones whose masks are trained."""
    rpn: RPNSettings = RPNSettings()
    drm: DRMSettings = DRMSettings()
    irm: IRMSettings = IRMSettings()
    cspnet: CSPNetSettings = CSPNetSettings()

    @property
    def has_backbone(self) -> bool:
        """Whether there is a `backbone`: the six-layer network is all of its own."""
        return not (self.cspnet.enabled and self.cspnet.stage1 == "cspn6")

    @model_validator(mode="after")
    def _check_one_method(self) -> ModelSettings:
        if self.cspnet.enabled and (self.drm.enabled or self.irm.enabled):
            raise ValueError(
                "model.cspnet.enabled = true leaves no place for DRM and IRM: "
                "set model.drm.enabled = false and model.irm.enabled = false"
            )
        return self

    @model_validator(mode="after")
    def _check_backbone(self) -> ModelSettings:
        norms = BACKBONES[self.backbone].norms
        if self.trunk_norm not in norms:
            lacking = "group norm" if self.trunk_norm == "group" else "frozen batch norm"
            raise ValueError(
                f"model.backbone = {self.backbone!r} has no {lacking}: set model.trunk_norm = {norms[0]!r}"
            )

        if self.trunk_norm == "frozen_bn" and not self.trunk_weights:
            raise ValueError(
                "model.trunk_norm = 'frozen_bn' without model.trunk_weights freezes random statistics: "
                "name a weights file, or train a ResNet from scratch with model.trunk_norm = 'group'"
            )
        if self.trunk_norm == "frozen_bn":
            return self

        if self.trunk_weights or self.frozen_stages:
            raise ValueError(
                "model.trunk_norm = 'group' starts from scratch: "
                "set model.trunk_weights = '' and model.frozen_stages = 0"
            )
        return self

    @model_validator(mode="after")
    def _check_sizes(self) -> ModelSettings:
        if 0 < self.min_size > self.max_size:
            raise ValueError(
                f"model.max_size = {self.max_size} is below model.min_size = {self.min_size}: raise it"
            )
        if list(self.anchor_sizes) != sorted(self.anchor_sizes):
            raise ValueError(
                f"model.anchor_sizes = {list(self.anchor_sizes)} must grow from level P2 to level P6"
            )
        return self


class LossSettings(Section):
    """Weights of the loss (section 2.3)."""

    objectness: NonNegative = 1.0
    rpn_box: NonNegative = 1.0
    cls: NonNegative = 1.0
    box: NonNegative = 1.0
    mask: NonNegative = 1.0
    """First masks, where no IRM refines them."""
    mask_with_irm: NonNegative = 0.5
    """First masks, where the IRM refines them (1 in the paper)."""
    alpha: NonNegative = 1.0
    """Duplicate removal (alpha)."""
    beta: NonNegative = 0.5
    """Refined masks (beta; 1 in the paper)."""
    box_form: Literal["smooth_l1", "giou"] = "smooth_l1"
    """Box regression: smooth L1 of the encoded box, or 1 - generalised IoU of the box itself."""
    smooth_l1_beta: Positive = 1 / 9
    """Where smooth L1 of the box head turns from quadratic to linear (maskrcnn-benchmark: 1)."""
