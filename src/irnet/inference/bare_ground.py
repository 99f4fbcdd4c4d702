"""A second look at cells: one whose inside is as bright as bare ground and has no outline is none.

Where white cells lie on bare ground, a network that knows them on cells draws a cell around them. The inside
of a real cell, however pale, takes up light, or its outline does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from irnet.cells import CYTOPLASM, NO_PARENT, Cells, Cuts, reaching
from irnet.inference.detections import ImageDetections
from irnet.inference.resizing import resize_cells, resize_image, zoomed_shape
from irnet.morphometry.pairing import pair_nuclei
from irnet.wording import number_of

UM = 0.5  # um per pixel at which is looked: grain vanishes
GROUND = 5  # percentile of the optical density of an image: its bare ground
NUCLEUS_SCORE = 0.7  # a linked nucleus from here on makes a cell, however pale it is
OUTLINE = 0.01  # optical density by which the rim of a cell is darker than what lies around it
UNKNOWN = -0.01  # below the ground: it is not known where nothing else is as bright
RING = 2  # px at UM: the width of the rings inside and outside of an outline
REACH = RING + 1  # px at UM: how far around a cell is looked
LEAST = 24  # px at UM that tell a colour
DENSITY = -np.log10((np.arange(256, dtype=np.float32) + 1) / 256)  # optical density of each grey level


def leave_bare_out(
    found: ImageDetections, image: NDArray[np.uint8], cuts: Cuts, *, um_per_px: float, excess: float
) -> ImageDetections:
    """Return what was found in an (H, W, 3) image without cells that were drawn on bare ground.

    Args:
        found: candidates; those from `cuts` on are tested.
        image: RGB.
        cuts: least score of each class.
        um_per_px: of the image, for the width of rings alone.
        excess: optical density (any channel) from which on an inside is no bare ground; 0 tests none.
    """
    chosen = np.flatnonzero(reaching(found.cells, cuts))
    if not excess or not um_per_px or not len(chosen):
        return found

    bare = chosen[find_bare(image, pair_nuclei(found.cells.select(chosen)), um_per_px, excess)]
    if not len(bare):
        return found

    kept = np.delete(np.arange(len(found.cells)), bare)
    note = f"left out as bare ground on a second look: {number_of(len(bare), 'cell')}"
    return found._replace(cells=found.cells.select(kept), notes=(*found.notes, note))


def find_bare(image: NDArray[np.uint8], cells: Cells, um_per_px: float, excess: float) -> NDArray[np.bool_]:
    """Tell which of n linked instances are cytoplasms on bare ground without a sure nucleus, (n,).

    The image is (H, W, 3) RGB; `excess` is an optical density (see `leave_bare_out`).
    """
    shape = zoomed_shape(image.shape[:2], min(1.0, um_per_px / UM))
    small, marked = resize_image(image, shape), resize_cells(cells, shape, None)
    levels = _levels(small)
    ground = _ground(levels)
    cover = _cover(marked)

    sure = cells.parents[(cells.parents != NO_PARENT) & (cells.scores >= NUCLEUS_SCORE)]
    tested = cells.labels == CYTOPLASM
    tested[sure] = False
    bare = np.zeros(len(cells), dtype=bool)

    for i in np.flatnonzero(tested):
        x1, y1, x2, y2 = marked.boxes[i].astype(np.int64).tolist()
        top, left = max(0, y1 - REACH), max(0, x1 - REACH)
        window = slice(top, y2 + REACH), slice(left, x2 + REACH)
        density, layers = DENSITY[small[window]], cover[window]  # (h, w, 3), (h, w)

        mask = np.zeros(layers.shape, dtype=bool)
        mask[y1 - top : y2 - top, x1 - left : x2 - left] = marked.masks[i]
        own = mask & (layers <= 1)  # what no other cell covers: two films are darker than one
        own = own if own.sum() >= LEAST else mask
        if mask.sum() < LEAST:
            continue

        inside = np.median(density[own], axis=0)
        if (inside - ground).max() > 2 * excess:
            continue  # most cells: the rest takes time

        rest = levels - _levels(small[window][mask])
        bare[i] = _is_bright(inside, rest, excess) and not _has_outline(density, mask, own, layers)
    return bare


def _levels(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many of the pixels (..., 3) have each grey level, (256, 3)."""
    return np.stack([np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(3)], axis=1)


def _ground(levels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the optical density of bare ground, (3,), from the numbers of pixels of each grey level."""
    brighter = np.cumsum(levels[::-1], axis=0)[::-1]  # as bright as this level or brighter
    level = (brighter >= GROUND / 100 * brighter[0]).sum(axis=0) - 1
    return DENSITY[level]


def _cover(cells: Cells) -> NDArray[np.uint16]:
    """Return how many cytoplasms cover each pixel, (H, W)."""
    cover = np.zeros(cells.image_shape, dtype=np.uint16)
    whole = cells.of(CYTOPLASM)
    for mask, (x, y) in zip(whole.masks, whole.offsets, strict=True):
        cover[y : y + mask.shape[0], x : x + mask.shape[1]] += mask
    return cover


def _is_bright(inside: NDArray[np.float32], rest: NDArray[np.int64], excess: float) -> bool:
    """Whether the inside of a cell, (3,), is as bright as the ground in the rest of the image."""
    if rest[:, 0].sum() < LEAST:
        return False
    return bool(UNKNOWN <= (inside - _ground(rest)).max() < excess)


def _has_outline(
    density: NDArray[np.float32], mask: NDArray[np.bool_], own: NDArray[np.bool_], cover: NDArray[np.uint16]
) -> bool:
    """Whether the rim of a cell is darker than what lies around it."""
    inside = np.asarray(ndimage.binary_erosion(mask, iterations=RING, border_value=1), dtype=bool)
    near = np.asarray(ndimage.binary_dilation(mask), dtype=bool)

    # The ring inside of the outline, and that outside, where no other cell lies.
    inner = own & ~inside
    outer = ndimage.binary_dilation(near, iterations=RING) & ~near & (cover == 0)

    if min(inner.sum(), outer.sum()) < LEAST:
        return False
    return bool((np.median(density[inner], axis=0) - np.median(density[outer], axis=0)).max() >= OUTLINE)
