"""Size and form of masks, in pixels, as `skimage.measure.regionprops` has them, of all of them at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.geometry.sheets import Runs, Sheet, runs_of, sheets
from irnet.morphometry.hull import measure_hulls

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

ACROSS = ((0, 1), (1, 1), (1, 0), (1, -1))  # neighbours in four directions: rows down, columns to the right


class Shapes(NamedTuple):
    """Figures of n masks; all but the area of a mask without pixels is nan."""

    area: NDArray[np.int64]  # (n,) px
    centroid: Floats  # (n, 2) x, y of the crop, in pixel centres
    perimeter: Floats  # (n,) px, Crofton's formula in four directions
    max_diameter: Floats  # (n,) px, largest caliper width
    min_diameter: Floats  # (n,) px, smallest caliper width
    eccentricity: Floats  # (n,) of the ellipse with the same second moments: 0 a circle, 1 a line
    solidity: Floats  # (n,) area over the area of the convex hull
    circularity: Floats  # (n,) 4 pi area / perimeter^2, at most 1


def measure_shapes(masks: Sequence[Mask]) -> Shapes:
    """The figures of crops (h, w), each of which may have several parts and holes.

    The hull is that of the midpoints of the pixels' sides, the outline at level one half.
    """
    count = len(masks)
    shapes = Shapes(
        np.zeros(count, dtype=np.int64), np.full((count, 2), np.nan), *np.full((6, count), np.nan)
    )

    for sheet in sheets(masks):
        runs = runs_of(sheet, sheet.pixels)
        if not len(runs.owners):
            continue
        begins = np.flatnonzero(np.diff(runs.owners, prepend=-1))
        members = runs.owners[begins]
        area, shapes.centroid[members], shapes.eccentricity[members] = _moments(runs, begins)

        perimeter, hulls = _perimeters(sheet, members, area), measure_hulls(runs)
        shapes.area[members], shapes.perimeter[members] = area, perimeter
        shapes.max_diameter[members], shapes.min_diameter[members] = hulls.widest, hulls.narrowest
        shapes.solidity[members] = np.minimum(1, area / hulls.areas)
        shapes.circularity[members] = np.minimum(1, 4 * np.pi * area / perimeter**2)
    return shapes


def measure_places(masks: Sequence[Mask]) -> tuple[NDArray[np.int64], Floats]:
    """Areas (n,) and centroids (n, 2) x, y of crops, as in `Shapes`, alone."""
    area, centroid = np.zeros(len(masks), dtype=np.int64), np.full((len(masks), 2), np.nan)
    for sheet in sheets(masks):
        runs = runs_of(sheet, sheet.pixels)
        if len(runs.owners):
            begins = np.flatnonzero(np.diff(runs.owners, prepend=-1))
            members = runs.owners[begins]
            area[members], centroid[members], _ = _moments(runs, begins)
    return area, centroid


def _moments(runs: Runs, begins: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Areas, centroids and eccentricities of the masks whose runs begin at `begins`."""
    lengths = runs.stops - runs.starts
    sums_x = lengths * (runs.starts + runs.stops - 1) // 2
    squares_x = _squares_below(runs.stops) - _squares_below(runs.starts)
    parts = lengths, sums_x, lengths * runs.rows, squares_x, lengths * runs.rows**2, sums_x * runs.rows

    whole = [np.add.reduceat(part, begins) for part in parts]
    area, x, y, xx, yy, xy = (part.astype(np.float64) for part in whole)
    uu, vv, uv = (area * squares - product for squares, product in ((xx, x * x), (yy, y * y), (xy, x * y)))

    major, spread = uu + vv, np.hypot(uu - vv, 2 * uv)  # twice the mean and the difference of both axes'
    share = np.divide(2 * spread, major + spread, out=np.zeros_like(major), where=major > 0)
    return whole[0], np.stack([x / area, y / area], axis=1), np.sqrt(share)


def _squares_below(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 + 1 + 4 + ... + (end - 1)^2."""
    return (ends - 1) * ends * (2 * ends - 1) // 6


def _perimeters(sheet: Sheet, members: NDArray[np.int64], area: NDArray[np.int64]) -> Floats:
    """Crofton's formula: how often lines in four directions enter the mask.

    In each direction they enter as often as there are pixels without one before them in the mask.
    """
    order = np.argsort(members)
    entered = np.zeros(len(members))
    for down, right in ACROSS:
        runs = runs_of(sheet, sheet.shifted(down, right))
        place = order[np.searchsorted(members, runs.owners, sorter=order)]
        pairs = np.bincount(place, runs.stops - runs.starts, minlength=len(members))
        entered += (area - pairs) / np.hypot(down, right)
    return np.pi / 4 * entered
