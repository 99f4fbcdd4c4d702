"""First guess of a clump's cells (JOMLS, step c): star-shaped outlines and their distance maps."""

from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from irnet.baselines.jomls.patch import Patch, Rectangle, number_pieces

Mask = NDArray[np.bool_]
Raster = NDArray[np.float64]
Points = NDArray[np.float64]  # (m, 2) y, x

# Lengths and areas in pixels of .37 um, constants of Lu et al. 2015 as their code runs.
INSIDE = 0.95  # least share of a link's pixels inside the clump
BETA = 5.0  # fall of the distance map from centre to outline
LEAST_FRAGMENT = 500  # px
ANGLES = 360  # radii of a star
HALF = 0.5  # px from the centre of an outline's pixel to its far side


class Star(NamedTuple):
    """An outline that its centre sees whole."""

    centre: Points  # (2,) y, x
    radii: Raster  # (ANGLES,) px from the centre to the outline, anticlockwise from +x

    @classmethod
    def through(cls, centre: Points, points: Points) -> Self:
        """The star through the furthest of `points` at each angle.

        Between them its radius turns from one to the other, its length interpolated: so a cell goes on from
        where its free outline ends into the cells that it overlaps.
        """
        y, x = (points - centre).T
        place = np.rint(np.arctan2(y, x) * (ANGLES / (2 * np.pi))).astype(np.int64) % ANGLES
        furthest = np.zeros(ANGLES)
        np.maximum.at(furthest, place, np.hypot(y, x) + HALF)
        known = np.flatnonzero(furthest)
        return cls(centre, np.interp(np.arange(ANGLES), known, furthest[known], period=ANGLES))

    @classmethod
    def of(cls, cell: Patch) -> "Star":
        """The star of a cell's outline about the cell's centroid."""
        centre = np.argwhere(cell.mask).mean(axis=0)
        return cls.through(centre, np.concatenate(outlines(cell.mask))).shift(cell.x, cell.y)

    def shift(self, dx: int, dy: int) -> "Star":
        """The star moved."""
        return Star(self.centre + np.array([dy, dx]), self.radii)

    def distance_map(self, shape: tuple[int, int]) -> tuple[Raster, Rectangle]:
        """h = 2 - 2 / (1 + exp(-beta d)), and the window in a frame of `shape` that holds the star.

        d is the distance from the centre as a share of the radius: h is 1 at the centre, .013 at the
        outline and 0 beyond.
        """
        (y, x), reach = self.centre, self.radii.max()
        low, high = np.floor(self.centre - reach).astype(int), np.ceil(self.centre + reach).astype(int) + 1
        window = Rectangle(low[0], high[0], low[1], high[1]).clip(shape)
        dy = np.arange(window.top, window.bottom)[:, None] - y
        dx = np.arange(window.left, window.right)[None, :] - x
        angle = np.arctan2(dy, dx) * (ANGLES / (2 * np.pi))
        d = np.hypot(dy, dx) / np.interp(angle, np.arange(ANGLES), self.radii, period=ANGLES)
        return np.where(d <= 1, 2 - 2 / (1 + np.exp(-BETA * d)), 0.0), window


def guess_cells(clump: Mask, centres: Points) -> dict[int, Patch]:
    """The first guess of each cell, by the index of its nucleus; a cell of small fragments is left out.

    Args:
        clump: (h, w).
        centres: (n, 2) y, x of the nuclei in it.
    """
    cells = {}
    for index, points in enumerate(share_outline(clump, centres)):
        if not len(points):
            continue
        rough = fill_star(Star.through(centres[index], points), clump)
        if rough.mask.any():
            cells[index] = drop_fragments(fill_star(Star.of(rough), clump))
    return {index: cell for index, cell in cells.items() if cell.mask.any()}


def share_outline(clump: Mask, centres: Points) -> list[Points]:
    """The pixels of the clump's outline that belong to each centre, n x (m, 2).

    Centres without any lie inside: the part of the clump nearest to them is shared among them likewise.
    """
    parts = [_own(clump, ring, centres) for ring in outlines(clump)]
    points = np.concatenate([ring for ring, _ in parts] or [np.zeros((0, 2))])
    owners = np.concatenate([owner for _, owner in parts] or [np.zeros(0, dtype=np.int64)])
    shares = [points[owners == index] for index in range(len(centres))]

    inner = [index for index, share in enumerate(shares) if not len(share)]
    if inner and len(inner) < len(centres):
        pixels = np.argwhere(clump)
        nearest = np.isin(_find_nearest(centres, pixels), inner)
        core = np.zeros_like(clump)
        core[tuple(pixels[nearest].T)] = True
        for index, share in zip(inner, share_outline(core, centres[inner]), strict=True):
            shares[index] = share
    return shares


def draw_map(clump: Mask, stars: list[Star]) -> Raster:
    """The clump's distance map h_C, (h, w): the largest of its cells' maps, and 1 outside the clump."""
    highest = np.zeros(clump.shape)
    for star in stars:
        values, window = star.distance_map(clump.shape)
        np.maximum(highest[window.slices], values, out=highest[window.slices])
    return np.where(clump, highest, 1.0)


def fill_star(star: Star, clump: Mask) -> Patch:
    """The pixels of the clump inside a star."""
    values, window = star.distance_map(clump.shape)
    return Patch.cut((values > 0) & clump[window.slices], window.left, window.top)


def drop_fragments(cell: Patch) -> Patch:
    """The cell without pieces of fewer than 500 px."""
    pieces = number_pieces(cell.mask)
    kept = np.bincount(pieces.ravel()) >= LEAST_FRAGMENT
    return Patch.cut(kept[pieces] & cell.mask, cell.x, cell.y)


def outlines(mask: Mask) -> list[Points]:
    """The outer outlines of a mask, in order along each, y and x of its own pixels."""
    rings, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [ring[:, 0, ::-1].astype(np.float64) for ring in rings]


def _own(clump: Mask, ring: Points, centres: Points) -> tuple[Points, NDArray[np.int64]]:
    """A ring and the centre that each of its pixels belongs to, (m,).

    That is the nearest one where the link to it stays in the clump, else that of the nearest such pixel
    along the ring.
    """
    nearest = _find_nearest(centres, ring)
    valid = np.flatnonzero(_are_linked(clump, ring, centres[nearest]))
    if not len(valid):
        return ring, nearest
    round_about = np.concatenate([valid - len(ring), valid, valid + len(ring)])[:, None]
    source = _find_nearest(round_about, np.arange(len(ring))[:, None])
    return ring, nearest[valid[source % len(valid)]]


def _find_nearest(places: NDArray, points: NDArray) -> NDArray[np.int64]:
    """Index of the place that is nearest to each point, (m,)."""
    return np.asarray(KDTree(places).query(points)[1], dtype=np.int64)


def _are_linked(clump: Mask, starts: Points, ends: Points) -> NDArray[np.bool_]:
    """Whether straight lines lie in the clump with at least 95 % of their pixels, (m,)."""
    steps = np.ceil(np.abs(ends - starts).max(axis=1)) + 1  # (m,) pixels of each line, except for the last
    place = np.arange(steps.max() + 1) / steps[:, None]  # (m, longest)
    at = starts[:, None] + np.minimum(place, 1)[..., None] * (ends - starts)[:, None]  # (m, longest, 2)
    rows, columns = np.rint(at).astype(np.int64).transpose(2, 0, 1)
    within = (clump[rows, columns] & (place <= 1)).sum(axis=1)
    return within >= INSIDE * (steps + 1)
