"""Level sets that keep their own distance (DRLSE, Li et al. 2010): the update of steps a, b and d of JOMLS.

phi is negative inside. A level set starts at -2 inside and +2 outside of a mask, and one step adds
dt [mu R + length (delta grad w . n + delta w div n) + delta push], with n = grad phi / |grad phi| and R
the double-well regulariser that holds |grad phi| at 1 near the outline and at 0 far from it.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Mask = NDArray[np.bool_]
Raster = NDArray[np.float64]

START = 2.0  # |phi| at the start (px)
DT = 5.0  # time step
MU = 0.2 / DT  # weight of the regulariser
EPS = 1.5  # half width of the smoothed delta (px)
SIGMA = 1.5  # of the Gaussian ahead of the gradient (px)
RADIUS = 7  # of its window, 15 x 15 px
TINY = 1e-10  # keeps normals finite where phi is flat


def edge_stop(grey: Raster) -> Raster:
    """g = 1 / (1 + |grad(G * I)|^2) of grey levels I in 0 ... 255, (h, w): near 0 on edges."""
    smooth = gaussian_filter(grey, SIGMA, radius=RADIUS, mode="nearest")
    dy, dx = slopes(smooth)
    return 1 / (1 + dx**2 + dy**2)


def slopes(field: Raster) -> tuple[Raster, Raster]:
    """Central differences down and to the right, (h, w) each."""
    return np.gradient(field, axis=0), np.gradient(field, axis=1)


def evolve(mask: Mask, weight: Raster, stages: list[tuple[int, Raster]], *, length: float) -> Mask:
    """The mask after the level set that starts at it went through `stages`.

    Args:
        mask: (h, w), inside.
        weight: (h, w), w above: the price of outline at each pixel.
        stages: number of steps, and the push (h, w) that acts in them; a positive push shrinks.
        length: weight of the outline's length.
    """
    phi = np.where(mask, -START, START)
    weight = np.ascontiguousarray(weight)
    wy, wx = slopes(weight)
    for steps, push in stages:
        phi = advance(phi, weight, wy, wx, push, length, steps)
    return phi < 0


@njit(cache=True)
def advance(
    phi: Raster, weight: Raster, wy: Raster, wx: Raster, push: Raster, length: float, steps: int
) -> Raster:  # pragma: no cover (compiled)
    """phi after a number of steps; (h, w) all. Beyond the frame phi goes on as it is at its border."""
    height, width = phi.shape
    old, new = phi.copy(), np.empty_like(phi)
    ny, nx = np.zeros_like(phi), np.zeros_like(phi)  # grad phi / |grad phi|
    fy, fx = np.zeros_like(phi), np.zeros_like(phi)  # d_p(|grad phi|) grad phi - grad phi

    for _ in range(steps):
        _differentiate(old, ny, nx, fy, fx)
        for y in range(height):
            up, down = max(y - 1, 0), min(y + 1, height - 1)
            for x in range(width):
                left, right = max(x - 1, 0), min(x + 1, width - 1)
                here = old[y, x]

                # mu R: keeps phi a distance function
                laplacian = old[up, x] + old[down, x] + old[y, left] + old[y, right] - 4 * here
                change = MU * (laplacian + (fy[down, x] - fy[up, x] + fx[y, right] - fx[y, left]) / 2)

                # The outline's length and the push, where the outline is
                if abs(here) <= EPS:
                    delta = (1 + math.cos(math.pi * here / EPS)) / (2 * EPS)
                    curvature = (ny[down, x] - ny[up, x] + nx[y, right] - nx[y, left]) / 2
                    pull = wy[y, x] * ny[y, x] + wx[y, x] * nx[y, x] + weight[y, x] * curvature
                    change += delta * (length * pull + push[y, x])

                new[y, x] = here + DT * change
        old, new = new, old
    return old


@njit(cache=True)
def _differentiate(phi: Raster, ny: Raster, nx: Raster, fy: Raster, fx: Raster) -> None:  # pragma: no cover
    """Fill in what a step needs of phi's gradient by central differences."""
    height, width = phi.shape
    for y in range(height):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            gy, gx = (phi[down, x] - phi[up, x]) / 2, (phi[y, right] - phi[y, left]) / 2
            s = math.sqrt(gy * gy + gx * gx)
            rest = double_well(s) - 1
            ny[y, x], nx[y, x] = gy / (s + TINY), gx / (s + TINY)
            fy[y, x], fx[y, x] = rest * gy, rest * gx


@njit(cache=True)
def double_well(s: float) -> float:  # pragma: no cover
    """d_p(s) = p'(s) / s of the double-well potential p, whose minima are at s = 0 and s = 1."""
    if s == 0:
        return 1.0
    if s <= 1:
        return math.sin(2 * math.pi * s) / (2 * math.pi * s)
    return 1 - 1 / s
