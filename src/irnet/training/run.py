"""The state of a training run: what a checkpoint keeps, and the settings that say how to go on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from irnet.cells import LABEL_NAMES
from irnet.config import PerClass, Settings, parse_settings
from irnet.data.own import OwnData
from irnet.errors import InputError
from irnet.inference.networks import Network, build_network
from irnet.inference.tensors import read_meta
from irnet.inference.versions import versions
from irnet.inference.weights import InitParts, flat, save_weights, start_from
from irnet.metrics import summarise
from irnet.models.weights import pretrained_origin
from irnet.training.checkpoint import load_checkpoint, save_checkpoint
from irnet.training.optim import (
    MovingAverage,
    build_optimizer,
    parameter_groups,
    schedule_factor,
    warmup_factor,
)
from irnet.training.scores import Validation
from irnet.wording import some_of

SAID = 5  # settings in a line
NOTED_LATER = ("images_sha256", "unlabelled_images_sha256")  # older checkpoints go on without
SAID_OF_DATA = {"mpp": "--mpp", "patients_sha256": "--patients"}  # in what tells data apart
LAST, BEST = "last.safetensors", "best.safetensors"


@dataclass(frozen=True)
class Start:
    """Where a run begins, and on what.

    Args:
        init: weights: "bundled", a weights file or a run's folder; None is the recipe's ImageNet weights.
        parts: "all" of them, which must be those of the same network, or what is "shared" by the methods:
            backbone, pyramid, proposals, heads of boxes and masks. The log says what starts fresh.
        resume: go on where the run's folder stands; one without a checkpoint starts from the beginning.
        own: um per pixel and patients of annotated images, where their files do not say them.
    """

    init: str | None = None
    parts: InitParts = "all"
    resume: bool = False
    own: OwnData = OwnData()


@dataclass
class Run:
    """A run after `step` of `steps` optimiser steps; `steps` is None until a time budget has fixed it."""

    folder: Path
    settings: Settings
    model: Network
    average: MovingAverage[Network]
    optimizer: torch.optim.Optimizer
    data: dict[str, Any]  # what the images are, to notice other ones on resuming
    init: dict[str, Any] | None = None  # the weights that it started from, see `start_from`
    pretrained: dict[str, str] | None = None  # those of its backbone alone, see `pretrained_origin`
    facts: dict[str, Any] = field(default_factory=dict)  # what else the model card says
    step: int = 0
    steps: int | None = None
    merit: float = -math.inf  # of the best validation so far

    @classmethod
    def begin(
        cls,
        folder: Path,
        settings: Settings,
        start: Start = Start(),
        *,
        data: dict[str, Any],
        device: torch.device,
        facts: dict[str, Any] | None = None,
        resumed: bool = False,
    ) -> Run:
        """Return a run before its first step, with the weights that `start` names.

        A run that is `resumed` gets its weights from `restore`: it needs neither those nor ImageNet's.
        """
        torch.manual_seed(settings.train.seed)
        from_imagenet = start.init is None and not resumed
        model = build_network(settings, pretrained=from_imagenet)
        pretrained = _pretrained_origin(settings) if from_imagenet else None
        origin = None
        if start.init is not None and not resumed:
            origin = start_from(model, start.init, settings, parts=start.parts)

        s = settings.train
        wanted = s.channels_last and device.type != "cpu"  # there the network chooses, layer by layer
        order = torch.channels_last if wanted else torch.preserve_format
        model.to(device, memory_format=order).train()  # type: ignore[call-overload]

        groups = parameter_groups(
            model,
            lr=s.lr,
            trunk_lr_factor=s.trunk_lr,
            bias_lr_factor=s.bias_lr,
            weight_decay=s.weight_decay,
        )
        optimizer = build_optimizer(groups, kind=s.optimizer, momentum=s.momentum)

        average = MovingAverage(model, decay=s.ema)
        return cls(folder, settings, model, average, optimizer, data, origin, pretrained, facts or {})

    def restore(self) -> None:
        """Go to where the last checkpoint of the folder stands. Raises `InputError` when the data changed."""
        state = load_checkpoint(
            self.folder / LAST, model=self.model, average=self.average.model, optimizer=self.optimizer
        )
        self._check_data(state.get("data", {}))
        self.step, self.steps = state["step"], state["steps"]
        self.merit = -math.inf if state["merit"] is None else state["merit"]
        self.init, self.pretrained = state.get("init"), state.get("trunk")

    def _check_data(self, noted: dict[str, Any]) -> None:
        """Refuse data that differ from what the checkpoint noted, or of which it noted too little."""
        asked = [name for name in noted | self.data if name in noted or name not in NOTED_LATER]
        differing = [name for name in asked if noted.get(name) != self.data.get(name)]
        remedy = f"start another run with --init {quote(str(self.folder))}"
        said = [option for name, option in SAID_OF_DATA.items() if name in differing]
        if said and "sha256" not in differing:  # of the same files
            raise InputError(
                f"{self.folder}: was begun with another {' and '.join(said)}: give the same again, or "
                f"{remedy}"
            )
        if changed := [name for name in differing if name in noted]:
            changes = ", ".join(f"{n} {noted[n]!r}, not {self.data.get(n)!r}" for n in changed)
            raise InputError(
                f"{self.folder}: was trained on other data ({changes}): resume with those, drawn by the same "
                f"irnet if they are generated, or {remedy}"
            )

        if differing:
            raise InputError(
                f"{self.folder}: an older irnet started it and did not record {', '.join(differing)}, so "
                f"whether the data are the same cannot be determined: {remedy}"
            )

    def save(self) -> None:
        """Write the checkpoint that `restore` reads."""
        state = {
            "step": self.step,
            "steps": self.steps,
            "merit": self.merit if math.isfinite(self.merit) else None,
            "data": self.data,
            "init": self.init,
            "trunk": self.pretrained,
            "settings": self.settings.model_dump(mode="json"),
            "versions": versions(),
        }

        save_checkpoint(
            self.folder / LAST,
            model=self.model,
            average=self.average.model,
            optimizer=self.optimizer,
            state=state,
        )

    def save_best(self, validation: Validation | None) -> None:
        """Write the moving average as a weights file, with what its validation chose and measured."""
        settings = self.settings
        if validation is not None:
            score = PerClass(**{name: validation.scores[label] for label, name in LABEL_NAMES.items()})
            chosen: dict[str, Any] = {"score": score}
            if validation.nucleus_px and settings.predict.nucleus_px:
                chosen["nucleus_px"] = round(validation.nucleus_px, 1)
            elif not settings.data.mpp:
                chosen["nucleus_px"] = 0.0  # the recipe's is that of another scale
            settings = settings.model_copy(update={"predict": settings.predict.model_copy(update=chosen)})

        elif self.init and "score" in self.init:
            start = PerClass(**self.init["score"])
            settings = settings.model_copy(
                update={"predict": settings.predict.model_copy(update={"score": start})}
            )

        trained = {
            "step": self.step,
            "steps": self.steps,
            "data": self.data,
            "init": self.init,
            "trunk": self.pretrained,
            "validation": validation.numbers if validation else None,
            "scores": _summarise(validation) if validation else None,
            "versions": versions(),
            **self.facts,
        }
        save_weights(self.folder / BEST, self.average.model, settings=settings, trained=trained)

    def rate(self) -> float:
        """Return the share of the base learning rates that the next step takes."""
        s = self.settings.train
        warm = warmup_factor(self.step, warmup_steps=s.warmup_steps, start=s.warmup_factor)
        if self.steps is None:
            return warm
        return warm * schedule_factor(
            self.step, self.steps, schedule=s.schedule, milestones=s.milestones, decay=s.decay
        )


def _summarise(validation: Validation) -> dict[str, Any]:
    """Every score of a validation, with its interval."""
    named = any(patient is not None for patient in validation.patients)
    return summarise(validation.scored, validation.patients if named else None).to_json()


def _pretrained_origin(settings: Settings) -> dict[str, str] | None:
    model = settings.model
    if not (model.trunk_weights and model.has_backbone):
        return None
    return pretrained_origin(model.backbone, model.trunk_weights, sha256=model.trunk_sha256)


def settings_of(folder: Path) -> Settings:
    """Return the settings that the run in `folder` was started with."""
    path = folder / LAST
    return parse_settings(read_meta(path)["settings"], source=str(path))


def not_taken(settings: Settings, folder: Path) -> list[str]:
    """Return what a run in `folder` that goes on does not take of other settings, in a line."""
    if not (folder / LAST).exists():
        return []
    own, asked = (flat(one.model_dump(mode="json")) for one in (settings_of(folder), settings))
    differing = [f"{key} = {own[key]!r}, not {asked[key]!r}" for key in own if own[key] != asked.get(key)]
    if not differing:
        return []
    return [f"--resume goes on with the settings that the run began with: {some_of(differing, SAID)}"]
