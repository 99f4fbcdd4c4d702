"""Rows over the frozen base: crops are cached, a row's modules trained on them, its predictor made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from irnet.config import Settings
from irnet.data.sample import Entry
from irnet.inference.methods import find_all
from irnet.inference.predict import Predictor
from irnet.inference.scale import OWN
from irnet.inference.weights import start_from
from irnet.models.build import build_model
from irnet.models.instance_relation import InstanceRelation
from irnet.models.irnet import IRNet
from irnet.study.frozen.cached_crops import cache_crops
from irnet.study.frozen.heads import HeadTraining, train_heads
from irnet.study.frozen.network import FrozenBase
from irnet.study.protocol import BASE_SEED, base_weights, row_settings
from irnet.study.record import Size, Study
from irnet.study.rows import Row
from irnet.study.suppression import tune_boxes, tune_masks
from irnet.training.crops import CropDataset
from irnet.training.sources import open_source

LOOKED_AT = 8  # validation images on which associations are measured


class HeadBudget(NamedTuple):
    """How long heads are trained over a frozen base."""

    crops: int
    steps: int
    batch: int  # crops a step


HEAD_BUDGETS: dict[Size, HeadBudget] = {
    "tiny": HeadBudget(4, 6, 2),
    "small": HeadBudget(300, 600, 2),
    "paper": HeadBudget(2000, 6000, 2),
}


def make_frozen_row(
    study: Study, row: Row, seed: int, device: torch.device
) -> tuple[Predictor, dict[str, Any]]:
    """A row's predictor, and what its training cost and showed. The base must be ready.

    Raises `InputError` when the base is another network than the recipe's.
    """
    settings = row_settings(study, row, seed)
    model, origin = frozen_model(study, settings, device)

    frozen = study.out / "frozen" / origin["sha256"][:12]  # another base sees otherwise: a folder of its own
    plan = _head_training(study, frozen, device)
    if row.has_seeds:  # something is trained
        cache_crops(model, _training_crops(study), plan.crops, plan.cached_crops, device)
    trained = train_heads(model, settings, seed, plan)

    memory = FrozenBase(model, frozen / "images")
    predictor = Predictor(memory, settings=settings, device=device)  # type: ignore[arg-type]
    if row.nms_ious:
        predictor = _tune(predictor, model, row, study.parts.val)
    trained["figures"] |= _association_figures(predictor, model, study.parts.val[:LOOKED_AT])

    return predictor, {
        "base": origin["sha256"],
        "dropped": [name for name in origin["left"] if name.endswith((".drm", ".irm"))],
        **trained,
    }


def recall_frozen_row(
    study: Study, row: Row, seed: int, device: torch.device
) -> tuple[Predictor, InstanceRelation]:
    """The predictor of a finished row that has an IRM, and its IRM."""
    predictor, _ = make_frozen_row(study, row, seed, device)
    memory = predictor.model
    assert isinstance(memory, FrozenBase)
    irm = memory.model.roi_heads.mask.irm
    assert irm is not None
    return predictor, irm


def frozen_model(study: Study, settings: Settings, device: torch.device) -> tuple[IRNet, dict[str, Any]]:
    """The network of a row with the base's weights, its modules fresh, and where the weights are from."""
    model = build_model(settings.model, settings.loss, settings.predict, pretrained=False)
    origin = start_from(model, str(base_weights(study)), settings, parts="shared")
    return model.to(device).eval(), origin


def _head_training(study: Study, frozen: Path, device: torch.device) -> HeadTraining:
    effort = HEAD_BUDGETS[study.record["size"]]
    return HeadTraining(
        cached_crops=frozen / "crops", heads=frozen / "heads", device=device, **effort._asdict()
    )


def _training_crops(study: Study) -> CropDataset:
    """Training crops as the recipe augments them, the same for every row and seed."""
    return open_source(study.recipe(f"train.seed={BASE_SEED}"), study.data).crops


def _tune(predictor: Predictor, model: IRNet, row: Row, val: Sequence[Entry]) -> Predictor:
    if predictor.settings.predict.suppression == "mask":
        return tune_masks(predictor, row.nms_ious, val)
    return tune_boxes(predictor, model.roi_heads.box, row.nms_ious, val)


def _association_figures(predictor: Predictor, model: IRNet, val: Sequence[Entry]) -> dict[str, float]:
    """Mean figures of the instance relation over some images: gamma, self weight, effective n, hub share."""
    irm, seen = model.roi_heads.mask.irm, []
    if irm is None or irm.gamma is None:
        return {}

    hook = irm.register_forward_hook(lambda _, __, result: seen.append(result[1]))
    find_all(predictor, (entry.read() for entry in val), scale=OWN)
    hook.remove()

    figures: dict[str, Tensor] = {}
    for name in seen[0] if seen else ():
        figures[name] = torch.stack([step[name] for step in seen]).mean()
    if irm.log_temperature is not None:
        figures["temperature"] = irm.log_temperature.detach().exp()
    return {name: float(value) for name, value in figures.items()}
