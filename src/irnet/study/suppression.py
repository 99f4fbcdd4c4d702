"""Suppression of masks tuned on validation images, as CSPNet has it (Akram et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

from irnet.cells import LABEL_NAMES
from irnet.config import Settings
from irnet.data.sample import Entry
from irnet.engine.evaluate import find_all, score_validation
from irnet.engine.predict import Predictor
from irnet.slides.seams import survivors


def tune_masks(predictor: Predictor, cuts: Sequence[float], val: Sequence[Entry]) -> Predictor:
    """The predictor with the IoU of suppression, for each class, that gives the highest AJI on `val`.

    The recipe must suppress masks (`predict.suppression = "mask"`): the network runs once for all `cuts`.
    """
    names = LABEL_NAMES.values()
    every = _with_nms(predictor, dict.fromkeys(names, 1.0))
    found = find_all(every, (entry.read() for entry in val))
    truths = [entry.truth for entry in val]
    best: dict[str, tuple[float, float]] = {}  # class -> AJI, IoU
    for cut in cuts:
        kept = [cells.select(survivors(cells, nms=dict.fromkeys(LABEL_NAMES, cut))) for cells in found]
        numbers = score_validation(truths, kept, floor=predictor.settings.predict.floor).numbers
        for name in names:
            aji = numbers.get(f"{name}/AJI", 0.0)
            best[name] = max(best.get(name, (-1.0, cut)), (aji, cut), key=lambda pair: pair[0])
    return _with_nms(predictor, {name: cut for name, (_, cut) in best.items()})


def _with_nms(predictor: Predictor, cuts: dict[str, float]) -> Predictor:
    settings: Settings = predictor.settings
    nms = settings.predict.nms.model_copy(update=cuts)
    predict = settings.predict.model_copy(update={"nms": nms})
    return Predictor(
        predictor.model, settings=settings.model_copy(update={"predict": predict}), device=predictor.device
    )
