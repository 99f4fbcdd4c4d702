"""Operating thresholds chosen on annotated images, for weights that are trained already."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from irnet.cells import LABEL_NAMES
from irnet.config import Settings
from irnet.config.section import PerClass
from irnet.data.files import sha256, write_atomic
from irnet.data.formats.coco import read_coco
from irnet.data.formats.coco_json import locate
from irnet.data.wording import number_of
from irnet.engine.card import WeightsFile, render_card
from irnet.engine.devices import choose_device
from irnet.engine.evaluate import find_all, scale_of_set
from irnet.engine.log import read_log
from irnet.engine.predict import Predictor
from irnet.engine.weights import find_weights, load_weights, save_weights
from irnet.errors import InputError
from irnet.metrics import best_score, f1_curve
from irnet.metrics.border import all_without_cut
from irnet.metrics.operating import Curve

FEW_IMAGES, FEW_INSTANCES = 5, 50  # fewer are warned of

_logger = logging.getLogger(__name__)


class Calibration(NamedTuple):
    """What `calibrate` chose, and what the weights file says of it."""

    scores: dict[str, float]  # of each class
    before: dict[str, float]
    sets: list[dict[str, Any]]  # name, SHA-256, images, and F1 of each class at the thresholds


def calibrate(
    source: str | Path,
    sets: Sequence[str | Path],
    out: str | Path,
    *,
    exclude_border: bool = False,
    device: str = "auto",
) -> Calibration:
    """Write the weights of `source` to `out` with the thresholds that make F1 highest on annotated images.

    Args:
        source: a weights file, a run's folder, "bundled" or "bundled-research".
        sets: folders of data sets or COCO files. Each counts the same, whatever its size, in the mean of F1
            over the sets in which a class is annotated. A class annotated in none keeps its threshold.
        out: the new weights file; its checksum and its card are written beside it.
        exclude_border: leave out what the border cuts (`metrics.border`).
        device: "auto", "cpu", "cuda" ...

    Raises:
        InputError: `out` exists, bad weights, bad data, or nothing in it that the network finds.
    """
    target = Path(out)
    if target.suffix != ".safetensors":
        raise InputError(f"{out}: name a new file that ends in .safetensors")
    if target.exists():
        raise InputError(f"{out} exists: name a new file, or remove it with its card and its .sha256")
    path = find_weights(source)
    model, settings, trained = load_weights(path)
    predictor = Predictor(model, settings=settings, device=choose_device(device))
    curves = [_curves(predictor, Path(data), exclude_border) for data in sets]
    _warn_of_few(curves)
    chosen = _choose(curves, settings)
    calibration = Calibration(
        scores=chosen,
        before=settings.predict.score.model_dump(),
        sets=[_describe(Path(data), part, chosen) for data, part in zip(sets, curves, strict=True)],
    )
    predict = settings.predict.model_copy(update={"score": PerClass(**chosen)})
    trained = trained | {"calibrated": {**calibration._asdict(), "exclude_border": exclude_border}}
    save_weights(
        target, model.cpu(), settings=settings.model_copy(update={"predict": predict}), trained=trained
    )
    card = render_card(WeightsFile.read(target), read_log(path.parent))
    write_atomic(target.with_suffix(".md"), card.encode())
    return calibration


class _Curves(NamedTuple):
    images: int
    instances: dict[str, int]  # of the same classes as the curves
    classes: dict[str, Curve]  # of the classes that are annotated


def _curves(predictor: Predictor, data: Path, exclude_border: bool) -> _Curves:
    entries = read_coco(data)
    scale = scale_of_set(predictor, entries)
    truths = [entry.truth for entry in entries]
    found = find_all(predictor, (entry.read() for entry in entries), scale=scale)
    if exclude_border:
        truths, found = all_without_cut(truths, found)
    counts = {
        label: sum(len(truth.cells.of(label)) for truth in truths if label in truth.annotated)
        for label in LABEL_NAMES
    }
    present = {label: LABEL_NAMES[label] for label, count in counts.items() if count}
    return _Curves(
        images=len(entries),
        instances={name: counts[label] for label, name in present.items()},
        classes={name: f1_curve(truths, found, label) for label, name in present.items()},
    )


def _warn_of_few(sets: Sequence[_Curves]) -> None:
    """Warn of thresholds that hang on a few images or instances."""
    images = sum(part.images for part in sets)
    totals = sum((Counter(part.instances) for part in sets), Counter())
    few = [number_of(images, "image")] if images < FEW_IMAGES else []
    few += [f"{total} of class {name}" for name, total in totals.items() if total < FEW_INSTANCES]
    if few:
        _logger.warning(
            "thresholds chosen on %s alone hang on chance: annotate at least %d images with %d of each class",
            ", ".join(few),
            FEW_IMAGES,
            FEW_INSTANCES,
        )


def _choose(sets: Sequence[_Curves], settings: Settings) -> dict[str, float]:
    """The threshold of each class, not below the recipe's floor."""
    chosen, any_found = settings.predict.score.model_dump(), False
    for name in chosen:
        best = best_score([part.classes[name] for part in sets if name in part.classes])
        if best is not None:
            chosen[name], any_found = max(settings.predict.floor, round(best, 3)), True
    if not any_found:
        raise InputError("nothing annotated on these images is found: the thresholds stay as they are")
    return chosen


def _describe(data: Path, part: _Curves, chosen: dict[str, float]) -> dict[str, Any]:
    file = locate(data)
    f1 = {name: float(curve.f1_at(np.array([chosen[name]]))[0]) for name, curve in part.classes.items()}
    return {
        "name": f"{file.resolve().parent.name}/{file.name}",
        "sha256": sha256(file),
        "images": part.images,
        "f1": f1,
    }
