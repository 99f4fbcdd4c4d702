"""Where a slide shows more than glass: its background, places that differ from it, and how dark they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.progress import each
from irnet.slides.readers.slide import Box, Pixels, Slide

FINEST_UM = 4.0  # um a side at most of the places that are compared: a nucleus is wider
DIFFERENT = 0.02  # optical density
_BANDS = 64  # of a level that give the background
_TOGETHER = 2**24  # px that are looked at together
_BRIGHT = 0.8  # of the brightest: darker levels are no glass, however frequent
_NOT_SCANNED = (0, 255)  # of all channels, exactly
_GAP_UM = 1000.0  # white that is narrower and ends inside the picture is glass between cells
_CLIPPED = 250  # glass that is as bright differs from white in nothing
UNSCANNED = 255  # instead of a darkness

Rgb = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Tissue:
    """What differs from the background of a slide."""

    background: Rgb  # grey levels of glass
    px: float  # px of the finest level that a place is wide
    places: NDArray[np.bool_]  # (h, w)
    # (h, w, 2) hundredths of optical density: of the palest channel, and how much more of the darkest
    dark: NDArray[np.uint8]

    def meets(self, box: Box) -> bool:
        """Whether anything differs in a box, in px of the finest level, or in a place that it cuts."""
        return bool(self._within(box).any())

    def share_of(self, box: Box) -> float:
        """Of the places that a box meets, in px of the finest level, how many differ."""
        return float(self._within(box).mean())

    def _within(self, box: Box) -> NDArray[np.bool_]:
        x1, y1, x2, y2 = (value / self.px for value in box)
        rows = slice(max(0, int(y1)), max(0, int(np.ceil(y2))))
        columns = slice(max(0, int(x1)), max(0, int(np.ceil(x2))))
        return self.places[rows, columns]

    @property
    def share(self) -> float:
        """Of the places, how many differ."""
        return float(self.places.mean())


def find_tissue(slide: Slide, plane: int, mpp: float) -> Tissue:
    """Look at a focal plane of a slide of `mpp` um per pixel, from its coarsest level of 4 um or finer.

    The background is the most frequent bright level of each channel. It is one for the slide, so that no
    window has its own. Places without any light or colour were not scanned, and differ in nothing; but pure
    white between cells is glass, whose light went over the camera's range.
    """
    level = slide.level_for(FINEST_UM / mpp)
    side = max(1, int(FINEST_UM / (mpp * slide.downsample(level))))
    background = _background(slide, plane, level, mpp * slide.downsample(level))

    bands = each([*_bands(slide.levels[level], side)], "looking for tissue")
    rows = [_look(slide.read(plane, level, band), side, background) for band in bands]
    places, dark = (np.concatenate(each) for each in zip(*rows, strict=True))
    return Tissue(background, side * slide.downsample(level), places, dark)


def _bands(shape: tuple[int, int], side: int) -> Iterator[Box]:
    height, width = shape
    rows = max(1, _TOGETHER // (width * side)) * side
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def _background(slide: Slide, plane: int, level: int, um: float) -> Rgb:
    height, width = slide.levels[level]
    counts = np.zeros((3, 256), dtype=np.int64)
    for top in np.unique(np.linspace(0, height - 1, min(_BANDS, height)).astype(int)).tolist():
        pixels = slide.read(plane, level, (0, top, width, top + 1)).reshape(-1, 3)  # (w, 3)
        scanned = pixels[~_unscanned(pixels) | _between_cells((pixels == 255).all(axis=1), um)]
        for channel in range(3):
            counts[channel] += np.bincount(scanned[:, channel], minlength=256)
    red, green, blue = (_bright_mode(channel) for channel in counts)
    return red, green, blue


def _bright_mode(counts: NDArray[np.int64]) -> float:
    """The most frequent of the bright grey levels, whose numbers (256,) are given; 255 for none."""
    if not counts.any():
        return 255.0
    brightest = int(np.searchsorted(np.cumsum(counts), 0.99 * counts.sum()))
    smooth = np.convolve(counts, np.ones(5), mode="same")
    smooth[: int(_BRIGHT * brightest)] = 0
    around = np.arange(max(0, smooth.argmax() - 2), min(256, smooth.argmax() + 3))
    return float(np.average(around, weights=counts[around]).round())


def _between_cells(white: NDArray[np.bool_], um: float) -> NDArray[np.bool_]:
    """Which pixels of a row (w,) are white in a short piece that ends inside it; a pixel is `um` wide.

    >>> _between_cells(np.array([True, False, True, True, False, True]), 4.0).tolist()
    [False, False, True, True, False, False]
    """
    ends = np.flatnonzero(np.diff(white.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)  # (n, 2)
    starts, stops = ends.T
    short = (starts > 0) & (stops < len(white)) & ((stops - starts) * um < _GAP_UM)

    changes = np.zeros(len(white) + 1, dtype=np.int8)
    changes[starts[short]], changes[stops[short]] = 1, -1
    return changes.cumsum()[:-1] > 0


def _unscanned(pixels: NDArray[np.generic], levels: Sequence[int] = _NOT_SCANNED) -> NDArray[np.bool_]:
    """Which pixels (..., 3) have the colour of places that were not scanned."""
    return np.logical_or.reduce([(pixels == level).all(axis=-1) for level in levels])


def _look(pixels: Pixels, side: int, background: Rgb) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Which places of `side` px differ from the background, how dark they are; the last may be smaller."""
    height, width = pixels.shape[:2]
    short = (-height % side, -width % side)
    whole = np.pad(pixels, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge") if any(short) else pixels
    blocks = whole.reshape(whole.shape[0] // side, side, whole.shape[1] // side, side, 3)
    means = blocks.mean(axis=(1, 3), dtype=np.float32)  # (h, w, 3)

    density = np.log10(np.maximum(background, 1) / np.maximum(means, 1))
    scanned = ~_unscanned(means, _NOT_SCANNED[:1] if min(background) > _CLIPPED else _NOT_SCANNED)
    palest = density.min(axis=2)
    dark = np.stack([palest, density.max(axis=2) - palest], axis=2)
    dark = np.clip(100 * dark, 0, UNSCANNED - 1).astype(np.uint8)
    dark[~scanned] = UNSCANNED
    return (np.abs(density) > DIFFERENT).any(axis=2) & scanned, dark
