"""Optical density of masks by Beer-Lambert, against the background of the image, and its texture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.geometry.masks import cover
from irnet.geometry.sheets import Runs, runs_of, sheets
from irnet.morphometry.shape import ACROSS

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rgb = NDArray[np.float64]  # (3,) grey levels

BACKGROUND_QUANTILE = 0.75  # of the pixels outside every instance: missed cells and dirt are darker
CROWDED_QUANTILE = 0.99  # of all pixels, where hardly any lies outside
LEAST_OUTSIDE = 0.01  # share of the pixels
BAND = 1024  # rows that are looked at together: no map of the whole image is made

LEVELS = 64  # of optical density, for texture
STEP = 0.02  # of optical density between two levels


class Stains(NamedTuple):
    """What the pixels of n masks absorb. Without pixels all but their number is nan."""

    pixels: Ints  # (n,)
    mean: Floats  # (n,) optical density, mean of the three channels
    sd: Floats  # (n,) of that mean, from pixel to pixel
    red: Floats  # (n,) optical density of one channel
    green: Floats
    blue: Floats
    entropy: Floats  # (n,) bits, of the levels of optical density
    contrast: Floats  # (n,) of the levels' co-occurrence; nan where no two pixels are neighbours


def estimate_background(picture: Picture, cells: Cells) -> Rgb:
    """Grey levels of the empty slide, (3,): upper quartile of the pixels outside every instance.

    Where less than a hundredth of the image lies outside, it is the 99th percentile of the whole image.
    """
    height, width = cells.image_shape

    tops, bottoms = cells.boxes[:, [1, 3]].T
    everywhere, outside = np.zeros((2, 3, 256), dtype=np.int64)  # pixels of each grey level

    for top in range(0, height, BAND):
        bottom = min(top + BAND, height)
        met = np.flatnonzero((tops < bottom) & (bottoms > top))
        covered = cover([cells.masks[i] for i in met], cells.offsets[met], (0, top, width, bottom))
        outside += _count_levels(picture[top:bottom], ~covered)

    if outside[0].sum() >= LEAST_OUTSIDE * height * width:
        return np.array([_quantile(counts, BACKGROUND_QUANTILE) for counts in outside])
    for top in range(0, height, BAND):
        everywhere += _count_levels(picture[top : top + BAND])
    return np.array([_quantile(counts, CROWDED_QUANTILE) for counts in everywhere])


def optical_density(picture: Picture, background: Rgb) -> Floats:
    """log10(background / pixel), (3, h, w); grey level 0 counts as 1. Brighter than background is negative.

    >>> optical_density(np.full((1, 1, 3), 20, np.uint8), np.array([200.0, 20.0, 2.0])).ravel().tolist()
    [1.0, 0.0, -1.0]
    """
    table = np.log10(np.maximum(background, 1)[:, None] / np.maximum(np.arange(256), 1))  # (3, 256)
    return np.stack([table[channel][picture[..., channel]] for channel in range(3)])


def texture_levels(density: Floats) -> NDArray[np.uint8]:
    """The step of `STEP`, of `LEVELS`, that each optical density belongs to."""
    return np.clip(density / STEP, 0, LEVELS - 1).astype(np.uint8)


class StainSums:
    """Sums over the pixels of n masks, strip by strip of their picture.

    A mask is a few runs in each row, and the sum over a run is the difference of two running sums of the row.
    """

    def __init__(self, count: int, background: Rgb) -> None:
        self.background = background
        self._sums = np.zeros((4, count))  # of the density of red, green and blue, and of the mean's square
        self._levels = np.zeros((count, LEVELS), dtype=np.int64)  # pixels of each level of density
        self._pairs = np.zeros((len(ACROSS), count))  # of neighbours under the mask
        self._apart = np.zeros((len(ACROSS), count))  # sum of their squared difference in levels

    def add(self, strip: Picture, rows: int, parts: Sequence[Part]) -> None:
        """Add the first `rows` rows of a strip (h, W, 3); the row below serves pairs of neighbours alone."""
        parts = [part for part in parts if part.mask.size]
        if not parts:
            return
        left = min(part.x for part in parts)
        right = max(part.x + part.mask.shape[1] for part in parts)
        density = optical_density(strip[:, left:right], self.background)
        mean = density.sum(axis=0) / 3  # (h, w)
        levels = texture_levels(mean)

        single, pairs = _find_runs(parts, left, rows)
        for sums, values in zip(self._sums, (*density, mean**2), strict=True):
            sums += single.add_up(values, len(sums))

        wide = levels.astype(np.int16)
        for direction, (down, across) in enumerate(ACROSS):
            apart = np.zeros(levels.shape, dtype=np.uint32)
            (a, b) = _neighbours(wide, down, across)
            _neighbours(apart, down, across)[0][:] = (a - b) ** 2
            self._pairs[direction] += pairs[direction].lengths(len(self._levels))
            self._apart[direction] += pairs[direction].add_up(apart, len(self._levels))

        for part in parts:
            height, width = part.mask.shape
            under = levels[part.y : part.y + height, part.x - left : part.x - left + width][: rows - part.y]
            self._levels[part.owner] += np.bincount(under[part.mask[: rows - part.y]], minlength=LEVELS)

    def finish(self) -> Stains:
        """The figures of each mask."""
        pixels = self._levels.sum(axis=1)
        some = pixels > 0
        number = np.where(some, pixels, np.nan)
        red, green, blue, square = self._sums / number
        mean = (red + green + blue) / 3

        shares = self._levels / number[:, None]
        logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
        entropy = -(shares * logs).sum(axis=1) + 0.0

        met = self._pairs > 0  # directions in which there is a pair at all
        apart = np.divide(self._apart, self._pairs, out=np.zeros_like(self._apart), where=met)
        directions = met.sum(axis=0)
        contrast = apart.sum(axis=0) / np.where(directions, directions, np.nan)
        sd = np.sqrt(np.maximum(square - mean**2, 0))
        return Stains(pixels, mean, sd, red, green, blue, entropy, contrast)


class Part(NamedTuple):
    """What of a mask lies in a strip."""

    owner: int
    x: int  # of its upper left pixel in the strip
    y: int
    mask: Mask  # (h, w)


class _Runs(NamedTuple):
    """Runs of pixels in the rows of a picture."""

    owners: Ints  # (r,)
    rows: Ints  # (r,)
    starts: Ints  # (r,) columns
    stops: Ints  # (r,)

    def above(self, row: int) -> _Runs:
        """Those in rows above this one."""
        return _Runs(*(values[self.rows < row] for values in self))

    def lengths(self, count: int) -> Floats:
        """Pixels of each of so many owners."""
        return np.bincount(self.owners, self.stops - self.starts, minlength=count).astype(np.float64)

    def add_up(self, values: NDArray, count: int) -> Floats:
        """The sum of the values (h, w) under the runs of each of so many owners."""
        height, width = values.shape
        running = np.zeros((height, width + 1), dtype=values.dtype)  # of whole numbers modulo 2^32: as good
        np.cumsum(values, axis=1, dtype=values.dtype, out=running[:, 1:])
        start, length = self.rows * (width + 1) + self.starts, self.stops - self.starts
        flat = running.ravel()
        sums = np.bincount(self.owners, flat[start + length] - flat[start], minlength=count)
        return sums.astype(np.float64)


def _find_runs(parts: Sequence[Part], left: int, rows: int) -> tuple[_Runs, list[_Runs]]:
    """Runs of the pixels of the first rows, and of those that have a neighbour in each direction."""
    owners, x, y = np.array([(part.owner, part.x, part.y) for part in parts]).T

    def place(found: Runs) -> _Runs:
        of = found.owners
        return _Runs(owners[of], found.rows + y[of], found.starts + x[of] - left, found.stops + x[of] - left)

    found: list[list[_Runs]] = [[] for _ in range(1 + len(ACROSS))]
    for sheet in sheets([part.mask for part in parts]):
        found[0].append(place(runs_of(sheet, sheet.pixels)))
        for direction, (down, across) in enumerate(ACROSS, start=1):
            found[direction].append(place(runs_of(sheet, sheet.shifted(down, across))))

    joined = [_Runs(*map(np.concatenate, zip(*several, strict=True))) for several in found]
    inside = [runs.above(rows) for runs in joined]
    return inside[0], inside[1:]


def _neighbours(values: NDArray, down: int, across: int) -> tuple[NDArray, NDArray]:
    """Views of the values (h, w) with a neighbour so far down and to the right, and of the neighbours."""
    height, width = values.shape
    first = values[: height - down, max(0, -across) : width - max(0, across)]
    second = values[down:, max(0, across) : width - max(0, -across)]
    return first, second


def _count_levels(picture: Picture, mask: Mask | None = None) -> Ints:
    """Pixels (under a mask) of each grey level of each channel, (3, 256)."""
    shown = None if mask is None else PIL.Image.fromarray(mask.view(np.uint8))
    counts = PIL.Image.fromarray(np.ascontiguousarray(picture)).histogram(shown)
    return np.array(counts, dtype=np.int64).reshape(3, 256)


def _quantile(counts: NDArray[np.int64], share: float) -> float:
    """The grey level below or at which `share` of the pixels lie, whose numbers (256,) are given."""
    reached = np.cumsum(counts)
    return float(np.searchsorted(reached, share * reached[-1]))
