"""What is no cell regardless of the network: anything in a blank or noisy picture, and specks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.geometry.boxes import inside

PATCH = 8  # px a side at the network's scale: less than half a nucleus
LEAST_CONTRAST = 8.0  # grey levels between a patch and the ground
NOISE = 8.0  # and as many times as noise alone makes the means of patches differ

LEAST_UM = {CYTOPLASM: 5.0, NUCLEUS: 1.5}  # diameter; half of it where the border cuts

BLANK = "no contrast beyond noise: nothing to find"


class Patches(NamedTuple):
    """An image in squares: what each is like in the mean, and how much of that noise explains."""

    side: int  # px of the image
    means: NDArray[np.float32]  # (rows, columns, 3) grey levels
    noise: NDArray[np.float32]  # (rows, columns, 3) variance, were all that differs between neighbours noise

    def within(self, box: tuple[int, int, int, int]) -> Patches:
        """Return those that a box x1, y1, x2, y2 (px) meets; its low sides are multiples of `side`."""
        x1, y1, x2, y2 = box
        rows = slice(y1 // self.side, -(-y2 // self.side))
        columns = slice(x1 // self.side, -(-x2 // self.side))
        return self._replace(means=self.means[rows, columns], noise=self.noise[rows, columns])

    def stand_out(self) -> NDArray[np.bool_]:
        """Tell which differ from most others by more than noise explains, (rows, columns)."""
        ground = np.median(self.means.reshape(-1, 3), axis=0)
        contrast = np.abs(self.means - ground)
        explained = np.sqrt(self.noise.mean(axis=(0, 1))) / self.side
        return (contrast > LEAST_CONTRAST + NOISE * explained).any(axis=2)


def to_patches(image: NDArray[np.uint8], zoom: float = 1.0) -> Patches:
    """Return an (H, W, 3) image in patches; a rest at its low and right sides is left out.

    `zoom` is px of the network's scale per image px.
    """
    side = max(1, round(PATCH / zoom))
    rows, columns = (length // side for length in image.shape[:2])
    means, noise = (np.zeros((rows, columns, 3), np.float32) for _ in range(2))

    for row in range(rows):
        strip = image[row * side : (row + 1) * side, : columns * side].astype(np.float32)
        steps = np.diff(strip, axis=1, prepend=strip[:, :1])
        means[row] = strip.reshape(side, columns, side, 3).mean(axis=(0, 2))
        noise[row] = (steps * steps / 2).reshape(side, columns, side, 3).mean(axis=(0, 2))
    return Patches(side, means, noise)


def is_blank(image: NDArray[np.uint8], zoom: float = 1.0) -> bool:
    """Whether no patch of an (H, W, 3) image differs from the others by more than its noise explains.

    Noise of pixels vanishes in the mean of a patch and cells stay. `zoom` is px of the network's scale per
    image px. An image that is smaller than 2 x 2 patches is blank: no cell fits in.
    """
    patches = to_patches(image, zoom)
    return min(patches.means.shape[:2]) < 2 or not patches.stand_out().any()


def drop_specks(cells: Cells, um_per_px: float) -> Cells:
    """Return the cells that are not too small to be any; `um_per_px` 0: all of them."""
    whole = inside(cells.boxes, cells.image_shape)
    least = np.array([LEAST_UM[int(label)] for label in cells.labels]) * np.where(whole, 1.0, 0.5)
    diameters = np.sqrt(4 / np.pi * cells.areas) * um_per_px  # of discs as large

    return cells.select(diameters >= least) if um_per_px else cells
