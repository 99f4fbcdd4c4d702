"""Scenes of rectangles, in which every pixel can be counted by hand."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from irnet.cells import Cells

Box = tuple[int, int, int, int]


@pytest.fixture
def rectangles() -> Callable[..., Cells]:
    """Cells whose masks are the full boxes (x1, y1, x2, y2)."""

    def build(boxes: Sequence[Box], shape=(20, 60), label=1, scores=None, mpp=None) -> Cells:
        masks = [np.ones((y2 - y1, x2 - x1), dtype=bool) for x1, y1, x2, y2 in boxes]
        labels = np.broadcast_to(label, len(boxes))
        return Cells.build(masks, [box[:2] for box in boxes], labels, shape, scores=scores, mpp=mpp)

    return build
