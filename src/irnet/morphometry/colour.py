"""Optical density of one mask by Beer-Lambert, against the background of the image, and its texture."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.feature import graycomatrix

from irnet.cells import Cells
from irnet.geometry.masks import cover

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Rgb = NDArray[np.float64]  # (3,) grey levels

BACKGROUND_QUANTILE = 0.75  # of the pixels outside every instance: missed cells and dirt are darker
CROWDED_QUANTILE = 0.99  # of all pixels, where hardly any lies outside
LEAST_OUTSIDE = 0.01  # share of the pixels
BAND = 1024  # rows that are looked at together: no map of the whole image is made

LEVELS = 64  # of optical density, for texture
STEP = 0.02  # of optical density between two levels
DIRECTIONS = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
SQUARES = np.square(
    np.subtract.outer(np.arange(LEVELS), np.arange(LEVELS))
).ravel()  # of the levels' distance


class Colour(NamedTuple):
    """What the pixels of a mask absorb. Without pixels all but their number is None."""

    pixels: int
    mean: float | None = None  # optical density, mean of the three channels
    sd: float | None = None  # of that mean, from pixel to pixel
    red: float | None = None  # optical density of one channel
    green: float | None = None
    blue: float | None = None
    entropy: float | None = None  # bits, of the levels of optical density
    contrast: float | None = None  # of the levels' co-occurrence; None where no two pixels are neighbours


def estimate_background(picture: Picture, cells: Cells) -> Rgb:
    """Grey levels of the empty slide, (3,): upper quartile of the pixels outside every instance.

    Where less than a hundredth of the image lies outside, it is the 99th percentile of the whole image.
    """
    height, width = cells.image_shape

    tops, bottoms = cells.boxes[:, [1, 3]].T
    inside, outside = np.zeros((2, 3, 256), dtype=np.int64)  # pixels of each grey level

    for top in range(0, height, BAND):
        bottom = min(top + BAND, height)
        met = np.flatnonzero((tops < bottom) & (bottoms > top))
        covered = cover([cells.masks[i] for i in met], cells.offsets[met], (0, top, width, bottom))
        for channel, values in enumerate(np.moveaxis(picture[top:bottom], 2, 0)):
            inside[channel] += np.bincount(values[covered], minlength=256)
            outside[channel] += np.bincount(values[~covered], minlength=256)

    if outside[0].sum() < LEAST_OUTSIDE * height * width:
        return np.array([_quantile(counts, CROWDED_QUANTILE) for counts in inside + outside])
    return np.array([_quantile(counts, BACKGROUND_QUANTILE) for counts in outside])


def optical_density(picture: Picture, background: Rgb) -> NDArray[np.float64]:
    """log10(background / pixel), (3, h, w); grey level 0 counts as 1. Brighter than background is negative.

    >>> optical_density(np.full((1, 1, 3), 20, np.uint8), np.array([200.0, 20.0, 2.0])).ravel().tolist()
    [1.0, 0.0, -1.0]
    """
    table = np.log10(np.maximum(background, 1)[:, None] / np.maximum(np.arange(256), 1))  # (3, 256)
    return np.stack([table[channel][picture[..., channel]] for channel in range(3)])


def measure_colour(picture: Picture, mask: Mask, background: Rgb) -> Colour:
    """Density and texture of the pixels (h, w, 3) of a crop under its mask (h, w); `background` is (3,)."""
    pixels = int(np.count_nonzero(mask))
    if not pixels:
        return Colour(0)
    density = optical_density(picture, background)  # (3, h, w)

    mean = density.sum(axis=0) / 3
    red, green, blue = (float(channel[mask].mean()) for channel in density)
    entropy, contrast = measure_texture(mean, mask)
    return Colour(
        pixels, float(mean[mask].mean()), float(mean[mask].std()), red, green, blue, entropy, contrast
    )


def measure_texture(density: NDArray[np.float64], mask: Mask) -> tuple[float, float | None]:
    """Entropy (bits) and co-occurrence contrast (levels squared) of the densities (h, w) under a mask.

    Densities are sorted into `LEVELS` steps of `STEP`. Contrast is that of Haralick: the mean squared
    difference between neighbours one pixel apart, the mean of four directions; both must lie in the mask.
    """
    levels = np.clip(density / STEP, 0, LEVELS - 1).astype(np.uint8) + 1
    levels[~mask] = 0  # and from 1 on under the mask: pairs with level 0 are left out

    shares = np.bincount(levels[mask], minlength=LEVELS + 1) / np.count_nonzero(mask)
    shares = shares[shares > 0]

    pairs = graycomatrix(levels, [1], DIRECTIONS, levels=LEVELS + 1, symmetric=True)[1:, 1:]
    counts = pairs[:, :, 0].reshape(-1, len(DIRECTIONS))  # (LEVELS * LEVELS, 4)

    met = counts.sum(axis=0) > 0  # directions in which there is a pair at all
    apart = SQUARES @ counts[:, met] / counts[:, met].sum(axis=0)
    contrast = float(apart.mean()) if met.any() else None
    return float(-(shares * np.log2(shares)).sum()) + 0.0, contrast


def _quantile(counts: NDArray[np.int64], share: float) -> float:
    """The grey level below or at which `share` of the pixels lie, whose numbers (256,) are given."""
    reached = np.cumsum(counts)
    return float(np.searchsorted(reached, share * reached[-1]))
