"""Crops of many masks in one picture, so that NumPy looks at thousands of them in one call."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.geometry.masks import Mask

PIXELS = 2**20  # of a picture, about
ALIKE = 1.25  # times as wide as its narrowest mask a picture may be, and
SLACK = 16  # px more

_Ints = NDArray[np.int64]


class Sheet(NamedTuple):
    """Masks below one another, background above, between, right of and below all."""

    members: _Ints  # (k,) which of the masks
    tops: _Ints  # (k,) row of the picture at which each begins, ascending
    width: int  # of the picture
    pixels: Mask  # (rows * width,) row after row

    def shifted(self, down: int, right: int) -> Mask:
        """Pixels whose neighbour so far down and to the right is true too, (rows * width,)."""
        step, both = down * self.width + right, np.zeros_like(self.pixels)
        np.logical_and(self.pixels[:-step], self.pixels[step:], out=both[:-step])
        return both


class Runs(NamedTuple):
    """Runs of true pixels in the rows of crops, sorted by instance, row and column."""

    owners: _Ints  # (r,) which of the masks
    rows: _Ints  # (r,) of the crop
    starts: _Ints  # (r,) first column, of the crop
    stops: _Ints  # (r,) column after the last


def sheets(masks: Sequence[Mask], pixels: int = PIXELS) -> Iterator[Sheet]:
    """All `masks` (h, w) that have pixels, those of like widths together; a larger mask has its own sheet."""
    widths = np.array([mask.shape[1] for mask in masks], dtype=np.int64)
    heights = np.array([mask.shape[0] for mask in masks], dtype=np.int64)
    order = np.argsort(widths, kind="stable")
    order = order[(widths * heights)[order] > 0]

    begin = 0
    while begin < len(order):
        rest = order[begin:]
        fits = (widths[rest] + 1) * np.cumsum(heights[rest] + 1) <= pixels
        fits &= widths[rest] <= ALIKE * widths[rest[0]] + SLACK
        count = max(1, len(rest) if fits.all() else int(fits.argmin()))
        members = rest[:count]
        yield _fill(masks, members, heights[members], int(widths[members[-1]]) + 1)
        begin += count


def _fill(masks: Sequence[Mask], members: _Ints, heights: _Ints, width: int) -> Sheet:
    tops = np.cumsum(heights + 1) - heights
    picture = np.zeros((int(tops[-1] + heights[-1]) + 1, width), dtype=bool)
    for member, top in zip(members.tolist(), tops.tolist(), strict=True):
        mask = masks[member]
        picture[top : top + mask.shape[0], : mask.shape[1]] = mask
    return Sheet(members, tops, width, picture.ravel())


def runs_of(sheet: Sheet, pixels: Mask) -> Runs:
    """The runs of the masks of a sheet, or of what else its picture holds: `pixels` (rows * width,)."""
    edges = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1  # no row begins or ends the picture with a pixel
    rows, starts = np.divmod(edges[0::2], sheet.width)
    place = np.searchsorted(sheet.tops, rows, side="right") - 1
    return Runs(sheet.members[place], rows - sheet.tops[place], starts, starts + edges[1::2] - edges[0::2])
