"""The one builder: settings in, IRNet out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from irnet.cells import LABEL_NAMES
from irnet.config import LossSettings, ModelSettings, PredictSettings, RPNSettings
from irnet.errors import InputError
from irnet.models.backbones import build_backbone
from irnet.models.box_branch import BoxBranch
from irnet.models.constants import by_label
from irnet.models.image_batch import ImageBatch
from irnet.models.instance_relation import InstanceRelation
from irnet.models.irnet import IRNet, RoIHeads
from irnet.models.mask_branch import MaskBranch
from irnet.models.mask_head import build_mask_head
from irnet.models.postprocess import Selection
from irnet.models.proposals import RegionProposals
from irnet.models.pyramid import Norm, Pyramid
from irnet.models.ranking import CandidateRanking, RankingRules
from irnet.models.sampling import Sampling
from irnet.models.weights import read_pretrained

CLASSES = len(LABEL_NAMES)


def build_model(
    model: ModelSettings,
    loss: LossSettings | None = None,
    predict: PredictSettings | None = None,
    *,
    pretrained: bool = True,
) -> IRNet:
    """The network of a recipe, ready to train.

    `pretrained=False` leaves the ImageNet weights of the backbone out, for a network whose weights are
    loaded next. Raises `InputError` where they are missing.
    """
    loss, predict = loss or LossSettings(), predict or PredictSettings()
    norm = group_norm if model.head_norm == "group" else None
    mask_weight = loss.mask_with_irm if model.irm.enabled else loss.mask

    return IRNet(
        backbone=_backbone(model, norm, read=pretrained),
        rpn=_rpn(model, norm),
        roi_heads=RoIHeads(box=_box_branch(model, loss, predict), mask=_mask_branch(model, norm)),
        prepare=image_batch(model),
        loss_weights={
            "objectness": loss.objectness,
            "rpn_box": loss.rpn_box,
            "cls": loss.cls,
            "box": loss.box,
            "mask": mask_weight,
            "drm": loss.alpha,
            "irm": loss.beta,
        },
    )


def image_batch(model: ModelSettings) -> ImageBatch:
    """What resizes, normalises and pads images as the settings say."""
    return ImageBatch(mean=model.mean, std=model.std, min_size=model.min_size, max_size=model.max_size)


def anchor_sampling(rpn: RPNSettings) -> Sampling:
    """The anchors that give a loss."""
    return Sampling(
        batch=rpn.batch,
        positive_fraction=rpn.positive_fraction,
        positive_iou=rpn.positive_iou,
        negative_iou=rpn.negative_iou,
        ignore_straddling=rpn.ignore_straddling,
    )


def group_norm(channels: int) -> nn.Module:
    """Group norm of the heads: 32 groups, 16 for narrow ones, none of a channel alone.

    The top of the pyramid may be one pixel: what has one value has no variance.
    """
    return nn.GroupNorm(32 if channels >= 256 else min(16, channels // 2), channels)


@contextmanager
def own_draws() -> Iterator[None]:
    """First weights that are drawn inside change none that are drawn after them.

    So networks of one seed, with the module or without, start from the same weights in all that they share.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, ())))
        yield


def _backbone(model: ModelSettings, norm: Norm | None, *, read: bool) -> Pyramid:
    state = None
    if read and model.trunk_weights:
        state = read_pretrained(model.backbone, model.trunk_weights, sha256=model.trunk_sha256)
    try:
        backbone = build_backbone(model.backbone, norm=model.trunk_norm, state=state)
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"model.trunk_weights = {model.trunk_weights!r} does not fit a {model.backbone}: "
            f"name the ImageNet weights of that backbone ({error})"
        ) from error
    return Pyramid(backbone, width=model.fpn_width, norm=norm, frozen_stages=model.frozen_stages)


def _rpn(model: ModelSettings, norm: Norm | None) -> RegionProposals:
    rpn = model.rpn
    return RegionProposals(
        width=model.fpn_width,
        norm=norm,
        anchor_sizes=model.anchor_sizes,
        anchor_ratios=model.anchor_ratios,
        pre_nms=(rpn.pre_nms_train, rpn.pre_nms_test),
        post_nms=(rpn.post_nms_train, rpn.post_nms_test),
        sampling=anchor_sampling(rpn),
        field_megapixels=model.field_megapixels,
    )


def _box_branch(model: ModelSettings, loss: LossSettings, predict: PredictSettings) -> BoxBranch:
    drm = None
    if model.drm.enabled:
        with own_draws():
            drm = _ranking(model, predict)

    return BoxBranch(
        width=model.fpn_width,
        fc_width=model.fc_width,
        classes=CLASSES,
        sampling=Sampling(batch=model.box_batch, positive_fraction=model.box_positive_fraction),
        box_form=loss.box_form,
        smooth_l1_beta=loss.smooth_l1_beta,
        drm=drm,
        selection=Selection(
            floor=predict.floor,
            nms_iou=tuple(by_label(predict.nms).values()),
            max_per_megapixel=predict.max_per_megapixel,
            suppression=predict.suppression,
        ),
    )


def _ranking(model: ModelSettings, predict: PredictSettings) -> CandidateRanking:
    drm = model.drm
    rules = RankingRules(
        count=drm.candidates,
        field_megapixels=model.field_megapixels,
        across_classes=drm.across_classes,
        power=tuple(by_label(predict.drm_power).values()),
        label=drm.label,
        form=drm.loss,
        training_boxes=drm.training_boxes,
        truth_candidates=drm.truth_candidates,
        end_to_end=drm.end_to_end,
    )
    return CandidateRanking(rules, in_features=model.fc_width, top_k=drm.top_k, relation=drm.relation)


def _mask_branch(model: ModelSettings, norm: Norm | None) -> MaskBranch:
    irm = None
    if model.irm.enabled:
        with own_draws():
            irm = InstanceRelation(
                channels=model.mask_width,
                classes=CLASSES + 1,
                inputs=model.irm.inputs,
                relation=model.irm.relation,
                affinity=model.irm.affinity,
                temperature=model.irm.temperature,
                width=model.mask_width,
                exclude_same_truth=model.irm.exclude_same_truth,
            )

    head = build_mask_head(
        model.mask_head, width=model.fpn_width, mask_width=model.mask_width, classes=CLASSES, norm=norm
    )
    return MaskBranch(head, irm=irm, box_scale=model.mask_box_scale, field_megapixels=model.field_megapixels)
