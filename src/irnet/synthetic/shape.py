"""Outlines as radii over angles: polygons with rounded corners, notches and ripples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Raster = NDArray[np.floating]
Point = tuple[float, float]

ANGLES = 256
THETA = np.arange(ANGLES) * (2 * np.pi / ANGLES)


@dataclass(frozen=True)
class Outline:
    """A closed outline, star-shaped about the origin: `radii` (256,) px at equal angles from the x axis."""

    radii: NDArray[np.float64]

    @property
    def reach(self) -> float:
        """Largest radius (px)."""
        return float(self.radii.max())

    def depth(self, x: Raster, y: Raster) -> tuple[Raster, NDArray[np.intp]]:
        """How far inside the outline points lie (px, negative outside), and the index of their angle.

        Measured along the ray from the origin and shortened where the outline runs aslant to it.
        """
        place = np.arctan2(y, x) * np.float32(ANGLES / (2 * np.pi))
        left = np.floor(place).astype(np.intp)
        rest = place - left
        left %= ANGLES
        radii = self.radii.astype(np.float32)
        step = np.roll(radii, -1) - radii
        slope = np.gradient(_circular(self.radii, 12.0), THETA[1]) / self.radii
        aslant = (1 / np.sqrt(1 + np.square(slope))).astype(np.float32)
        return (radii[left] + step[left] * rest - np.hypot(x, y)) * aslant[left], left


def draw_outline(
    rng: np.random.Generator,
    radius: float,
    *,
    aspect: float,
    polygonal: float,
    waviness: float,
    notches: float,
    raggedness: float,
) -> Outline:
    """An outline of the area of a circle of `radius` (px).

    Args:
        aspect: length over width.
        polygonal: weight of a polygon of four to eight corners against an ellipse.
        waviness, raggedness: relative amplitude of slow and of fast ripples.
        notches: expected number of dents and missing bites.
    """
    angle = THETA - rng.uniform(0, 2 * np.pi)
    ellipse = 1 / np.hypot(np.cos(angle) / np.sqrt(aspect), np.sin(angle) * np.sqrt(aspect))
    radii = ellipse * (1 - polygonal + polygonal * _polygon(rng))
    orders = np.arange(2, 9)
    weights = waviness / orders**1.2 * rng.normal(size=7)
    ripples = np.cos(orders[:, None] * THETA + rng.uniform(0, 2 * np.pi, (7, 1)))
    radii = radii * (1 + weights @ ripples)
    for _ in range(rng.poisson(notches)):
        apart = np.abs((THETA - rng.uniform(0, 2 * np.pi) + np.pi) % (2 * np.pi) - np.pi)
        radii = radii * (1 - rng.uniform(0.06, 0.3) * np.exp(-np.square(apart / rng.uniform(0.12, 0.5))))
    fine = np.fft.irfft(np.fft.rfft(rng.standard_normal(ANGLES)) * _RIPPLES, ANGLES)
    radii = np.maximum(radii * (1 + raggedness * fine / fine.std()), 0.25)
    return Outline(radii * radius / np.sqrt(np.mean(radii**2)))


def plane(half: int, centre: Point = (0.0, 0.0)) -> tuple[Raster, Raster]:
    """Coordinates (2 half + 1, 2 half + 1) of a tile's pixels about a point off its middle by `centre`."""
    steps = np.arange(-half, half + 1, dtype=np.float32)
    side = (2 * half + 1,) * 2
    x = np.broadcast_to(steps[None, :] - np.float32(centre[0]), side)
    return x, np.broadcast_to(steps[:, None] - np.float32(centre[1]), side)


def bend(x: Raster, y: Raster, angle: float, curvature: float) -> tuple[Raster, Raster]:
    """The plane bent across a direction; areas stay as they are. `curvature` in 1/px."""
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    shift = np.float32(curvature) * np.square(c * x + s * y)
    return x - s * shift, y + c * shift


def _polygon(rng: np.random.Generator) -> NDArray[np.float64]:
    """Radii of a random polygon with rounded corners, of mean 1."""
    corners = int(rng.integers(4, 9))
    angles = (np.arange(corners) + rng.uniform(-0.32, 0.32, corners)) * (2 * np.pi / corners)
    reach = rng.uniform(0.8, 1.2, corners)
    radii = _sides(angles + rng.uniform(0, 2 * np.pi), reach)
    smooth = _circular(np.minimum(radii, 2.0), rng.uniform(14, 40))
    return smooth / smooth.mean()


def _sides(angles: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radii over THETA of the polygon with corners at `angles` (ascending) and `reach`."""
    place = (THETA - angles[0]) % (2 * np.pi) + angles[0]
    left = np.searchsorted(angles, place, side="right") - 1
    right = (left + 1) % len(angles)
    a, b = reach[left], reach[right]
    to_left, width = place - angles[left], (angles[right] - angles[left]) % (2 * np.pi)
    return a * b * np.sin(width) / (a * np.sin(to_left) + b * np.sin(width - to_left))


def _circular(values: NDArray[np.float64], cutoff: float) -> NDArray[np.float64]:
    """Low-pass over angles: waves of more than `cutoff` periods fade."""
    return np.fft.irfft(np.fft.rfft(values) * np.exp(-np.square(_FREQUENCY / cutoff)), ANGLES)


_FREQUENCY = np.arange(ANGLES // 2 + 1)
_RIPPLES = ((_FREQUENCY > 8) & (_FREQUENCY < 70)) / np.maximum(_FREQUENCY, 1.0)
