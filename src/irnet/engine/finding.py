"""What a method finds in an image, before and after the cut by score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from irnet.cells import Cells
from irnet.errors import InputError

Scores = dict[int, float]  # label -> least score

PLAUSIBLE_MPP = (0.05, 2.0)


class Finding(NamedTuple):
    """All candidates of an image and what the user should know about how they were found."""

    cells: Cells  # down to the method's floor, not yet cut by score
    zoom: float  # px of the method's scale per image px
    notes: tuple[str, ...]
    zoom_estimated: bool = False  # from nuclei (`scale.estimate_scale`); um per pixel stay unknown


def above(cells: Cells, scores: Scores) -> Cells:
    """Return the instances that reach the score of their class."""
    least = np.array([scores[int(label)] for label in cells.labels])
    return cells.select(cells.scores >= least)


def check_mpp(mpp: float | None) -> None:
    """Refuse um per pixel that no microscope has (`InputError`)."""
    low, high = PLAUSIBLE_MPP
    if mpp is not None and not low <= mpp <= high:
        raise InputError(f"{mpp} um per pixel is out of range: give {low} to {high}")
