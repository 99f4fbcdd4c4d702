"""Relation modules trained over a frozen base: each once for a seed, shared by all rows that have it."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from irnet.config import Settings
from irnet.inference.tensors import read_tensors, write_tensors
from irnet.models.box_branch import BoxBranch
from irnet.models.build import build_model
from irnet.models.irnet import IRNet
from irnet.models.losses import mask_loss
from irnet.models.mask_branch import MaskBranch
from irnet.study.claims import HeldError, claimed
from irnet.study.frozen.cached_crops import read_boxes, read_masks
from irnet.training.optim import build_optimizer, parameter_groups, schedule_factor, set_learning_rate
from irnet.training.steps import NotFiniteError

RATE = 6e-4  # fresh heads learn at the rate of recipes/release.toml, regardless of the recipe of the base
CLIP = 5.0
LAST = 50  # steps over which figures are averaged
WAIT_S = 2.0

Loss = tuple[Tensor, dict[str, Tensor]]  # and figures to log
Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class HeadTraining:
    """How heads are trained: on which crops, for how long."""

    cached_crops: Path  # folder of `cache_crops`
    crops: int
    steps: int
    batch: int  # crops a step
    heads: Path  # folder of the trained heads
    device: torch.device


class TrainableHead(NamedTuple):
    """A module that a row trains."""

    name: str
    head: nn.Module
    loss: Callable[[Sequence[int]], Loss]  # of some crops
    settings: dict[str, Any]  # that make it differ from another


def train_heads(model: IRNet, settings: Settings, seed: int, plan: HeadTraining) -> Record:
    """Give `model` its trained DRM and IRM, as far as it has them; return their cost and last figures.

    A head that another row has trained is taken over, one that another process trains is waited for.
    """
    records = [_obtain(part, settings, seed, plan) for part in _parts(model, settings, plan)]
    return {
        "train_steps": max((record["steps"] for record in records), default=0),
        "train_seconds": sum(record["seconds"] for record in records),
        "trained_parameters": sum(record["parameters"] for record in records),
        "figures": {name: value for record in records for name, value in record["figures"].items()},
    }


def _parts(model: IRNet, settings: Settings, plan: HeadTraining) -> list[TrainableHead]:
    heads, parts = model.roi_heads, []
    if heads.box.drm is not None:
        loss = partial(_box_loss, heads.box, plan)
        parts.append(TrainableHead("drm", heads.box.drm, loss, settings.model.drm.model_dump()))
    if heads.mask.irm is not None:
        loss = partial(_mask_loss, heads.mask, plan)
        different = settings.model.irm.model_dump() | {"box_scale": heads.mask.box_scale}
        parts.append(TrainableHead("irm", heads.mask.irm, loss, different))
    return parts


def _box_loss(branch: BoxBranch, plan: HeadTraining, crops: Sequence[int]) -> Loss:
    """The loss of p(correct) over the candidates of some crops, as in joint training."""
    assert branch.drm is not None
    return branch.drm.loss(*read_boxes(plan.cached_crops, crops, plan.device))


def _mask_loss(branch: MaskBranch, plan: HeadTraining, crops: Sequence[int]) -> Loss:
    """The loss of the refined masks of some crops, as in joint training."""
    assert branch.irm is not None
    crop_batch = read_masks(plan.cached_crops, crops, branch.box_scale, plan.device)
    refined, figures = branch.irm(
        crop_batch.deep, crop_batch.first, crop_batch.labels, crop_batch.crop, crop_batch.match
    )
    return mask_loss(refined, crop_batch.labels, crop_batch.targets), figures


def _obtain(part: TrainableHead, settings: Settings, seed: int, plan: HeadTraining) -> Record:
    """Have the head trained, by whomever, and load it."""
    effort = [part.settings, plan.crops, plan.steps, plan.batch]
    digest = hashlib.sha256(json.dumps(effort, sort_keys=True).encode()).hexdigest()[:12]
    path = plan.heads / f"{part.name}-{digest}" / f"seed{seed}.safetensors"
    while not path.exists():
        try:
            with claimed(path.with_suffix("")):
                if not path.exists():
                    record = _train(part, settings, seed, plan)
                    write_tensors(path, part.head.state_dict(), {"head": part.settings, **record})
        except HeldError:
            time.sleep(WAIT_S)
    tensors, meta = read_tensors(path)
    part.head.load_state_dict(tensors)
    return meta


def _train(part: TrainableHead, settings: Settings, seed: int, plan: HeadTraining) -> Record:
    """Train a head from its first weights with AdamW and the recipe's weight decay."""
    begun = time.perf_counter()
    part.head.load_state_dict(first_weights(settings, part.name, seed))
    groups = parameter_groups(
        part.head,
        lr=RATE,
        trunk_lr_factor=1.0,
        bias_lr_factor=1.0,
        weight_decay=settings.train.weight_decay,
    )
    optimizer = build_optimizer(groups, kind="adamw", momentum=0.0)

    seen = []
    part.head.train()
    for step, crops in enumerate(islice(_order(plan, seed), plan.steps)):
        set_learning_rate(optimizer, _rate(step, plan.steps))
        loss, figures = part.loss(crops)

        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(part.head.parameters(), CLIP)
        _refuse(float(loss.detach()), float(norm), crops)
        optimizer.step()
        seen.append({f"loss_{part.name}": loss.detach(), **figures})

    part.head.eval()
    return {
        "steps": plan.steps,
        "seconds": time.perf_counter() - begun,
        "parameters": sum(p.numel() for p in part.head.parameters()),
        "figures": _means(seen[-LAST:]),
    }


def _means(figures: list[dict[str, Tensor]]) -> dict[str, float]:
    """Mean of each figure over some steps."""
    means = {}
    for name in figures[-1]:
        means[name] = float(sum(step[name] for step in figures)) / len(figures)
    return means


def _refuse(loss: float, norm: float, crops: list[int]) -> None:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise NotFiniteError({"losses": {"loss": repr(loss)}, "gradient_norm": repr(norm), "items": crops})


def first_weights(settings: Settings, name: str, seed: int) -> dict[str, Tensor]:
    """First weights of the DRM ("drm") or IRM ("irm"), regardless of what else the network has."""
    other = {"drm": "irm", "irm": "drm"}[name]
    off = getattr(settings.model, other).model_copy(update={"enabled": False})
    torch.manual_seed(seed)
    heads = build_model(settings.model.model_copy(update={other: off}), pretrained=False).roi_heads
    head = heads.box.drm if name == "drm" else heads.mask.irm
    assert head is not None
    return head.state_dict()


def _rate(step: int, steps: int) -> float:
    """Share of RATE: up over the first tenth, then a cosine down to zero."""
    warm = min(1.0, (step + 1) / max(1, steps // 10))
    return warm * schedule_factor(step, steps, schedule="cosine", milestones=(), decay=1.0)


def _order(plan: HeadTraining, seed: int) -> Iterator[list[int]]:
    """Numbers of the crops of each step: every crop once, in an order of the seed, then again."""
    numbers = chain.from_iterable(
        np.random.default_rng((seed, round_)).permutation(plan.crops).tolist() for round_ in count()
    )
    while True:
        yield list(islice(numbers, plan.batch))
