"""Pixels of a slide at the network's scale: each is a function of its place in the slide alone.

A window that is cut out and resized by itself has other pixels than the same place of the whole, so that
cells would depend on where windows lie. Here a pixel of the network's scale is a whole number of 4096ths of a
pixel of the slide wide, and frames start on multiples of 64 such pixels: on whole 64ths of a pixel of the
slide, which floats hold exactly. Pillow's weights are then the same at the same place, whatever is cut out.
Beyond its edges a slide goes on as its outermost pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import PIL.Image

from irnet.errors import InputError
from irnet.slides.readers.slide import Box, Pixels
from irnet.slides.windows import PHASE

STEPS = 4096  # a step of scale: at 1.5 px of the slide per pixel .01 % off
WIDEST = 64  # px of a level per pixel of the network: coarser ones take too much reading
_TRIANGLE = PIL.Image.Resampling.BILINEAR  # it averages where it shrinks
_MARGIN = 2  # px beyond the reach of the weights


@dataclass(frozen=True)
class Resampling:
    """How a level of a slide becomes pixels of the network's scale.

    Args:
        shape: (H, W) of the level.
        steps: width of a pixel of the network's scale, in STEPS-ths of a pixel of the level.
    """

    shape: tuple[int, int]
    steps: int

    def __post_init__(self) -> None:
        if not STEPS // WIDEST <= self.steps <= STEPS * WIDEST:
            raise InputError(f"{self.px:g} px of the slide per pixel of the network: is um per pixel right?")

    @property
    def px(self) -> float:
        """How many pixels of the level a pixel of the network's scale is wide."""
        return self.steps / STEPS

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the whole level at the network's scale; its last pixels may reach beyond the level."""
        height, width = (max(1, -(-length * STEPS // self.steps)) for length in self.shape)
        return height, width

    def cut_out(self, read: Callable[[Box], Pixels], frame: Box) -> Pixels:
        """The pixels of a frame, x1, y1, x2, y2 at the network's scale; `read` returns a box of the level.

        Raises ValueError for a frame that starts off the grid of PHASE pixels.
        """
        x1, y1, x2, y2 = frame
        if x1 % PHASE or y1 % PHASE:
            raise ValueError(f"a frame at {x1}, {y1} starts off the grid of {PHASE} px")
        if self.steps == STEPS:
            return read(frame)

        across, down = _Axis.of(x1, x2, self), _Axis.of(y1, y2, self)
        height, width = self.shape
        columns, rows = across.inside(width), down.inside(height)
        part = read((columns[0], rows[0], columns[1], rows[1]))
        whole = _extend(part, columns, rows, (across.first, down.first, across.end, down.end))
        # One side after the other: which of them Pillow takes first depends on the frame.
        tall = PIL.Image.fromarray(whole)
        wide = tall.resize((across.pixels, tall.height), _TRIANGLE, (across.low, 0, across.high, tall.height))
        both = wide.resize((wide.width, down.pixels), _TRIANGLE, (0, down.low, wide.width, down.high))
        return np.asarray(both)[: y2 - y1, : x2 - x1]


@dataclass(frozen=True)
class _Axis:
    """One side of a frame, rounded up to the grid: what is read for it, and where in that it lies."""

    first: int  # px of the level that are read, which may lie outside it
    end: int
    low: float  # the frame in what is read
    high: float
    pixels: int  # of the network's scale

    @classmethod
    def of(cls, start: int, stop: int, how: Resampling) -> "_Axis":
        pixels = -(-(stop - start) // PHASE) * PHASE
        low, high = start * how.steps / STEPS, (start + pixels) * how.steps / STEPS  # exact
        reach = ceil(max(1.0, how.px)) + _MARGIN
        first, end = floor(low) - reach, ceil(high) + reach
        return cls(first, end, low - first, high - first, pixels)

    def inside(self, length: int) -> tuple[int, int]:
        """The part of what is read that lies in a level of so many pixels."""
        return max(self.first, 0), min(self.end, length)


def _extend(part: Pixels, columns: tuple[int, int], rows: tuple[int, int], wanted: Box) -> Pixels:
    """A box of the level of which `part` lies inside it: beyond the edges its outermost pixels go on."""
    x1, y1, x2, y2 = wanted
    down, along = (rows[0] - y1, y2 - rows[1]), (columns[0] - x1, x2 - columns[1])
    return np.pad(part, (down, along, (0, 0)), mode="edge") if any(down + along) else part
