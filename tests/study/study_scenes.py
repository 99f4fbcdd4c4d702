"""Scenes of rectangles: scores that can be counted by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from irnet.cells import Cells, Content
from irnet.data.sample import Entry

SHAPE = (40, 80)
Box = tuple[int, int, int, int]


def rectangles(boxes: Sequence[Box], labels: Sequence[int] | int = 1, scores=None) -> Cells:
    """Cells whose masks are the full boxes (x1, y1, x2, y2)."""
    masks = [np.ones((y2 - y1, x2 - x1), dtype=bool) for x1, y1, x2, y2 in boxes]
    kinds = np.broadcast_to(labels, len(boxes))
    return Cells.build(masks, [box[:2] for box in boxes], kinds, SHAPE, scores=scores, mpp=0.5)


def entry(name: str, cells: Cells, patient: str | None = None, *, distractors=()) -> Entry:
    """An image of which only the cells matter."""
    return Entry(
        name=name,
        path=Path(name),
        content=Content(cells=cells, distractors=tuple(distractors)),
        patient=patient,
    )


def wide(width: int, score: float = 1.0, label: int = 1) -> Cells:
    """A 10 px high bar of `width` px: of `wide(20)` its IoU is the smaller width over the larger."""
    return rectangles([(0, 0, width, 10)], label, [score])


def both(width: int, score: float = 1.0) -> Cells:
    """The same bar as a cell and as a nucleus."""
    return rectangles([(0, 0, width, 10), (0, 20, width, 30)], [1, 2], [score, score])
