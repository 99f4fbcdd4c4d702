"""Suppression tuned on validation images: of masks, as CSPNet has it (Akram et al. 2016), or of boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from irnet.cells import LABEL_NAMES, Cells
from irnet.config import Settings
from irnet.data.sample import Entry
from irnet.inference.methods import find_all
from irnet.inference.predict import Predictor
from irnet.inference.scale import OWN
from irnet.models.box_branch import BoxBranch
from irnet.slides.seams import survivors
from irnet.training.scores import score_validation


def tune_masks(predictor: Predictor, ious: Sequence[float], val: Sequence[Entry]) -> Predictor:
    """The predictor with the IoU of suppression, for each class, that gives the highest AJI on `val`.

    The recipe must suppress masks (`predict.suppression = "mask"`): the network runs once for all `ious`.
    """
    found = _find(_with_nms(predictor, dict.fromkeys(LABEL_NAMES.values(), 1.0)), val)
    trials = {}
    for iou in ious:
        nms = dict.fromkeys(LABEL_NAMES, iou)
        trials[iou] = [cells.select(survivors(cells, nms=nms)) for cells in found]
    return _with_nms(predictor, _best(predictor, trials, val))


def tune_boxes(
    predictor: Predictor, branch: BoxBranch, ious: Sequence[float], val: Sequence[Entry]
) -> Predictor:
    """The same where boxes are suppressed, by the network's box branch: it runs once for each of `ious`."""
    trials = {}
    for iou in ious:
        branch.selection = replace(branch.selection, nms_iou=(iou,) * len(LABEL_NAMES))
        trials[iou] = _find(predictor, val)

    best = _best(predictor, trials, val)
    chosen = tuple(best[name] for name in LABEL_NAMES.values())
    branch.selection = replace(branch.selection, nms_iou=chosen)
    return _with_nms(predictor, best)


def _find(predictor: Predictor, val: Sequence[Entry]) -> list[Cells]:
    return find_all(predictor, (entry.read() for entry in val), scale=OWN)


def _best(
    predictor: Predictor, trials: Mapping[float, Sequence[Cells]], val: Sequence[Entry]
) -> dict[str, float]:
    """The IoU of the trial of highest AJI, of each class by name; of equal ones the first."""
    truths = [entry.content for entry in val]
    best: dict[str, tuple[float, float]] = {}  # class -> AJI, IoU

    for iou, found in trials.items():
        numbers = score_validation(truths, found, floor=predictor.settings.predict.floor).numbers
        for name in LABEL_NAMES.values():
            aji = numbers.get(f"{name}/AJI", 0.0)
            best[name] = max(best.get(name, (-1.0, iou)), (aji, iou), key=lambda pair: pair[0])
    return {name: iou for name, (_, iou) in best.items()}


def _with_nms(predictor: Predictor, ious: dict[str, float]) -> Predictor:
    settings: Settings = predictor.settings
    nms = settings.predict.nms.model_copy(update=ious)
    predict = settings.predict.model_copy(update={"nms": nms})
    return Predictor(
        predictor.model, settings=settings.model_copy(update={"predict": predict}), device=predictor.device
    )
