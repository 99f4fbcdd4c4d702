"""How good the picture is, patch by patch of a window: its sharpness, and ink of pens over it.

For people: nothing is left out for it. Edges of cover slips are not looked for: what tells them from cells
could not be tested without slides that have them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from irnet.slides.readers.slide import Box, Pixels
from irnet.slides.tissue import FINEST_UM, Rgb
from irnet.slides.windows import Window

PATCH = 256  # px a side at the network's scale
FLOOR = 0.17  # sharpness: of sharp smears .36, of those blurred by 2 px .19, by 3 px .14
SHARE_OF_MEDIAN = 0.6  # of a slide's own sharpness, below which a patch is blurred
_BANDS = (0.7, 1.4), (2.8, 5.6)  # px of the Gaussians between which fine and coarse detail lies
_MARGIN = 24  # px that they reach
_CONTRAST = 2e-5  # squared optical density of coarse detail, below which sharpness is not known
_SOLID_UM = 80.0  # side of squares that ink fills: cells have gaps and nuclei
_COLOURED, _DARK = 0.35, 0.5  # optical density of ink: between channels, and of the palest


def patches_of(pixels: Pixels, window: Window, background: Rgb, mpp: float) -> NDArray[np.float32]:
    """The patches (p, 6) of a window's core: x1, y1, x2, y2, sharpness, ink.

    Places are px at the network's scale, in the slide. Sharpness is fine detail over coarse detail, nan under
    ink and where there is too little contrast to tell. Ink is a share of the patch. `pixels` (h, w, 3) are
    those of the window's frame, `background` is glass.
    """
    (left, top), (x1, y1, x2, y2) = window.origin, window.core
    fine, coarse = _details(pixels, (x1 - left, y1 - top, x2 - left, y2 - top), background)
    ink, side = _find_ink(pixels, background, mpp)

    rows = []
    for y in range(y1, y2, PATCH):
        for x in range(x1, x2, PATCH):
            right, bottom = min(x + PATCH, x2), min(y + PATCH, y2)
            box = x - left, y - top, right - left, bottom - top  # in the frame
            covered = float(_cut(ink, box, side).mean())
            own = x - x1, y - y1, right - x1, bottom - y1  # in the core
            contrast, detail = (float(_cut(values, own).mean()) for values in (coarse, fine))
            known = not covered and contrast > _CONTRAST
            rows.append((x, y, right, bottom, (detail / contrast) ** 0.5 if known else np.nan, covered))
    return np.array(rows, dtype=np.float32)


def blurred_below(sharpness: NDArray[np.floating]) -> float:
    """The sharpness below which patches are blurred, by that of all of a slide (p,), nan where not known."""
    known = sharpness[~np.isnan(sharpness)]
    return max(FLOOR, SHARE_OF_MEDIAN * float(np.median(known))) if len(known) else FLOOR


def _cut(values: NDArray, box: Box, side: int = 1) -> NDArray:
    """The part of values of `side` px each that a box of px meets."""
    x1, y1, x2, y2 = box
    return values[y1 // side : -(-y2 // side), x1 // side : -(-x2 // side)]


def _details(pixels: Pixels, core: Box, background: Rgb) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Squared detail of optical density in a core (h, w) of pixels, fine and coarse."""
    x1, y1, x2, y2 = core
    left, top = max(0, x1 - _MARGIN), max(0, y1 - _MARGIN)
    grey = pixels[top : y2 + _MARGIN, left : x2 + _MARGIN] @ np.full(3, 1 / 3, np.float32)
    density = np.log10(np.float32(np.mean(background)) / np.maximum(grey, 1))

    inside = slice(y1 - top, y2 - top), slice(x1 - left, x2 - left)
    squared: list[NDArray[np.float32]] = []
    for low, high in _BANDS:
        detail: NDArray = gaussian_filter(density, low) - gaussian_filter(density, high)
        squared.append(detail[inside] ** 2)
    return squared[0], squared[1]


def _find_ink(pixels: Pixels, background: Rgb, mpp: float) -> tuple[NDArray[np.bool_], int]:
    """Which places are ink, and how many px a side they are."""
    side = max(1, int(FINEST_UM / mpp))
    height, width = (-(-length // side) for length in pixels.shape[:2])
    missing = (height * side - pixels.shape[0], width * side - pixels.shape[1])
    whole = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    rows = whole.reshape(height, side, -1).sum(axis=1, dtype=np.uint32)  # along memory, which is quick
    means = rows.reshape(height, width, side, 3).sum(axis=2).astype(np.float32) / side**2  # (h, w, 3)

    density = np.log10(np.maximum(background, 1) / np.maximum(means, 1))
    palest, scanned = density.min(axis=2), means.max(axis=2) > 0
    ink = ((density.max(axis=2) - palest >= _COLOURED) | (palest >= _DARK)) & scanned
    size = max(1, round(_SOLID_UM / (side * mpp)))
    # Of an even size the two filters reach to opposite sides, so that squares come back where they were.
    shift = size % 2 - 1
    filled: NDArray = maximum_filter(minimum_filter(ink, size), size, origin=shift)
    return filled, side
