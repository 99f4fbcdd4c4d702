"""Pictures inside a page: JPEG as text, small enough that the whole page stays small."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from irnet.cells import Cells
from irnet.report.draw import Picture, overlay
from irnet.report.figure import add_scale_bar

LIMIT = 14_000_000  # bytes of all pictures: a third more as base64, below 20 MB with the rest of the page
RESERVE = 2_000_000  # of these for close-ups
LEAST = 24_000  # bytes: smaller pictures of fields show nothing
LARGEST, SMALLEST = 1280, 320  # px of the longer side
QUALITY, COARSE = 82, 45  # of JPEG
LINE = 1 / 560  # width of a line in longer sides of its image


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

    def add(self, picture: Picture, length: float | None = None) -> Shown | None:
        """A picture as large as its share lets it be, None when the album is full or its share too small.

        With `length`, um of its longer side, it has a scale bar.
        """
        if not self.places:
            return None
        self.places -= 1
        return _fit(picture, self.share, length)


def length_um(cells: Cells) -> float | None:
    """The longer side of an image, um; None where um per pixel are not known."""
    return None if cells.mpp is None else cells.mpp * max(cells.image_shape)


def draw_field(image: Picture, cells: Cells, *, colours: NDArray[np.uint8] | None = None) -> Picture:
    """The image with all contours, as wide as a picture of the whole field needs them.

    It is no larger than a page shows it: lines of thousands of cells are drawn no larger than they are seen.
    `colours` (n, 3) as in `draw.overlay`.
    """
    small = resize(image, min(LARGEST, max(image.shape[:2])))
    zoom = max(small.shape[:2]) / max(image.shape[:2])
    return overlay(small, cells, width=width_of(small), colours=colours, zoom=zoom)


def width_of(picture: Picture) -> float:
    """How wide its lines are, px."""
    return max(2.0, LINE * max(picture.shape))


def _fit(picture: Picture, share: int, length: float | None) -> Shown | None:
    """A JPEG of at most `share` bytes, as large as that lets it be; None where even a coarse one is more."""
    side, quality = min(LARGEST, max(picture.shape[:2])), QUALITY
    while True:
        small = resize(picture, side)
        if length is not None:
            small = add_scale_bar(small, length / side)
        shown = to_jpeg(small, quality)
        excess = len(shown.source) * 3 / 4 / share
        if excess <= 1 or quality < QUALITY:
            return shown if excess <= 1 else None
        if side <= SMALLEST:
            quality = COARSE
        side = max(min(side, SMALLEST), int(side * min(0.95, excess**-0.5)))


def resize(picture: Picture, side: int) -> Picture:
    """The picture with its longer side of `side` px."""
    height, width = picture.shape[:2]
    if max(height, width) == side:
        return picture
    zoom = side / max(height, width)
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def to_jpeg(picture: Picture, quality: int = QUALITY) -> Shown:
    """JPEG with full resolution of colour: thin lines keep theirs."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0)
    text = base64.b64encode(buffer.getvalue()).decode()
    return Shown(f"data:image/jpeg;base64,{text}", picture.shape[1], picture.shape[0])
