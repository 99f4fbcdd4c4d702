"""Instance segmentation of overlapping cells in cervical cytology (IRNet, MICCAI 2019).

`irnet.load().predict(image)` finds the cells of one image. Importing the package stays cheap: torch is
reached only when a model is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from irnet.inference.predict import Predictor

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: str | Path | None = None, device: str = "auto") -> Predictor:
    """Return a predictor with the weights at `path`, or with the bundled weights.

    `device` is "auto" (the GPU where there is one), "cpu", "cuda" or "cuda:1". Raises `InputError` when the
    file is not a weights file of irnet or the device is missing.
    """
    from irnet.inference.predict import Predictor

    return Predictor.load(path, device=device)
