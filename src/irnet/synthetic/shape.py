"""Outlines as radii over angles, and the thickness that they give: edges, folds and wrinkles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

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

    def depth(self, x: Field, y: Field) -> Field:
        """How far inside the outline points lie, along the ray from the origin (px, negative outside)."""
        place = np.arctan2(y, x) * (ANGLES / (2 * np.pi)) % ANGLES
        left = place.astype(np.intp)
        radii = np.append(self.radii, self.radii[:1]).astype(np.float32)
        left = np.minimum(left, ANGLES - 1)
        rest = place - left
        return radii[left] * (1 - rest) + radii[left + 1] * rest - np.hypot(x, y)


@dataclass(frozen=True)
class Fold:
    """An edge folded over: what lies beyond a chord is mirrored onto the cell."""

    angle: float  # of the chord's normal
    distance: float  # of the chord from the origin (px)


def draw_outline(
    rng: np.random.Generator,
    radius: float,
    *,
    aspect: float,
    polygonal: float,
    waviness: float,
    raggedness: float,
) -> Outline:
    """An outline of the area of a circle of `radius` (px).

    Args:
        aspect: length over width.
        polygonal: weight of a polygon of five to eight corners against an ellipse.
        waviness, raggedness: relative amplitude of slow and of fast ripples.
    """
    turn = rng.uniform(0, 2 * np.pi)
    angle = THETA - turn
    ellipse = 1 / np.hypot(np.cos(angle) / np.sqrt(aspect), np.sin(angle) * np.sqrt(aspect))
    radii = ellipse * (1 - polygonal + polygonal * _polygon(rng))
    for k in range(2, 9):
        ripple = np.cos(k * THETA + rng.uniform(0, 2 * np.pi)) * rng.normal()
        radii = radii + ellipse * waviness / k**1.1 * ripple
    fine = np.fft.irfft(np.fft.rfft(rng.standard_normal(ANGLES)) * _RIPPLES, ANGLES)
    torn = np.clip(
        np.cos(THETA + rng.uniform(0, 2 * np.pi)) + rng.uniform(-0.8, 0.8), 0.1, 1
    )  # one side more
    radii = np.maximum(radii * (1 + raggedness * torn * fine / fine.std()), 0.25)
    return Outline(radii * radius / np.sqrt(np.mean(radii**2)))


def draw_folds(rng: np.random.Generator, outline: Outline, expected: float) -> list[Fold]:
    """At most two folds; each takes away a cap of the cell."""
    angles = rng.uniform(0, 2 * np.pi, min(rng.poisson(expected), 2))
    reach = outline.radii[(angles / (2 * np.pi) * ANGLES).astype(int)]
    return [Fold(float(a), float(r * rng.uniform(0.5, 0.9))) for a, r in zip(angles, reach, strict=True)]


def layers(outline: Outline, folds: list[Fold], x: Field, y: Field, *, softness: float, rim: float) -> Field:
    """Thickness of the cell at points (px): 1 inside, 2 and more where it is folded, 0 outside.

    Args:
        softness: width of the edge (px).
        rim: thickening along the edge, relative.
    """
    if not folds:
        depth = outline.depth(x, y)
        cover = np.clip(depth / softness + 0.5, 0, 1)
        return cover * (1 + rim * np.exp(-np.square(depth / (2 * softness))))
    *earlier, last = folds
    normal_x, normal_y = np.float32(np.cos(last.angle)), np.float32(np.sin(last.angle))
    beyond = x * normal_x + y * normal_y - np.float32(last.distance)
    here = layers(outline, earlier, x, y, softness=softness, rim=rim)
    mirrored = layers(
        outline, earlier, x - 2 * beyond * normal_x, y - 2 * beyond * normal_y, softness=softness, rim=rim
    )
    return np.clip(0.5 - beyond / softness, 0, 1) * (here + mirrored)


def _polygon(rng: np.random.Generator) -> NDArray[np.float64]:
    """Radii of a random polygon with rounded corners, of mean 1."""
    corners = int(rng.integers(4, 8))
    angles = (np.arange(corners) + rng.uniform(-0.38, 0.38, corners)) * (2 * np.pi / corners)
    points = np.exp(1j * angles) * rng.uniform(0.75, 1.25, corners)
    radii = np.full(ANGLES, np.inf)
    for a, b in zip(points, np.roll(points, -1), strict=True):
        normal = (b - a) * -1j  # outwards
        facing = np.cos(THETA) * normal.real + np.sin(THETA) * normal.imag
        reach = (a.real * normal.real + a.imag * normal.imag) / np.where(facing > 1e-6, facing, np.nan)
        radii = np.fmin(radii, np.where(reach > 0, reach, np.nan))
    smooth = np.fft.irfft(np.fft.rfft(np.minimum(radii, 2.0)) * _ROUNDING, ANGLES)
    return smooth / smooth.mean()


_FREQUENCY = np.arange(ANGLES // 2 + 1)
_ROUNDING = np.exp(-np.square(_FREQUENCY / 22.0))
_RIPPLES = (_FREQUENCY > 5) / np.maximum(_FREQUENCY, 1.0) ** 1.3
