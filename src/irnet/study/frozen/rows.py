"""The rows beyond the paper, on one frozen base: only the two modules differ, or what replaces them."""

from __future__ import annotations

from collections.abc import Mapping

from irnet.study.rows import (
    DF_MSK,
    DF_RL,
    IRNET,
    MASK_RCNN,
    MSK_RL,
    NO_DRM,
    NO_IRM,
    PLAIN,
    WITHOUT_DRM,
    WITHOUT_IRM,
    Row,
)

COSINE, NO_RELATION = "model.irm.affinity=cosine", "model.irm.relation=false"
MAX_SCORE, TOP_40 = "model.drm.label=max_score", "model.drm.top_k=40"
DRM = (MAX_SCORE, TOP_40)
EVERY_BOX = 10**6  # top_k beyond any number of candidates
NMS_IOUS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def _frozen(
    key: str,
    title: str,
    *overrides: str,
    paper: Mapping[str, float] | None = None,
    nms_ious: tuple[float, ...] = (),
    note: str = "",
) -> Row:
    return Row(
        key=f"frozen-{key}",
        title=title,
        base="frozen",
        overrides=overrides,
        paper=paper or {},
        nms_ious=nms_ious,
        note=note,
    )


CONTROL = _frozen(
    "maskrcnn",
    "Mask R-CNN",
    *PLAIN,
    paper=MASK_RCNN.paper,
    note="the frozen network itself, nothing trained: it has no seeds",
)
TABLES = (  # the rows of Tables 1 and 2
    CONTROL,
    _frozen("drm", "+ DRM: max score, k = 40", NO_IRM, *DRM, paper=WITHOUT_IRM.paper),
    _frozen("irm", "+ IRM: cosine", NO_DRM, COSINE, paper=WITHOUT_DRM.paper),
    _frozen("irnet", "IRNet", *DRM, COSINE, paper=IRNET.paper),
    _frozen("df-msk", "IRNet, DF + MSK", *DRM, NO_RELATION, paper=DF_MSK.paper),
    _frozen("df-rl", "IRNet, DF + RL", *DRM, COSINE, "model.irm.inputs=df", paper=DF_RL.paper),
    _frozen("msk-rl", "IRNet, MSK + RL", *DRM, COSINE, "model.irm.inputs=msk", paper=MSK_RL.paper),
)
REFINEMENTS = (  # instead of the IRM, and inside it
    _frozen(
        "plain-masks",
        "+ plain refinement of masks",
        NO_DRM,
        NO_RELATION,
        note="control of the IRM rows: its layers, trained as long, without the relation",
    ),
    _frozen(
        "wide-masks",
        "+ plain refinement, boxes x 1.5",
        NO_DRM,
        NO_RELATION,
        "model.mask_box_scale=1.5",
        note="the paper says that enlarged boxes do not help; the frozen mask head never saw such boxes",
    ),
    *(
        _frozen(f"irm-{name.replace('_', '-')}", f"+ IRM: {name}", NO_DRM, f"model.irm.affinity={name}")
        for name in ("dot", "scaled_dot", "neg_dot")
    ),
)
REMOVALS = (  # instead of the DRM, and inside it
    _frozen(
        "drm-alone",
        "+ DRM without relation",
        NO_IRM,
        *DRM,
        "model.drm.relation=false",
        note="control of the DRM rows: as many parameters, trained as long, each box judged by itself",
    ),
    _frozen("drm-max-iou", "+ DRM: max IoU", NO_IRM, "model.drm.label=max_iou", TOP_40),
    *(
        _frozen(f"drm-top{k}", f"+ DRM: k = {k}", NO_IRM, MAX_SCORE, f"model.drm.top_k={k}")
        for k in (10, 20, 80)
    ),
    _frozen("drm-all", "+ DRM: k = all", NO_IRM, MAX_SCORE, f"model.drm.top_k={EVERY_BOX}"),
    _frozen(
        "drm-quality",
        "+ DRM as quality",
        NO_IRM,
        "model.drm.label=quality",
        "model.drm.loss=probability",
        TOP_40,
        note="p learns how well a box fits, duplicates too: non-maximum suppression alone removes those",
    ),
    _frozen("drm-across", "+ DRM across classes", NO_IRM, *DRM, "model.drm.across_classes=true"),
)
SUPPRESSIONS = (  # without DRM
    _frozen("soft-nms", "Mask R-CNN, soft-NMS", *PLAIN, "predict.suppression=soft"),
    _frozen("mask-nms", "Mask R-CNN, NMS of masks", *PLAIN, "predict.suppression=mask", nms_ious=NMS_IOUS),
    _frozen("tuned-nms", "Mask R-CNN, tuned NMS", *PLAIN, nms_ious=NMS_IOUS),
)

ROWS = (*TABLES, *REFINEMENTS, *REMOVALS, *SUPPRESSIONS)
DRAWN = TABLES[3]  # IRNet: the row whose associations are drawn
