"""Instance segmentation of overlapping cells in cervical cytology (IRNet, MICCAI 2019).

`irnet.load().predict(image)` finds the cells of one image. Importing the package stays cheap: each name is
imported when it is first used, torch when a model is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
    from irnet.data.coco.coco import read_coco, write_coco
    from irnet.inference.engine import EngineName, Precision
    from irnet.inference.predict import Predictor
    from irnet.metrics import score_image, summarise
    from irnet.morphometry.table import measure
    from irnet.synthetic import generate

__version__ = "0.1.0"
__all__ = [
    "CYTOPLASM",
    "NUCLEUS",
    "Cells",
    "Content",
    "__version__",
    "generate",
    "load",
    "measure",
    "read_coco",
    "score_image",
    "summarise",
    "write_coco",
]

_HOMES = {  # where each name lies
    "CYTOPLASM": "irnet.cells",
    "NUCLEUS": "irnet.cells",
    "Cells": "irnet.cells",
    "Content": "irnet.cells",
    "generate": "irnet.synthetic",
    "measure": "irnet.morphometry.table",
    "read_coco": "irnet.data.coco.coco",
    "score_image": "irnet.metrics",
    "summarise": "irnet.metrics",
    "write_coco": "irnet.data.coco.coco",
}


def load(
    path: str | Path | None = None,
    device: str = "auto",
    *,
    engine: EngineName = "auto",
    precision: Precision = "fp32",
) -> Predictor:
    """Return a predictor with the weights of a file or of a run's folder, or with the bundled weights.

    Args:
        path: a weights file, a run's folder, "bundled" or "bundled-research"; None is "bundled".
        device: "auto" (the GPU where there is one), "cpu", "cuda" or "cuda:1".
        engine: "torch" or "openvino" (the extra `fast`); "auto" takes OpenVINO where it is installed, a CPU
            computes and it has graphs of the network, which it makes once.
        precision: "fp32"; "bf16" where OpenVINO and the CPU have it; "int8" after `irnet quantise`.

    Returns:
        A `Predictor`: call its `predict` with an image.

    Raises:
        InputError: the file is missing, damaged or not a weights file of irnet, or the device or the engine
            is missing.

    Example:
        >>> import irnet
        >>> irnet.load(device="cpu").name
        'irnet'
    """
    from irnet.inference.predict import Predictor

    return Predictor.load(path, device=device, engine=engine, precision=precision)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'irnet' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
