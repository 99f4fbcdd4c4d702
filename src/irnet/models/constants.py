"""Numbers of the detector that no recipe changes, and what follows from settings alone: without torch."""

from __future__ import annotations

import math

from irnet.cells import LABEL_NAMES
from irnet.config import PerClass

Sizes = list[tuple[int, int]]  # height and width of each image inside the padded batch (px)

STRIDE = 32  # sides of a batch are multiples of it
STRIDES = (4, 8, 16, 32, 64)  # of P2 to P6
LEVELS = 4  # P2 to P5, from which boxes are pooled
BOX_SIDE, MASK_SIDE = 7, 14  # of the pooled features; masks have twice as many samples
CANONICAL = (224, 2)  # side of a box (px), and the level from P2 on that it is pooled from

SMALLEST_PROPOSAL = 1e-3  # px; thinner boxes have no overlap to speak of
PROPOSAL_NMS_IOU = 0.7  # of the suppression within a level
SMALLEST_BOX = 1e-2  # px; thinner boxes hold nothing
SIGMA = 0.5  # of soft suppression

PROPOSAL_CODE = (1.0, 1.0)  # factors of the codes of centres and sizes
BOX_CODE = (10.0, 5.0)
MOST_GROWTH = math.log(1000 / 16)  # of a side, in its logarithm: larger codes are cut


def area_growth(sizes: Sizes, megapixels: float = 1.0) -> float:
    """Factor of limits meant for images of up to `megapixels`: how much larger the largest is, at least 1."""
    return max(1.0, max(height * width for height, width in sizes) / 1e6 / megapixels)


def by_label(values: PerClass) -> dict[int, float]:
    """The value of each class by its label, in the order of the labels."""
    return {label: getattr(values, name) for label, name in sorted(LABEL_NAMES.items())}
