"""Tiles of slides for the screen: from the level that fits, a few of them kept."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import PIL.Image

from irnet.errors import InputError
from irnet.server.pictures import TILE, levels
from irnet.slides.overview import shrink
from irnet.slides.plan import SlidePlan
from irnet.slides.readers.slide import Shape, Slide
from irnet.verbs.slide_run import open_planned

QUALITY = 85
KEPT = 512  # tiles, 50 kB each
OPEN = 4  # slides at a time


class SlideTiles:
    """Tiles of slides of shapes (H, W) by their plans, None for none.

    `data` is the folder where their files are now, None for where they were planned.
    """

    def __init__(
        self, slides: Sequence[SlidePlan | None], shapes: Sequence[Shape], data: Path | None = None
    ) -> None:
        self._slides = [slide and _moved(slide, data) for slide in slides]
        self._shapes = shapes
        self._open: OrderedDict[int, Slide] = OrderedDict()
        self._lock = threading.Lock()
        self.tile = lru_cache(KEPT)(self._tile)

    def close(self) -> None:
        """Close the files of slides."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _tile(self, index: int, halvings: int, column: int, row: int) -> bytes:
        """A tile as JPEG: column and row count tiles of TILE px of the slide halved `halvings` times.

        Raises InputError when a slide cannot be read, is another than was planned, or a tile is outside.
        """
        height, width = self._shapes[index]
        known = 0 <= halvings <= levels((height, width))
        side = TILE << halvings if known else 0
        if not (known and 0 <= column * side < width and 0 <= row * side < height):
            raise InputError("no such tile")
        x1, y1 = column * side, row * side
        x2, y2 = min(x1 + side, width), min(y1 + side, height)
        shape = -(-(y2 - y1) >> halvings), -(-(x2 - x1) >> halvings)

        with self._lock:  # one reader at a time: those of TIFF share the place in their file
            slide, plane = self._opened(index)
            pixels = shrink(slide, plane, (x1, y1, x2, y2), shape)
        buffer = io.BytesIO()
        PIL.Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
        return buffer.getvalue()

    def _opened(self, index: int) -> tuple[Slide, int]:
        """A slide, and the focal plane of it that was segmented."""
        plan = self._slides[index]
        if plan is None:
            raise InputError("where the slide lies is not known: its plan.json is not beside cells.db")
        if plan.shape != self._shapes[index]:
            raise InputError("cells.db is of another slide than plan.json: irnet slide finish writes it anew")
        if index not in self._open:
            self._open[index] = open_planned(plan, same_reader=False)
        self._open.move_to_end(index)
        while len(self._open) > OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[index], plan.layout.plane


def _moved(slide: SlidePlan, data: Path | None) -> SlidePlan:
    return slide if data is None else replace(slide, path=str(data / Path(slide.path).name))
