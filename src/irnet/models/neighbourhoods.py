"""How far relations of instances reach in test: in large images as far as in the fields of training."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from irnet.models.constants import Sizes, area_growth

Places = NDArray[np.int64]


def relation_reach(sizes: Sizes, megapixels: float) -> float | None:
    """Most px in x and in y between boxes that relate: half the side of a field of so many megapixels.

    None where the largest image is no larger than a field: all its boxes relate, as in training.
    """
    return None if area_growth(sizes, megapixels) == 1 else math.sqrt(megapixels * 1e6) / 2


def by_tiles(boxes: NDArray[np.float32], rows: Places, reach: float | None) -> list[tuple[Places, Places]]:
    """The `rows` (R,) of boxes (N, 4) in groups of neighbours, each with all that any of them reaches."""
    if reach is None or not len(rows):
        return [(rows, np.arange(len(boxes)))] if len(rows) else []

    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    tiles, group = np.unique(np.floor(centres[rows] / reach), axis=0, return_inverse=True)
    found = []
    for number, tile in enumerate(tiles):
        low, high = (tile - 1.01) * reach, (tile + 2.01) * reach  # a little more: they are masked in float32
        near = np.flatnonzero(((centres >= low) & (centres <= high)).all(axis=1))
        found.append((rows[group.reshape(-1) == number], near))
    return found
