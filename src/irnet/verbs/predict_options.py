"""What is asked of `irnet predict`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from irnet.inference.engine import EngineName, Precision

SAVES = ("coco", "overlay", "csv")


@dataclass(frozen=True)
class PredictOptions:
    """What is asked of a run.

    Args:
        method: one of `methods.METHODS`, None for what `model` holds.
        model: weights file or run's folder, None for the bundled weights.
        score: cut for both classes, None for the operating threshold of each.
        mpp: um per pixel of all images, None for what each file says.
        scale: px of the network's scale per px of images whose um per pixel is unknown; 1 takes them as they
            are, None estimates one for all of them.
        page: of multi-page TIFF files, from 0.
        recursive: whether images in folders of the folders named are taken too.
        views: 1 or 4, for networks; see `Predictor`.
        device: "auto", "cpu", "cuda" ...
        engine: "auto", "torch" or "openvino", what computes a network; see `engines.open_engine`.
        precision: "fp32", "bf16" or "int8", of its arithmetic.
        compiled: whether PyTorch compiles the network first.
        save: which of "coco", "overlay" and "csv".
        ids: whether overlays show the number of each instance.
    """

    method: str | None = None
    model: str | Path | None = None
    score: float | None = None
    mpp: float | None = None
    scale: float | None = None
    page: int | None = None
    recursive: bool = False
    views: int = 1
    device: str = "auto"
    engine: EngineName = "auto"
    precision: Precision = "fp32"
    compiled: bool = False
    save: Collection[str] = SAVES
    ids: bool = False
