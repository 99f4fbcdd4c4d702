"""Parameter groups, schedules as pure functions of the step, and the moving average of the weights.

Bias at twice the rate and without decay, 500 warm-up steps from 1/3: maskrcnn-benchmark's defaults, which the
paper's recipe follows. Norms, gamma and temperatures are never decayed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)
NORMS = (nn.GroupNorm, nn.LayerNorm, nn.modules.batchnorm._BatchNorm)


def parameter_groups(
    model: nn.Module,
    *,
    lr: float,
    trunk_lr_factor: float,
    bias_lr_factor: float,
    weight_decay: float,
    backbone: str = "backbone.body.",
) -> list[dict]:
    """Return optimiser groups of the trainable parameters, each with its `base_lr`.

    `backbone` is the name prefix of the (pretrained) backbone, which gets `trunk_lr_factor` times `lr`.
    Biases of layers get `bias_lr_factor` times their rate; only matrices and kernels are decayed.
    """
    norms = {
        f"{name}.{key}"
        for name, module in model.named_modules()
        if isinstance(module, NORMS)
        for key in ("weight", "bias")
    }

    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = lr * trunk_lr_factor if name.startswith(backbone) else lr
        if name.endswith("bias") and name not in norms:
            rate *= bias_lr_factor
        decay = weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)

    return [
        {"params": parameters, "lr": rate, "base_lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def build_optimizer(
    groups: list[dict], *, kind: Literal["sgd", "adamw"], momentum: float
) -> torch.optim.Optimizer:
    """Return SGD with momentum (the paper) or AdamW (short runs) over `parameter_groups`."""
    if kind == "sgd":
        return torch.optim.SGD(groups, momentum=momentum)
    device = groups[0]["params"][0].device
    return torch.optim.AdamW(groups, fused=device.type in ("cpu", "cuda"))


def warmup_factor(step: int, *, warmup_steps: int, start: float) -> float:
    """Linear from `start` at step 0 to 1 at `warmup_steps`."""
    if step >= warmup_steps:
        return 1.0
    return start + (1.0 - start) * step / warmup_steps


def schedule_factor(
    step: int, steps: int, *, schedule: Literal["step", "cosine"], milestones: Sequence[float], decay: float
) -> float:
    """Return the share of the base rate at `step` of `steps`, warm-up aside.

    `step` multiplies by `decay` at each of `milestones` (fractions of the run); `cosine` falls to zero.
    """
    if schedule == "step":
        return decay ** sum(step >= round(fraction * steps) for fraction in milestones)
    return 0.5 * (1.0 + math.cos(math.pi * min(step / steps, 1.0)))


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give every group `factor` times its base rate."""
    for group in optimizer.param_groups:
        group["lr"] = factor * group["base_lr"]


class MovingAverage(Generic[Network]):
    """Exponential moving average of a model's weights, in a model of its own (`.model`, eval mode).

    The model that it follows keeps its tensors: its weights change in place.
    """

    def __init__(self, model: Network, *, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self._mine, self._source = list(self.model.state_dict().values()), list(model.state_dict().values())
        self._moving = [i for i, tensor in enumerate(self._mine) if tensor.is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the model, closely in the first steps, so that the initial weights are forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        mine, source = [self._mine[i] for i in self._moving], [self._source[i] for i in self._moving]
        torch._foreach_lerp_(mine, source, 1.0 - decay)  # type: ignore[reportPrivateImportUsage]

        for i in set(range(len(self._mine))).difference(self._moving):
            self._mine[i].copy_(self._source[i])
