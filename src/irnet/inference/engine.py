"""What computes a network, behind one door: an image in, boxes and masks out, NumPy on both sides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from irnet.config import PredictSettings
from irnet.errors import InputError
from irnet.inference.encoding import Encoding
from irnet.models.pasting import Found

EngineName = Literal["auto", "torch", "openvino"]
Precision = Literal["fp32", "bf16", "int8"]

VIEW_COUNTS = (1, 4)


class Engine(ABC):
    """A network, ready to look at images."""

    name: str  # "torch" or "openvino", with a version where results may depend on it
    device: Any  # where it computes; `str` of it is its name
    precision: Precision
    model: Any = None  # the network in torch, where that computes
    batch: int = 1  # how many images are worth being seen at once

    @abstractmethod
    def find(self, image: NDArray[np.uint8], predict: PredictSettings, *, views: int) -> Found:
        """Return what the network finds in an (H, W, 3) image at its scale, boxes in px of the image.

        `predict` says how boxes are ranked and chosen. Raises `MemoryError` where memory runs out.
        """

    def find_all(
        self, images: Sequence[NDArray[np.uint8]], predict: PredictSettings, *, views: int
    ) -> list[Found]:
        """Return the same of each of several images (H, W, 3) of one size."""
        return [self.find(image, predict, views=views) for image in images]

    def encode(self, image: NDArray[np.uint8], predict: PredictSettings, *, views: int) -> Encoding:
        """Return the same image looked at once, to be asked about places in it."""
        raise InputError("the network takes no prompts: load one of irnet or maskrcnn")


def check_views(views: int, method: str) -> None:
    """Refuse a number of views that a method cannot see (`InputError`)."""
    if views not in VIEW_COUNTS:
        raise InputError(f"views {views} is out of range: give {' or '.join(map(str, VIEW_COUNTS))}")
    if views > 1 and method not in ("irnet", "maskrcnn"):
        raise InputError(f"{method} sees an image in one view: leave --views out")
