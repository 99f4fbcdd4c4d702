"""What is no cell regardless of the network: anything in a blank or noisy picture, and specks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS, Cells

PATCH = 8  # px a side at the network's scale: less than half a nucleus
LEAST_CONTRAST = 8.0  # grey levels between a patch and the ground
NOISE = 8.0  # and as many times as noise alone makes the means of patches differ

LEAST_UM = {CYTOPLASM: 5.0, NUCLEUS: 1.5}  # diameter; half of it where the border cuts

BLANK = "no contrast beyond noise: nothing to find"


def is_blank(image: NDArray[np.uint8], zoom: float = 1.0) -> bool:
    """Whether no patch of an (H, W, 3) image differs from the others by more than its noise explains.

    Noise of pixels vanishes in the mean of a patch and cells stay. `zoom` is px of the network's scale per
    image px. An image that is smaller than 2 x 2 patches is blank: no cell fits in.
    """
    side = max(1, round(PATCH / zoom))
    height, width = (length // side * side for length in image.shape[:2])
    if min(height, width) < 2 * side:
        return True

    means, noise = [], []
    for top in range(0, height, side):
        strip = image[top : top + side, :width].astype(np.float32)
        patches = strip.reshape(side, -1, side, 3)  # rows, patches side by side, columns, RGB
        means.append(patches.mean(axis=(0, 2)))
        noise.append((np.diff(strip, axis=1) ** 2).mean(axis=(0, 1)) / 2)  # variance, were all of it noise

    each = np.concatenate(means)  # (patches, 3)
    contrast = np.abs(each - np.median(each, axis=0)).max(axis=0)
    explained = np.sqrt(np.mean(noise, axis=0)) / side
    return bool((contrast <= LEAST_CONTRAST + NOISE * explained).all())


def drop_specks(cells: Cells, um_per_px: float) -> Cells:
    """Return the cells that are not too small to be any; `um_per_px` 0: all of them."""
    height, width = cells.image_shape
    boxes = cells.boxes
    whole = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:] < (width, height)).all(axis=1)
    least = np.array([LEAST_UM[int(label)] for label in cells.labels]) * np.where(whole, 1.0, 0.5)
    diameters = np.sqrt(4 / np.pi * cells.areas) * um_per_px  # of discs as large

    return cells.select(diameters >= least) if um_per_px else cells
