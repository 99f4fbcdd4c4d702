"""Air bubbles, and what is like them, drawn on pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Pixels = NDArray[np.uint8]
Disc = tuple[float, float, float]  # x, y and radius (um)


def depth_of(shape: tuple[int, int], mpp: float, discs: Sequence[Disc], seed: int, uneven: float) -> NDArray:
    """How far (um) each px is inside the outline of discs that are not quite round, outside below 0."""
    draw = np.random.default_rng(seed)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    depth = np.full(shape, -np.inf)
    for x, y, radius in discs:
        across, down = columns * mpp - x, rows * mpp - y
        angle = np.arctan2(down, across)
        factor = np.ones(shape)
        for times in (2, 3, 4):
            factor += uneven / times * draw.normal() * np.cos(times * angle + draw.uniform(0, 7))
        depth = np.maximum(depth, radius * factor - np.hypot(across, down))
    return depth


def darken(image: Pixels, density: NDArray) -> Pixels:
    """An image through something of optical density (h, w), or (h, w, 3) for what has a colour."""
    more = density if density.ndim == 3 else density[..., None]
    return np.clip(image * 10.0**-more, 0, 255).round().astype(np.uint8)


def draw_bubble(
    image: Pixels,
    mpp: float,
    discs: Sequence[Disc],
    *,
    rim_um: float = 20.0,
    density: float = 0.4,
    cells: bool = False,
    seed: int = 0,
) -> Pixels:
    """An air bubble of merged discs: a dark rim that light from one side makes uneven.

    Inside is glass that is a little brighter, or the `cells` out of focus.
    """
    draw = np.random.default_rng(seed)
    depth = depth_of(image.shape[:2], mpp, discs, seed, 0.03)
    glass = np.percentile(image.reshape(-1, 3), 90, axis=0)
    blurred = gaussian_filter(image.astype(np.float32), (8 / mpp, 8 / mpp, 0))
    inside = np.clip((blurred if cells else np.broadcast_to(glass, image.shape)) * 1.03, 0, 255)
    seen = np.where(depth[..., None] > 0, inside + draw.normal(0, 1.5, image.shape), image)

    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    light = draw.uniform(0, 2 * np.pi)
    x, y, _ = discs[0]
    uneven = 1 + 0.3 * np.cos(np.arctan2(rows * mpp - y, columns * mpp - x) + light)
    spread = max(rim_um / 2.35, 0.7 * mpp)
    rim = density * uneven * np.exp(-0.5 * ((depth - rim_um / 2) / spread) ** 2)
    tint = 1 + draw.normal(0, 0.03, 3)
    return darken(np.clip(seen, 0, 255).astype(np.uint8), rim[..., None] * tint)


def draw_stroke(
    image: Pixels,
    mpp: float,
    disc: Disc,
    *,
    width_um: float,
    density: Sequence[float],
    seed: int = 0,
) -> Pixels:
    """A ring of a pen of so much optical density in each channel."""
    depth = depth_of(image.shape[:2], mpp, [disc], seed, 0.08)
    inked = gaussian_filter((np.abs(depth) < width_um / 2).astype(np.float32), 4 / mpp)
    return darken(image, inked[..., None] * np.array(density))
