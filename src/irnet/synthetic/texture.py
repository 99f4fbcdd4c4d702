"""Textures cut from periodic tiles that are drawn once a process: a cell must not cost a filter each time."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

Raster = NDArray[np.floating]

TILE = 512  # side of a periodic tile (px)
MARGIN = 320  # by which a tile is repeated, so that most cuts are views
SCALES = 2.0 ** np.arange(-1, 5.5, 0.5)  # standard deviations of the filters (px)
FINENESS = 1.15  # ratio of neighbouring scales for which rods, dots and bubbles are drawn
SEED = 20_140_901  # of the tiles; what is cut from them is drawn by the caller

RODS_PER_UM2, DOTS_PER_UM2, BUBBLES_PER_UM2 = 0.045, 0.03, 0.12
DISCS_PER_UM2 = 0.02
OVERSAMPLING = 4
CLOUD_SLOPE, FINEST_UM, BROADEST_UM = 1.2, 0.2, 40.0  # of the spectrum of cytoplasm


def noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Raster:
    """Gaussian noise of unit variance, smooth over about `sigma` px, of `shape` (h, w)."""
    return _cut(rng, _smooth_tile(int(np.abs(SCALES - sigma).argmin())), shape)


def cloud(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> Raster:
    """Noise of unit variance whose contrast grows with the size of its features, and none below .4 um."""
    return _cut(rng, _cloud_tile(_scale(mpp)), shape)


def rods(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> Raster:
    """Bacteria, 0 to 1: slightly bent rods of 1.6 to 4.4 um, a fifth shorter; `RODS_PER_UM2` of them."""
    return _cut(rng, _rod_tile(_scale(mpp)), shape)


def dots(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> Raster:
    """Granules, 0 to 1: dots of some .7 um, the largest of 1.8 um across; `DOTS_PER_UM2` of them."""
    return _cut(rng, _dot_tile(_scale(mpp)), shape)


def bubbles(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> Raster:
    """Vacuoles: -1 in their clear insides, up to 1 on the walls between them."""
    return _cut(rng, _bubble_tile(_scale(mpp)), shape)


def wrinkles(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> Raster:
    """Fine lines, 0 to 1, of .5 um: bent, broken, in a net with meshes of some 10 um."""
    return _cut(rng, _wrinkle_tile(_scale(mpp)), shape)


def paving(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> Raster:
    """Discs pressed against one another like red cells, each of a level of its own, .3 to 1; 0 between."""
    return _cut(rng, _paving_tile(_scale(mpp)), shape)


def streaks(
    rng: np.random.Generator, shape: tuple[int, int], sigma: float, stretch: float, angle: float
) -> Raster:
    """Gaussian noise smooth over `sigma` px across a direction, and `stretch` times as many along it.

    The direction is `angle` from the x axis. A coarse grid is drawn again, turned and interpolated.
    """
    height, width = shape
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, s], [-s, c]]) / [[sigma * stretch], [sigma]]  # from px to the grid
    corners = turn @ [[0, width, 0, width], [0, 0, height, height]]
    least, most = corners.min(axis=1), corners.max(axis=1)
    columns, rows = (most - least + 5).astype(int)
    coarse = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
    (a, b), (d, e) = turn.tolist()
    shift_x, shift_y = (2 - least).tolist()
    matrix = (a, b, shift_x, d, e, shift_y)
    drawn = coarse.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.asarray(drawn)


def wide_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Raster:
    """Gaussian noise smooth over many pixels, without a period: a coarse grid of new draws, interpolated."""
    coarse = rng.standard_normal([int(n / sigma) + 4 for n in shape]).astype(np.float32)
    height, width = (int(n * sigma) for n in coarse.shape)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    return smooth[: shape[0], : shape[1]]


def _cut(rng: np.random.Generator, tile: Raster, shape: tuple[int, int]) -> Raster:
    """A piece of a repeated tile, from anywhere, in one of its eight orientations."""
    top, left, turn = (int(n) for n in rng.integers((TILE, TILE, 8)))
    height, width = shape if turn % 2 else shape[::-1]
    if max(shape) <= MARGIN:
        piece = tile[top : top + height, left : left + width]
    else:
        rows, columns = (top + np.arange(height)) % TILE, (left + np.arange(width)) % TILE
        piece = tile[np.ix_(rows, columns)]
    piece = piece if turn % 2 else piece.T
    return piece[:: 1 if turn & 2 else -1, :: 1 if turn & 4 else -1]


def _scale(mpp: float) -> int:
    return round(float(np.log(mpp) / np.log(FINENESS)))


def _repeat(tile: NDArray) -> Raster:
    return np.pad(tile.astype(np.float32), ((0, MARGIN), (0, MARGIN)), mode="wrap")


@cache
def _smooth_tile(scale: int) -> Raster:
    white = np.random.default_rng((SEED, 0, scale)).standard_normal((TILE, TILE)).astype(np.float32)
    smooth = gaussian_filter(white, SCALES[scale], mode="wrap")
    return _repeat((smooth - smooth.mean()) / smooth.std())


@cache
def _cloud_tile(scale: int) -> Raster:
    white = np.random.default_rng((SEED, 1)).standard_normal((TILE, TILE))
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :])
    least = FINENESS**scale / BROADEST_UM
    amplitude = np.maximum(frequency, least) ** -CLOUD_SLOPE
    amplitude *= np.exp(-np.square(frequency * (2 * np.pi * FINEST_UM) / FINENESS**scale) / 2)
    amplitude[0, 0] = 0
    clouds = np.fft.irfft2(np.fft.rfft2(white) * amplitude, (TILE, TILE))
    return _repeat(clouds / clouds.std())


@cache
def _rod_tile(scale: int) -> Raster:
    return _draw_tile((SEED, 2), scale, RODS_PER_UM2, _draw_rod)


@cache
def _dot_tile(scale: int) -> Raster:
    return _draw_tile((SEED, 3), scale, DOTS_PER_UM2, _draw_dot)


def _draw_tile(
    seed: tuple[int, int],
    scale: int,
    per_um2: float,
    draw: Callable[[np.random.Generator, ImageDraw.ImageDraw, tuple[float, float], float], None],
) -> Raster:
    """A periodic tile of small things: what leaves it on one side comes in on the other."""
    rng, mpp = np.random.default_rng((*seed, scale % 2**16)), FINENESS**scale
    side, border = TILE * OVERSAMPLING, int(6 / mpp) * OVERSAMPLING
    canvas = Image.new("L", (side + 2 * border, side + 2 * border))
    brush = ImageDraw.Draw(canvas)
    for _ in range(round(per_um2 * (TILE * mpp) ** 2)):
        x, y = rng.uniform(border, side + border, 2)
        draw(rng, brush, (float(x), float(y)), OVERSAMPLING / mpp)
    drawn = np.asarray(canvas, dtype=np.float32) / 255
    folded = _fold(_fold(drawn, border).T, border).T
    return _repeat(folded.reshape(TILE, OVERSAMPLING, TILE, OVERSAMPLING).mean((1, 3)))


def _fold(canvas: Raster, border: int) -> Raster:
    """Rows beyond the ends of a periodic canvas, laid on those at the other end."""
    inner = canvas[border:-border].copy()
    inner[-border:] = np.maximum(inner[-border:], canvas[:border])
    inner[:border] = np.maximum(inner[:border], canvas[-border:])
    return inner


def _draw_rod(
    rng: np.random.Generator, brush: ImageDraw.ImageDraw, centre: tuple[float, float], px_per_um: float
) -> None:
    angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.09)
    length = (rng.uniform(0.5, 1.3) if rng.random() < 0.2 else rng.uniform(1.6, 4.4)) * px_per_um
    width = rng.uniform(0.45, 0.7) * px_per_um
    along = np.linspace(-0.5, 0.5, 6) * length
    across = bend * (4 * (along / length) ** 2 - 0.5) * length
    x = centre[0] + along * np.cos(angle) - across * np.sin(angle)
    y = centre[1] + along * np.sin(angle) + across * np.cos(angle)
    points = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    brush.line(points, fill=int(60 + 195 * rng.beta(1.2, 2)), width=max(1, round(width)), joint="curve")


def _draw_dot(
    rng: np.random.Generator, brush: ImageDraw.ImageDraw, centre: tuple[float, float], px_per_um: float
) -> None:
    (x, y), radius = centre, min(rng.lognormal(-1.1, 0.4), 0.9) * px_per_um
    brush.ellipse([x - radius, y - radius, x + radius, y + radius], fill=int(rng.uniform(70, 255)))


@cache
def _wrinkle_tile(scale: int) -> Raster:
    """Where a smooth noise is near 0, in the places where another one is high."""
    mpp, white = FINENESS**scale, np.random.default_rng((SEED, 5)).standard_normal((2, TILE, TILE))
    smooth = [gaussian_filter(w, um / mpp, mode="wrap") for w, um in zip(white, (3.0, 6.0), strict=True)]
    net, there = (s / s.std() for s in smooth)
    slope = np.hypot(*np.gradient(net)) + 1e-3
    lines = np.exp(-np.square(net / slope * np.float32(mpp / max(0.45, 0.7 * mpp))))
    return _repeat(lines * np.clip(there + 0.3, 0, 1))


@cache
def _paving_tile(scale: int) -> Raster:
    rng, mpp = np.random.default_rng((SEED, 6, scale % 2**16)), FINENESS**scale
    points = rng.uniform(0, TILE, (max(8, round(DISCS_PER_UM2 * (TILE * mpp) ** 2)), 2))
    grid = np.stack(np.meshgrid(np.arange(TILE), np.arange(TILE), indexing="ij"), axis=-1).reshape(-1, 2)
    distance, nearest = KDTree(points, boxsize=TILE).query(grid, k=2)
    gap, reach = (distance[:, 1] - distance[:, 0]) * mpp, distance[:, 0] * mpp
    cover = np.clip(np.minimum(gap - 0.3, 2 * (4.2 - reach)) / max(0.8, 1.2 * mpp), 0, 1)
    levels = np.take(rng.uniform(0.3, 1, len(points)), np.asarray(nearest)[:, 0])
    return _repeat((cover * levels).reshape(TILE, TILE))


@cache
def _bubble_tile(scale: int) -> Raster:
    """Cells of points (Worley): the second nearest less the nearest point is 0 on the walls."""
    rng, mpp = np.random.default_rng((SEED, 4, scale % 2**16)), FINENESS**scale
    points = rng.uniform(0, TILE, (max(8, round(BUBBLES_PER_UM2 * (TILE * mpp) ** 2)), 2))
    grid = np.stack(np.meshgrid(np.arange(TILE), np.arange(TILE), indexing="ij"), axis=-1).reshape(-1, 2)
    distance = KDTree(points, boxsize=TILE).query(grid, k=2)[0].astype(np.float32).reshape(TILE, TILE, 2)
    wall = np.exp(-np.square((distance[..., 1] - distance[..., 0]) * np.float32(mpp / 0.5)))
    return _repeat(2 * wall - 1)
