"""Weights files: a trained network with its recipe, in which the operating thresholds and the scale stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from irnet.config import Settings, parse_settings
from irnet.data.files import sha256, write_atomic
from irnet.engine.checkpoint import read_tensors, write_tensors
from irnet.errors import InputError
from irnet.models.build import build_model
from irnet.models.irnet import IRNet

BUNDLED = Path(__file__).parents[1] / "weights" / "irnet.safetensors"
LARGEST_FP16 = 65504.0


def save_weights(
    path: Path, model: nn.Module, *, settings: Settings, trained: dict[str, Any], half: bool = True
) -> str:
    """Write the weights of `model`, and NAME.sha256 for `sha256sum -c`; return the SHA-256 inside.

    `settings.predict.score` holds the operating thresholds, `settings.data.mpp` the network's scale,
    `trained` says how it was trained and how it scored. With `half` the kernels are stored in 16 bits.
    """
    tensors = {name: _short(tensor) if half else tensor for name, tensor in model.state_dict().items()}
    meta = {"kind": "weights", "settings": settings.model_dump(mode="json"), "trained": trained}
    digest = write_tensors(path, tensors, meta)
    line = f"{sha256(path)}  {path.name}\n"
    write_atomic(path.with_name(path.name + ".sha256"), line.encode())
    return digest


def load_weights(path: str | Path | None = None) -> tuple[IRNet, Settings, dict[str, Any]]:
    """Return the network in eval mode on the CPU, its settings, and what the file says of its training.

    `path` is a weights file, a checkpoint of a run (its moving average is taken) or a run's folder; None is
    the bundled file. Raises `InputError` when it is neither, is damaged, or comes from a newer irnet.
    """
    path = find_weights(path)
    tensors, settings, trained = _read(path)
    model = build_model(settings.model, settings.loss, settings.predict, trunk=False)
    model.load_state_dict(tensors)
    return model.eval(), settings, trained


def find_weights(path: str | Path | None) -> Path:
    """Return the weights file that `path` means: itself, the best of a run's folder, None the bundled one."""
    if path is None or str(path) == "bundled":
        if not BUNDLED.exists():
            raise InputError("this installation has no bundled weights: train some, or name a weights file")
        return BUNDLED
    path = Path(path)
    return path / "best.safetensors" if path.is_dir() else path


def start_from(model: IRNet, source: str, settings: Settings) -> None:
    """Put the weights of `source` ("bundled" or a file) into `model`, which must be the same network.

    Raises `InputError` that names the settings that differ.
    """
    path = find_weights(source)
    tensors, theirs, _ = _read(path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        mine = settings.model.model_dump(mode="json")
        other = theirs.model.model_dump(mode="json")
        differing = ", ".join(
            f"model.{k} = {other[k]!r}, not {mine[k]!r}" for k in mine if mine[k] != other[k]
        )
        raise InputError(f"{path}: holds another network than the recipe: it has {differing}") from error


def _read(path: Path) -> tuple[dict[str, Tensor], Settings, dict[str, Any]]:
    """Return float32 weights (of a checkpoint the moving average), their settings and their training."""
    tensors, meta = read_tensors(path)
    if "settings" not in meta:
        raise InputError(f"{path}: holds no network of irnet; name a weights file or a run's folder")
    prefix = "average/"
    average = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    state = {name: t.float() if t.is_floating_point() else t for name, t in (average or tensors).items()}
    return state, parse_settings(meta["settings"], source=str(path)), meta.get("trained", {})


def _short(tensor: Tensor) -> Tensor:
    """Return kernels and matrices in 16 bits; norms, biases and statistics are few and stay as they are."""
    fits = tensor.ndim > 1 and tensor.dtype == torch.float32 and tensor.abs().max() < LARGEST_FP16
    return tensor.half() if fits else tensor
