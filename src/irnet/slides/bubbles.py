"""Air bubbles under the cover slip: round places that a thin, dark, colourless rim encloses.

They are looked for once for a slide, on places of some um, for most are wider than a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from irnet.slides.tissue import UNSCANNED, Tissue

_LEAST_UM, _MOST_UM = 90.0, 10_000.0  # diameter; one of 100 um measures a little less
_LEVELS = 6, 12, 25, 50  # hundredths of optical density above which a place may be rim, tried in turn
_WIDEST_UM = 80.0  # of a rim: strokes of a pen are wider
_AROUND = 1.5  # widest rims around a place that are looked at
_FILLED = 0.35  # of the box around it; of two discs side by side, aslant, .5
_ON_BORDER = 0.8  # of it lies between its ends at the border of the picture: then no rim but a straight line
_CONVEX, _CONVEX_SMALL = 0.8, 0.9  # of the area of its convex hull; of two discs that hardly meet .9
_SMALL_UM = 150.0  # diameter inside the rim: gaps between cells are as large, two bubbles are larger
_ROUND = 0.93  # of its area lies in discs of half its width
_BENT = 0.4  # turn of the rim, median over mean: of a disc 1, of what has corners 0
_SECTORS = 24
_RIDGE = 0.5  # of a rim's darkness in a sector, which the ground on both sides has at most
_CLOSED, _EVEN = 0.75, 0.5  # sectors with a rim; lower over upper quartile of their darkness
_COLOURLESS = 0.6  # of the rim's darkness; of pale smears .4
_THIN = 0.5  # of the diameter inside it
_STRIPES = 24

Mask = NDArray[np.bool_]
Grid = NDArray[np.uint8]


@dataclass(frozen=True)
class Bubble:
    """An air bubble with its rim.

    Args:
        diameter_um: of a disc as large as what is in the picture.
        stripes: boxes of which it consists, from above: x1, y1, x2, y2 in px of the finest level.
    """

    diameter_um: float
    stripes: tuple[tuple[int, int, int, int], ...]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 in px of the finest level."""
        x1, y1, x2, y2 = zip(*self.stripes, strict=True)
        return min(x1), min(y1), max(x2), max(y2)

    def area_in(self, box: Sequence[float]) -> float:
        """How much of it (px of the finest level) lies in a box."""
        ends = np.array(self.stripes, dtype=np.float64)
        sides = np.minimum(ends[:, 2:], box[2:]) - np.maximum(ends[:, :2], box[:2])
        return float(np.prod(np.clip(sides, 0, None), axis=1).sum())


@dataclass(frozen=True)
class _Place:
    """What a rim may enclose, in places of a slide, around which there is room."""

    top: int
    left: int
    inside: Mask  # (h, w) of the part that is cut out
    border: Mask  # where the picture ends
    dark: Grid  # of the palest channel
    grey: Grid  # what of it has no colour

    @property
    def area(self) -> int:
        return int(self.inside.sum())


def find_bubbles(tissue: Tissue, mpp: float) -> tuple[Bubble, ...]:
    """The bubbles of a slide of `mpp` um per pixel, the largest first."""
    um, dark = mpp * tissue.px, tissue.dark[..., 0]
    colour = np.where(tissue.dark[..., 1] > 2, tissue.dark[..., 1] - 2, 0)
    grey = np.where(dark == UNSCANNED, UNSCANNED, dark - np.minimum(dark, colour)).astype(np.uint8)
    found = [rimmed for place in _enclosed(dark, grey, um) if (rimmed := _rimmed(place, um)) is not None]

    bubbles, taken = [], np.zeros(dark.shape, dtype=np.bool_)
    for top, left, mask in sorted(found, key=lambda one: -int(one[2].sum())):
        here = taken[top : top + mask.shape[0], left : left + mask.shape[1]]
        if 2 * (here & mask).sum() <= mask.sum():  # otherwise it is the same once more, or a part
            here |= mask
            bubbles.append(_bubble(top, left, mask, tissue.px, um))
    return tuple(bubbles)


def _enclosed(dark: Grid, grey: Grid, um: float) -> Iterator[_Place]:
    """Places without holes that something dark encloses, and the border of the picture.

    What has no colour is the better rim; where cells lie on a rim, only what is dark has no gaps.
    """
    from scipy.ndimage import find_objects, label, maximum_filter, minimum_filter

    scanned, widest, around = dark != UNSCANNED, round(_WIDEST_UM / um), round(_AROUND * _WIDEST_UM / um)
    for values, level in ((values, level) for values in (grey, dark) for level in _LEVELS):
        rim = (values >= level) & scanned
        filled: NDArray = maximum_filter(minimum_filter(rim, widest), widest + 4, origin=widest % 2 - 1)
        solid = np.asarray(filled, dtype=np.bool_)
        free = ~_wider(rim & ~solid) & scanned
        numbers = np.zeros(free.shape, dtype=np.int32)
        label(free, output=numbers)
        areas = np.bincount(numbers.ravel())
        for number, (rows, columns) in enumerate(find_objects(numbers), 1):
            tall, wide, area = rows.stop - rows.start, columns.stop - columns.start, areas[number]
            if max(tall, wide) * um > _MOST_UM or area < max(
                _FILLED * tall * wide, (_LEAST_UM / 3 / um) ** 2
            ):
                continue
            top, left = max(0, rows.start - around), max(0, columns.start - around)
            part = slice(top, rows.stop + around), slice(left, columns.stop + around)
            inside = _wider(numbers[part] == number) & scanned[part]
            border = _border(scanned, part)
            if _hull(inside & border) <= _ON_BORDER * area:
                yield _Place(top, left, _filled(inside), border, dark[part], grey[part])


def _border(scanned: Mask, part: tuple[slice, slice]) -> Mask:
    """Where a part of the picture ends, or what was scanned of it."""
    (height, width), (rows, columns) = scanned.shape, part
    border = _wider(~scanned[part])
    border[0] |= rows.start == 0
    border[-1] |= rows.stop >= height
    border[:, 0] |= columns.start == 0
    border[:, -1] |= columns.stop >= width
    return border


def _wider(mask: Mask) -> Mask:
    """A mask and the pixels that touch it."""
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, np.ones((3, 3))), dtype=np.bool_)


def _filled(mask: Mask) -> Mask:
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(mask), dtype=np.bool_)


def _hull(mask: Mask) -> float:
    """The area of the convex hull of pixels."""
    from scipy.spatial import ConvexHull

    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.0
    corners = [np.stack([rows + down, columns + right], axis=1) for down in (0, 1) for right in (0, 1)]
    return float(ConvexHull(np.concatenate(corners)).volume)


def _rimmed(place: _Place, um: float) -> tuple[int, int, Mask] | None:
    """Where a bubble lies, its top, left and mask with the rim; None where it is none."""
    inside, around = place.inside, round(_AROUND * _WIDEST_UM / um)
    across = _diameter(inside, um)
    if place.area < (_CONVEX_SMALL if across < _SMALL_UM else _CONVEX) * _hull(inside):
        return None
    beyond = np.pad(inside, around, mode="edge")  # as it may go on where the picture ends
    cut = slice(around, -around), slice(around, -around)
    depth = _distance(beyond)
    width = float(depth[cut].max())
    if (_opened(depth, width)[cut] & inside).sum() < _ROUND * place.area or _bent(inside) < _BENT:
        return None

    away = _distance(~beyond)[cut]
    thickness = _thickness(place, away, depth[cut] > width / 4, um)
    if thickness is None or thickness > _THIN * across:
        return None
    whole = (away * um <= thickness) & (place.dark != UNSCANNED)
    rim = whole & ~inside
    if place.grey[rim].sum(dtype=int) < _COLOURLESS * place.dark[rim].sum(dtype=int):
        return None
    return (place.top, place.left, whole) if _diameter(whole, um) >= _LEAST_UM else None


def _opened(depth: NDArray, width: float) -> Mask:
    """What discs of half the width of a place fill, by how deep in it each pixel lies."""
    return _distance(depth <= width / 2) <= width / 2


def _distance(mask: Mask) -> NDArray[np.float64]:
    """How far each pixel of a mask is from the others."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(mask))


def _bent(inside: Mask) -> float:
    """How evenly the outline of a mask turns, without the border of the picture: median over mean."""
    from scipy.ndimage import gaussian_filter
    from skimage.measure import find_contours

    smooth: NDArray = gaussian_filter(inside.astype(np.float32), 1.0, mode="nearest")
    lines = find_contours(smooth, 0.5)
    arm = max(3, round(sum(map(len, lines)) / 20))  # points are about .8 px apart
    turns = []
    for line in lines:
        closed = bool((line[0] == line[-1]).all())
        points = np.concatenate([line, line[1 : 2 * arm + 1]]) if closed else line
        if len(points) <= 2 * arm:
            continue
        before, after = (
            points[arm:-arm] - points[: -2 * arm],
            points[2 * arm :] - points[arm:-arm],
        )
        cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
        turns.append(np.arctan2(cross, (before * after).sum(axis=1)))
    turned = np.concatenate([*turns, np.zeros(0)])
    mean = float(turned.mean()) if len(turned) else 0.0
    return float(np.median(turned)) / mean if mean else 0.0


def _thickness(place: _Place, away: NDArray, deep: Mask, um: float) -> float | None:
    """How thick (um) the rim around a place is; None where it has none, or too little of one.

    `away` is how far from it each pixel lies, `deep` what is well inside.
    """
    rows, columns = np.indices(place.inside.shape)
    middle_y, middle_x = np.argwhere(place.inside).mean(axis=0)
    turn = np.arctan2(rows - middle_y, columns - middle_x) / (2 * np.pi) + 0.5
    sector = np.minimum((_SECTORS * turn).astype(int), _SECTORS - 1)
    rings = round(_AROUND * _WIDEST_UM / um)
    seen = (away > 0) & (away <= rings) & (place.dark != UNSCANNED)

    bins = (sector * rings + np.ceil(away).astype(int) - 1)[seen]
    counts = np.bincount(bins, minlength=_SECTORS * rings).reshape(_SECTORS, rings)
    sums = np.bincount(bins, place.grey[seen], minlength=_SECTORS * rings).reshape(_SECTORS, rings)
    grey = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    grey = grey[~np.isnan(grey).any(axis=1)]  # the others end with the picture
    if len(grey) < _SECTORS / 4 or not deep.any():
        return None

    crest = grey[:, : round(_WIDEST_UM / 2 / um)].argmax(axis=1)
    darkness = grey[np.arange(len(grey)), crest]
    fallen = (grey <= _RIDGE * darkness[:, None]) & (np.arange(rings) > crest[:, None])
    thick = np.where(fallen.any(axis=1), fallen.argmax(axis=1), rings) * um
    ground = float(np.median(place.grey[deep]))
    ridge = (thick <= _WIDEST_UM) & (ground <= _RIDGE * darkness) & (darkness >= 0.8 * _LEVELS[0])
    low, middle, high = np.percentile(darkness, (25, 50, 75))
    bright = np.percentile(place.dark[deep], 25) <= _RIDGE * middle
    if ridge.mean() < _CLOSED or low < _EVEN * high or not bright:
        return None
    return float(np.median(thick[ridge]))


def _diameter(mask: Mask, um: float) -> float:
    return float(2 * um * (mask.sum() / np.pi) ** 0.5)


def _bubble(top: int, left: int, mask: Mask, px: float, um: float) -> Bubble:
    rows = np.flatnonzero(mask.any(axis=1))
    ends = np.unique(np.linspace(rows[0], rows[-1] + 1, min(_STRIPES, len(rows)) + 1).astype(int))
    first, last = mask.argmax(axis=1), mask.shape[1] - mask[:, ::-1].argmax(axis=1)
    stripes = []
    for y1, y2 in pairwise(ends.tolist()):
        sides = left + first[y1:y2].mean(), top + y1, left + last[y1:y2].mean(), top + y2
        x1, y1, x2, y2 = (round(float(side) * px) for side in sides)
        stripes.append((x1, y1, x2, y2))
    return Bubble(round(_diameter(mask, um), 1), tuple(stripes))
