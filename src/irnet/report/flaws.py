"""Differences between truth and finding: what is false, missed or poor, boxed in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from irnet.cells import LABEL_NAMES, Cells
from irnet.metrics.causes import POOR_IOU
from irnet.metrics.match import Pairwise, match_iou
from irnet.report.draw import Picture

FRAMES = {"false": (255, 40, 40), "missed": (0, 90, 255), "poor": (255, 200, 0)}  # kind -> colour
MEANINGS = {
    "false": "false find",
    "missed": "missed",
    "poor": f"found with IoU < {POOR_IOU:g}",
}

Box = tuple[int, int, int, int]  # x1, y1, x2, y2 px, exclusive


class Flaw(NamedTuple):
    """A difference from the truth."""

    kind: str  # false, missed or poor
    box: Box


def flaws(truth: Cells, found: Cells) -> list[Flaw]:
    """What is false, missed, or matched with an IoU below .7, in both classes."""
    listed = []
    for label in LABEL_NAMES:
        truths, preds = truth.of(label), found.of(label)
        pairs = Pairwise.between(truths, preds)
        matches = match_iou(pairs)
        listed += [Flaw("missed", as_box(b)) for b in np.delete(truths.boxes, matches[:, 0], axis=0)]
        listed += [Flaw("false", as_box(b)) for b in np.delete(preds.boxes, matches[:, 1], axis=0)]
        poor = matches[pairs.iou[pairs.find(matches)] < POOR_IOU]
        listed += [Flaw("poor", as_box(_around(truths.boxes[t], preds.boxes[p]))) for t, p in poor]
    return listed


def frame_flaws(image: Picture, listed: Sequence[Flaw], *, width: int = 3, zoom: float = 1.0) -> Picture:
    """The image with a box in the colour of its kind about every difference.

    It may be `zoom` times as large as the frame of the boxes.
    """
    sheet = Image.fromarray(image)
    pen = ImageDraw.Draw(sheet)
    for flaw in listed:
        pen.rectangle([zoom * side for side in flaw.box], outline=FRAMES[flaw.kind], width=width)
    return np.asarray(sheet)


def as_box(values: NDArray) -> Box:
    """Numbers x1, y1, x2, y2 (4,), pixels, as a box."""
    x1, y1, x2, y2 = (int(value) for value in values)
    return x1, y1, x2, y2


def _around(a: NDArray, b: NDArray) -> NDArray:
    return np.concatenate([np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])])
