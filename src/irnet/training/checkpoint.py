"""Checkpoints: everything that the next step of a run depends on, in one file."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import torch
from torch import Tensor, nn

from irnet.errors import InputError
from irnet.inference.tensors import read_tensors, write_tensors


def save_checkpoint(
    path: Path,
    *,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
) -> None:
    """Write everything that the next step depends on; `state` holds the step, the plan and the settings."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in average.state_dict().items()}

    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                tensors[f"optimizer/{key}/{name}"] = value

    write_tensors(path, tensors, {"kind": "checkpoint", **state})


def load_checkpoint(
    path: Path, *, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Put a checkpoint's tensors in place and return its `state`."""
    tensors, state = read_tensors(path)
    if state.get("kind") != "checkpoint":
        raise InputError(
            f"{path}: holds weights, not a checkpoint; start from it with --init {quote(str(path))}"
        )

    parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor

    try:
        model.load_state_dict(parts["model"])
        average.load_state_dict(parts["average"])
    except RuntimeError as error:
        raise InputError(
            f"{path}: made with another model; resume with its own settings ({error})"
        ) from error

    parameters = dict(model.named_parameters())
    for name, tensor in parts["optimizer"].items():
        key, _, parameter_name = name.partition("/")
        parameter = parameters[parameter_name]
        # AdamW counts its steps in a CPU tensor of float32, unless all of it runs on the GPU.
        here = key == "step" and not optimizer.defaults.get("fused")
        optimizer.state[parameter][key] = tensor if here else tensor.to(parameter.device)
    return state
