"""Band-limited noise, cut from periodic tiles that are filtered once: texture must not cost a filter each time."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

Field = NDArray[np.float32]

TILE = 512  # side of a periodic tile (px)
SCALES = 2.0 ** np.arange(-1, 5.5, 0.5)  # standard deviations of the filters (px)
SEED = 20_140_901  # of the tiles; what is cut from them is drawn by the caller


def noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Field:
    """Gaussian noise of unit variance, smooth over about `sigma` px, of `shape` (h, w)."""
    tile = _tile(int(np.abs(SCALES - sigma).argmin()))
    top, left = rng.integers(TILE, size=2)
    rows, columns = (np.arange(n) for n in shape)
    if rng.random() < 0.5:
        tile = tile.T
    return tile[np.ix_((rows + top) % TILE, (columns + left) % TILE)]


def wide_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Field:
    """Gaussian noise smooth over many pixels, without a period: a coarse grid drawn anew and interpolated."""
    coarse = rng.standard_normal([int(n / sigma) + 4 for n in shape]).astype(np.float32)
    height, width = (int(n * sigma) for n in coarse.shape)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    return smooth[: shape[0], : shape[1]]


@cache
def _tile(scale: int) -> Field:
    white = np.random.default_rng((SEED, scale)).standard_normal((TILE, TILE)).astype(np.float32)
    smooth = gaussian_filter(white, SCALES[scale], mode="wrap")
    return (smooth - smooth.mean()) / smooth.std()
