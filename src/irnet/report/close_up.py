"""Close-ups: a part of an image, large, with the contours that matter over those around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.report.draw import Picture, overlay
from irnet.report.labels import write_numbers
from irnet.report.pictures import Shown, resize, to_jpeg

SIDE = 240  # px of a close-up
LEAST_WINDOW = 64  # px of the image
ROOM = {CYTOPLASM: 1.4, NUCLEUS: 2.6}  # a window's side in sides of what it is about
MARGIN = 8  # px around a window in which contours that it cuts close, out of sight
PALE = (235, 235, 235)  # colour of what is around

Colour = tuple[int, int, int]
THIN, BOLD = 1.0, 2.0  # px of the close-up
Corner = NDArray[np.int64]  # (2,) x, y px


class DrawnCells(NamedTuple):
    """Cells that are drawn in one way."""

    cells: Cells
    width: float  # of its lines
    colour: Colour | None = None  # None: that of `draw.overlay`
    dashed: bool | None = None  # None: nuclei without a cell alone
    numbers: Sequence[int] = ()  # of the cells, written on them; none for ()


class CloseUp(NamedTuple):
    """A square of an image, or what of it the frame leaves."""

    low: Corner
    high: Corner
    frame: tuple[int, int]  # H, W

    @classmethod
    def about(cls, boxes: NDArray[np.float64], room: float, frame: tuple[int, int]) -> Self:
        """A window about boxes (k, 4), `room` times as wide; near an edge it moves inwards."""
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        size = np.array(frame[::-1])
        side = np.minimum(np.ceil(max(LEAST_WINDOW, room * (high - low).max())), size)
        corner = np.clip(np.round((low + high - side) / 2), 0, size - side).astype(np.int64)
        return cls(corner, corner + side.astype(np.int64), frame)

    @property
    def width(self) -> int:
        """px of the image."""
        return int(self.high[0] - self.low[0])

    def draw(self, image: Picture, layers: Sequence[DrawnCells] = ()) -> Shown:
        """The window of the image (H, W, 3), enlarged or reduced, with the layers one over the other."""
        start = np.maximum(0, self.low - MARGIN)
        (x1, y1), (x2, y2) = start.tolist(), np.minimum(self.frame[::-1], self.high + MARGIN).tolist()
        zoom = SIDE / float((self.high - self.low).max())
        drawn = resize(np.ascontiguousarray(image[y1:y2, x1:x2]), round(zoom * max(x2 - x1, y2 - y1)))
        for cells, width, colour, dashed, numbers in layers:
            moved = cells.shift(-x1, -y1, (y2 - y1, x2 - x1))
            colours = None if colour is None else np.tile(np.array(colour, np.uint8), (len(moved), 1))
            broken = None if dashed is None else np.full(len(moved), dashed)
            drawn = overlay(drawn, moved, width=width, colours=colours, dashed=broken, zoom=zoom)
            if numbers:
                drawn = drawn.copy()
                write_numbers(drawn, moved, numbers, colours=colours, zoom=zoom)
        (left, top), (right, bottom) = (
            np.round(zoom * (c - start)).astype(int) for c in (self.low, self.high)
        )
        return to_jpeg(resize(drawn[top:bottom, left:right], SIDE))


def draw_close_up(image: Picture, cells: Cells, index: int) -> Shown:
    """One cell with its nuclei (of a nucleus, its cell too), the cells around it thin and grey."""
    window = CloseUp.about(cells.boxes[[index]], ROOM[int(cells.labels[index])], cells.image_shape)
    root = index if cells.parents[index] == NO_PARENT else cells.parents[index]
    family = (cells.parents == root) | (np.arange(len(cells)) == root)
    return window.draw(
        image, [DrawnCells(cells.select(~family), THIN, PALE), DrawnCells(cells.select(family), BOLD)]
    )
