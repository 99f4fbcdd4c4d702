"""An image that a network has looked at once, ready to be asked about places in it, NumPy on both sides."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from irnet.models.pasting import Found

Floats = NDArray[np.float32]


class Encoding(ABC):
    """What a network made of one image. Boxes are xyxy px of the image; class c has column c - 1."""

    found: Found  # what the network finds in it, as `Engine.find` gives it
    boxes: Floats  # (R, C, 4) what its proposals became, of each class, before anything was dropped
    scores: Floats  # (R, C) class probabilities of these

    @abstractmethod
    def read(self, boxes: Floats) -> tuple[Floats, Floats]:
        """Return what boxes (n, 4) that anybody gives become, (n, C, 4), and their probabilities, (n, C)."""

    @abstractmethod
    def draw(self, boxes: Floats, labels: NDArray[np.int64]) -> Found:
        """Return the masks of boxes (n, 4) of given labels (n,), scores 1, in the order of the boxes."""
