"""Pictures inside a page: JPEG as text, small enough that the whole page stays small."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.report.draw import Picture, overlay
from irnet.report.figure import add_scale_bar

LIMIT = 14_000_000  # bytes of all pictures: a third more as base64, below 20 MB with the rest of the page
RESERVE = 2_000_000  # of these for close-ups
LEAST = 24_000  # bytes: smaller pictures of fields show nothing
LARGEST, SMALLEST = 1280, 320  # px of the longer side
QUALITY, COARSE = 82, 45  # of JPEG
CLOSE_UP = 240  # px
ROOM = {CYTOPLASM: 1.4, NUCLEUS: 2.6}  # a close-up's side in sides of its instance
MARGIN = 8  # px around a close-up in which contours that it cuts close, out of sight
LINE = 1 / 560  # width of a line in longer sides of its image
OTHERS = (235, 235, 235)  # colour of the cells around the one of a close-up


Corner = NDArray[np.int64]  # (2,) x, y px


class Shown(NamedTuple):
    """A picture that is in the page."""

    source: str  # data URI
    width: int
    height: int


class Album:
    """Pictures of `count` fields, each of which may take its share of the limit; the last may get none."""

    def __init__(self, count: int, limit: int = LIMIT) -> None:
        self.places = min(count, (limit - RESERVE) // LEAST)
        self.share = (limit - RESERVE) // max(1, self.places)

    def add(self, picture: Picture, mpp: float | None = None) -> Shown | None:
        """A picture as large as its share lets it be, None when the album is full or its share too small.

        With `mpp`, um per pixel, it has a scale bar.
        """
        if not self.places:
            return None
        self.places -= 1
        return _fit(picture, self.share, mpp)


def draw_field(image: Picture, cells: Cells) -> Picture:
    """The image with all contours, as wide as a picture of the whole field needs them."""
    return overlay(image, cells, width=max(2.0, LINE * max(image.shape)))


def draw_close_up(image: Picture, cells: Cells, index: int) -> Shown:
    """One cell with its nuclei (of a nucleus, its cell too), the cells around it thin and grey."""
    low, high = _window(cells, index)
    x1, y1 = start = np.maximum(0, low - MARGIN)
    x2, y2 = np.minimum(cells.image_shape[::-1], high + MARGIN)
    crop, shape = np.ascontiguousarray(image[y1:y2, x1:x2]), (int(y2 - y1), int(x2 - x1))
    root = index if cells.parents[index] == NO_PARENT else cells.parents[index]
    family = (cells.parents == root) | (np.arange(len(cells)) == root)
    others, own = (cells.select(side).shift(-int(x1), -int(y1), shape) for side in (~family, family))
    scale = float((high - low).max()) / CLOSE_UP
    pale = np.tile(np.array(OTHERS, dtype=np.uint8), (len(others), 1))
    drawn = overlay(
        overlay(crop, others, width=max(0.8, scale), colours=pale), own, width=max(1.2, 2 * scale)
    )
    left, top = low - start
    return _to_jpeg(_resize(drawn[top : top + high[1] - low[1], left : left + high[0] - low[0]], CLOSE_UP))


def _window(cells: Cells, index: int) -> tuple[Corner, Corner]:
    """Upper left and lower right corner of a square about an instance, cut to the frame."""
    box, size = cells.boxes[index], np.array(cells.image_shape[::-1])
    side = max(64.0, ROOM[int(cells.labels[index])] * float((box[2:] - box[:2]).max()))
    middle = (box[:2] + box[2:]) / 2
    low = np.clip(np.floor(middle - side / 2), 0, size - 1).astype(np.int64)
    return low, np.clip(np.ceil(middle + side / 2), low + 1, size).astype(np.int64)


def _fit(picture: Picture, share: int, mpp: float | None) -> Shown | None:
    """A JPEG of at most `share` bytes, as large as that lets it be; None where even a coarse one is more."""
    side, quality = min(LARGEST, max(picture.shape[:2])), QUALITY
    while True:
        small = _resize(picture, side)
        if mpp is not None:
            small = add_scale_bar(small, mpp * max(picture.shape[:2]) / side)
        shown = _to_jpeg(small, quality)
        excess = len(shown.source) * 3 / 4 / share
        if excess <= 1 or quality < QUALITY:
            return shown if excess <= 1 else None
        if side <= SMALLEST:
            quality = COARSE
        side = max(min(side, SMALLEST), int(side * min(0.95, excess**-0.5)))


def _resize(picture: Picture, side: int) -> Picture:
    height, width = picture.shape[:2]
    if max(height, width) == side:
        return picture
    zoom = side / max(height, width)
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _to_jpeg(picture: Picture, quality: int = QUALITY) -> Shown:
    """JPEG with full resolution of colour: thin lines keep theirs."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0)
    text = base64.b64encode(buffer.getvalue()).decode()
    return Shown(f"data:image/jpeg;base64,{text}", picture.shape[1], picture.shape[0])
