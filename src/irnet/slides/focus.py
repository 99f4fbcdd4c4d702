"""Focal planes of a slide made one picture: all of them weighed at each pixel, or the best in each square.

Both are functions of a place in the level and of what lies around it, so that all windows see the same pixels
there: sums are whole numbers, and floats are only added, multiplied and divided pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from irnet.errors import InputError
from irnet.slides.readers.slide import Box, Pixels, Slide

ONE, FUSE, BEST = "one", "fuse", "best"
MERGED = (FUSE, BEST)

AROUND = 7  # px on each side of a pixel whose sharpness counts
SQUARE = 256  # px a side of the squares that have one plane each
_REACH = 1 + AROUND
_STRIP = 256  # rows that are merged at a time
_KEPT = 4096  # squares whose plane is remembered


def choose_focus(slide: Slide, asked: str | int | None) -> tuple[int, str]:
    """The focal plane that stands for a slide, and how planes are merged: ONE (not), FUSE or BEST.

    `asked` is a plane, from 0, FUSE or BEST; None is FUSE. Slides of one plane have nothing to merge. Raises
    InputError for a plane that is not there.
    """
    middle = slide.planes // 2
    if asked is None or asked in MERGED:
        return middle, str(asked or FUSE) if slide.planes > 1 else ONE
    if not str(asked).isdecimal():
        raise InputError(f"plane {asked!r}: give {FUSE}, {BEST} or a number from 0")
    if int(asked) >= slide.planes:
        last = slide.planes - 1
        known = f"give 0 to {last}, {FUSE} or {BEST}" if last else "it has plane 0 alone"
        raise InputError(f"{slide.path}: plane {asked} of {slide.planes}: {known}")
    return int(asked), ONE


def say_focus(planes: int, plane: int, focus: str) -> str:
    """What is taken of the focal planes of a slide."""
    if focus == ONE:
        return f"plane {plane} of {planes} focal planes is taken"
    how = "fused" if focus == FUSE else "taken, the sharpest at each place"
    return f"{planes} focal planes are {how}"


def in_focus(slide: Slide, focus: str) -> Slide:
    """The slide as it is for ONE, and merged otherwise."""
    return slide if focus == ONE else InFocus(slide, focus)


class InFocus(Slide):
    """A slide whose focal planes are merged when it is read, whatever plane is asked for.

    Args:
        slide: open; closed with this one.
        focus: FUSE is the mean of the planes at each pixel, weighed by the square of their energy around it
            (squared Laplacian of grey). BEST is the plane of most energy in each square of the level.
    """

    def __init__(self, slide: Slide, focus: str) -> None:
        self._slide, self._focus = slide, focus
        self.reader, self.files, self.levels = slide.reader, slide.files, slide.levels
        self.mpp, self.planes, self.notes = slide.mpp, slide.planes, slide.notes
        middle = slide.planes // 2
        self._order = sorted(range(slide.planes), key=lambda plane: abs(plane - middle))
        self._plane_of = lru_cache(_KEPT)(self._sharpest_in)

    def _read(self, plane: int, level: int, box: Box) -> Pixels:
        x1, y1, x2, y2 = box
        pixels = np.empty((y2 - y1, x2 - x1, 3), dtype=np.uint8)
        parts = _squares(box) if self._focus == BEST else _strips(box)
        for part in parts:
            left, top, right, bottom = part
            place = pixels[top - y1 : bottom - y1, left - x1 : right - x1]
            if self._focus == BEST:
                best = self._plane_of(level, left // SQUARE, top // SQUARE)
                place[...] = self._slide.read(best, level, part)
            else:
                place[...] = self._fused(level, part)
        return pixels

    def _sharpest_in(self, level: int, column: int, row: int) -> int:
        """The plane of most energy in a square; of equals that nearest to the middle."""
        height, width = self.levels[level]
        left, top = column * SQUARE, row * SQUARE
        box = left, top, min(left + SQUARE, width), min(top + SQUARE, height)
        energies = []
        for plane in self._order:
            pixels = np.pad(self._slide.read(plane, level, box), ((1, 1), (1, 1), (0, 0)), mode="edge")
            energies.append(int(energy(pixels).sum(dtype=np.uint64)))
        return self._order[int(np.argmax(energies))]

    def _fused(self, level: int, box: Box) -> Pixels:
        """A box fused from what lies in it and around it; beyond its edges a level goes on as it ends."""
        height, width = self.levels[level]
        x1, y1, x2, y2 = box[0] - _REACH, box[1] - _REACH, box[2] + _REACH, box[3] + _REACH
        inside = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
        missing = (inside[1] - y1, y2 - inside[3]), (inside[0] - x1, x2 - inside[2]), (0, 0)

        total = np.zeros((box[3] - box[1], box[2] - box[0]), dtype=np.float32)
        weighed = np.zeros((*total.shape, 3), dtype=np.float32)
        for plane in range(self.planes):
            pixels = np.pad(self._slide.read(plane, level, inside), missing, mode="edge")
            weight = (sums_around(energy(pixels), AROUND) + np.uint32(1)).astype(np.float32) ** 2
            total += weight
            weighed += weight[..., None] * pixels[_REACH:-_REACH, _REACH:-_REACH]
        return (weighed / total[..., None] + np.float32(0.5)).astype(np.uint8)

    def close(self) -> None:
        """Close the slide's files."""
        self._slide.close()


def energy(pixels: Pixels) -> NDArray[np.uint32]:
    """The squared Laplacian of grey of pixels (h, w, 3), (h - 2, w - 2)."""
    grey = pixels[..., 0].astype(np.int32)
    grey += pixels[..., 1]
    grey += pixels[..., 2]
    grey //= 3

    laplacian = 4 * grey[1:-1, 1:-1]
    for neighbour in (grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:]):
        laplacian -= neighbour
    laplacian *= laplacian
    return laplacian.view(np.uint32)


def sums_around(values: NDArray[np.uint32], reach: int) -> NDArray[np.uint32]:
    """Sums of (2 r + 1) x (2 r + 1) values (h, w), (h - 2 r, w - 2 r).

    Running sums may pass 2^32; their differences, modulo 2^32, are the sums all the same.
    """
    side, (height, width) = 2 * reach + 1, values.shape
    down = np.zeros((height + 1, width), dtype=np.uint32)
    np.cumsum(values, axis=0, dtype=np.uint32, out=down[1:])
    columns = down[side:] - down[:-side]

    along = np.zeros((len(columns), width + 1), dtype=np.uint32)
    np.cumsum(columns, axis=1, dtype=np.uint32, out=along[:, 1:])
    return along[:, side:] - along[:, :-side]


def _squares(box: Box) -> Iterator[Box]:
    """The parts of a box that lie in one square each."""
    x1, y1, x2, y2 = box
    for top in range(y1 // SQUARE * SQUARE, y2, SQUARE):
        for left in range(x1 // SQUARE * SQUARE, x2, SQUARE):
            yield max(x1, left), max(y1, top), min(x2, left + SQUARE), min(y2, top + SQUARE)


def _strips(box: Box) -> Iterator[Box]:
    x1, y1, x2, y2 = box
    for top in range(y1, y2, _STRIP):
        yield x1, top, x2, min(top + _STRIP, y2)
