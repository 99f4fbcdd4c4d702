"""Weights files: a trained network with its recipe, in which the operating thresholds and the scale stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from irnet.config import AWAY, Settings, parse_settings
from irnet.data.files import sha256, write_atomic
from irnet.errors import InputError
from irnet.inference.tensors import digest_of, read_meta, read_tensors, write_tensors

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from irnet.inference.networks import Network

FOLDER = Path(__file__).parents[1] / "weights"
BUNDLED = FOLDER / "irnet.safetensors"
RESEARCH = FOLDER / "irnet-research.safetensors"
LARGEST_FP16 = 65504.0

InitParts = Literal["all", "shared"]

DETECTOR = ("backbone.", "rpn.")  # backbone and pyramid, proposals
HEADS = ("roi_heads.box.", "roi_heads.mask.")  # of Mask R-CNN
OWN = ("roi_heads.box.drm.", "roi_heads.mask.irm.")  # of IRNet alone, inside them


def save_weights(
    path: Path, model: nn.Module, *, settings: Settings, trained: dict[str, Any], half: bool = True
) -> str:
    """Write the weights of `model`, and NAME.sha256 for `sha256sum -c`; return the SHA-256 inside.

    `settings.predict.score` holds the operating thresholds, `settings.data.mpp` the network's scale,
    `trained` says how it was trained and how it scored. With `half` the kernels are stored in 16 bits.
    Of files and folders that the settings name, only the last names are written.
    """
    tensors = {name: _short(tensor) if half else tensor for name, tensor in model.state_dict().items()}
    said = settings.model_dump(mode="json", context=AWAY)
    meta = {"kind": "weights", "settings": said, "trained": trained}
    digest = write_tensors(path, tensors, meta)
    write_checksum(path)
    return digest


def write_checksum(path: Path) -> None:
    """Write NAME.sha256 beside a file, for `sha256sum -c`."""
    line = f"{sha256(path)}  {path.name}\n"
    write_atomic(path.with_name(path.name + ".sha256"), line.encode())


def load_weights(path: str | Path | None = None) -> tuple[Network, Settings, dict[str, Any]]:
    """Return the network in eval mode on the CPU, its settings, and what the file says of its training.

    `path` is a weights file, a checkpoint of a run (its moving average is taken) or a run's folder; None is
    the bundled file. Raises `InputError` when it is none of these, is damaged, or comes from a newer irnet.
    """
    from irnet.inference.networks import build_network  # torch

    path = find_weights(path)
    tensors, settings, trained = _read(path)

    model = build_network(settings, pretrained=False)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"{path}: its tensors are not those of the network that its settings describe; "
            "take the file from where it was made"
        ) from error
    return model.eval(), settings, trained


def read_settings(path: Path) -> tuple[Settings, str]:
    """Return the settings of a weights file and its digest, without torch; raises as `load_weights`."""
    meta = read_meta(path)
    return settings_in(path, meta), meta["sha256"]


def find_weights(path: str | Path | None) -> Path:
    """Return the weights file that `path` means: itself, the best of a run's folder, or a bundled one.

    Bundled are "bundled", which None means too, and "bundled-research". Raises `InputError` when they are
    not installed.
    """
    path = Path("bundled" if path is None else path)
    bundled = {"bundled": BUNDLED, "bundled-research": RESEARCH}.get(str(path))
    if bundled is None:
        return path / "best.safetensors" if path.is_dir() else path

    if not bundled.exists():
        raise InputError(
            f"{path}: this installation has no bundled weights {bundled.name}: name a weights file"
        )
    return bundled


def start_from(
    model: nn.Module, source: str, settings: Settings, *, parts: InitParts = "all"
) -> dict[str, Any]:
    """Put the weights of `source` ("bundled", a file or a run's folder) into `model`.

    Args:
        parts: "all" asks for the same network. "shared" takes what the two have in common: backbone, pyramid,
            proposals, and heads of boxes and masks where both have them. DRM and IRM are never taken, so
            that every method forks from the same weights.

    Returns:
        The file's name and SHA-256, the parts of the model that start `fresh`, those of the file that are
        `left` out, whether the file is `generated_alone`: no annotated image is in its history, and the
        operating threshold (`score`) of each class.

    Raises:
        InputError: the networks differ; it names the settings.
    """
    path = find_weights(source)
    tensors, theirs, trained = _read(path)

    mine = model.state_dict()
    taken = {name: t for name, t in tensors.items() if parts == "all" or _is_shared(name, mine)}
    needed = {name for name in mine if parts == "all" or name.startswith(DETECTOR)}
    if any(_shape(taken, name) != _shape(mine, name) for name in needed | taken.keys()):
        raise InputError(
            f"{path}: holds another network than the recipe: it has {differing(theirs, settings)}"
        )

    model.load_state_dict(taken, strict=parts == "all")
    return {
        "source": path.name,
        "sha256": digest_of(path),
        "fresh": _whole_parts(mine.keys() - taken.keys(), taken),
        "left": _whole_parts(tensors.keys() - taken.keys(), taken),
        "generated_alone": generated_alone(theirs, trained),
        "score": theirs.predict.score.model_dump(),
    }


def generated_alone(settings: Settings, trained: Mapping[str, Any]) -> bool:
    """Whether weights, and those that they come from, learned from generated smears alone."""
    before, other = trained.get("init"), trained.get("averaged")
    drawn = settings.data.source == "generated" and not settings.data.generated.composed
    drawn = drawn and "unlabelled" not in trained.get("data", {})
    return drawn and all(one is None or one.get("generated_alone", False) for one in (before, other))


def _is_shared(name: str, mine: Collection[str]) -> bool:
    head = name.startswith(HEADS) and not name.startswith(OWN)
    return name.startswith(DETECTOR) or (head and name in mine)


def _shape(tensors: dict[str, Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None


def differing(theirs: Settings, mine: Settings) -> str:
    """The settings of the network that differ, as in "model.fpn_width = 64, not 32"."""
    other, own = (flat(settings.model.model_dump(mode="json"), "model.") for settings in (theirs, mine))
    return ", ".join(f"{key} = {other[key]!r}, not {own[key]!r}" for key in own if own[key] != other[key])


def flat(values: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Nested values by their dotted names.

    >>> flat({"train": {"lr": 0.1}, "method": "irnet"})
    {'train.lr': 0.1, 'method': 'irnet'}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{start}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def _whole_parts(names: Collection[str], taken: Collection[str]) -> list[str]:
    """The largest parts of a network that hold `names` and nothing of what was taken.

    >>> _whole_parts({"mask.irm.conv.weight", "mask.irm.gamma"}, {"mask.head.weight"})
    ['mask.irm']
    """
    occupied = {prefix for name in taken for prefix in _prefixes(name)}
    largest = set()
    for name in names:
        largest.add(next(part for part in _prefixes(name) if part not in occupied))
    return sorted(largest)


def _prefixes(name: str) -> list[str]:
    """A tensor's name from its first part on: a, a.b, a.b.c."""
    return list(accumulate(name.split("."), "{}.{}".format))


def _read(path: Path) -> tuple[dict[str, Tensor], Settings, dict[str, Any]]:
    """Return float32 weights (of a checkpoint the moving average), their settings and their training."""
    tensors, meta = read_tensors(path)
    settings = settings_in(path, meta)

    prefix = "average/"
    average = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    state = {name: t.float() if t.is_floating_point() else t for name, t in (average or tensors).items()}

    if broken := [name for name, tensor in state.items() if not tensor.isfinite().all()]:
        raise InputError(
            f"{path}: {broken[0]} holds values that are not finite; take an earlier file of the run"
        )
    return state, settings, meta.get("trained", {})


def settings_in(path: Path, meta: Mapping[str, Any]) -> Settings:
    """The settings that a file says, without the places of the machine that an earlier irnet wrote.

    Raises `InputError` where it says none, or wrong ones.
    """
    if "settings" not in meta:
        raise InputError(f"{path}: holds no network of irnet; name a weights file or a run's folder")
    said = parse_settings(meta["settings"], source=str(path))
    return Settings.model_validate(said.model_dump(mode="json", context=AWAY))


def _short(tensor: Tensor) -> Tensor:
    """Return kernels and matrices in 16 bits; norms, biases and statistics are few and stay as they are."""
    import torch

    fits = tensor.ndim > 1 and tensor.dtype == torch.float32 and tensor.abs().max() < LARGEST_FP16
    return tensor.half() if fits else tensor
