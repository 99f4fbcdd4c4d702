"""What speaks against a nucleus belonging to a cell: five terms for each pair that is possible at all."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.geometry.sheets import Sheet, sheets
from irnet.morphometry.shape import measure_places

Mask = NDArray[np.bool_]
Terms = NDArray[np.float64]
Places = NDArray[np.float64]

LEAST_INSIDE = 0.5  # a cell that holds less of a nucleus is not its cell
USUAL_RATIO = 0.04  # nucleus / cell: the median of generated smears
LEAST_SCORE = 0.01
FEW = 2**18  # pixels that distances are taken in at a time
FINE_ENOUGH = 64  # px a side: larger cells are thinned before the distance to their outline is taken

TERMS = ("outside", "shallow", "off_centre", "unusual_size", "doubtful")


class CandidateLinks(NamedTuple):
    """Pairs of a nucleus and a cell that holds at least half of it."""

    nuclei: NDArray[np.int64]  # (k,) index into the instances, ascending
    cells: NDArray[np.int64]  # (k,)
    terms: Terms  # (k, 5), in the order of TERMS, each 0 at its best


def find_candidates(cells: Cells) -> CandidateLinks:
    """All pairs of `cells` that are possible, with their terms.

    - outside: share of the nucleus that lies outside of the cell
    - shallow: 1 - (distance of the nucleus's centroid from the cell's outline / the largest such distance of
      any point of the cell); the edge of the frame is no outline
    - off_centre: distance of the centroids over the radius of a disc of the cell's area
    - unusual_size: squared log of (area ratio / USUAL_RATIO)
    - doubtful: -log of the cell's score
    """
    areas, centres = measure_places(cells.masks)
    centres += cells.offsets  # (n, 2)
    owners, nuclei = (np.flatnonzero((cells.labels == label) & (areas > 0)) for label in (CYTOPLASM, NUCLEUS))

    # A nucleus and each cell that holds at least half of it.
    pairs, shared = cells.select(nuclei).shared_pixels(cells.select(owners))
    inside = shared / areas[nuclei[pairs[:, 0]]]  # (pairs,)
    pairs, inside = pairs[inside >= LEAST_INSIDE], inside[inside >= LEAST_INSIDE]

    mine, theirs = nuclei[pairs[:, 0]], owners[pairs[:, 1]]
    apart = np.hypot(*(centres[mine] - centres[theirs]).T)

    terms = [
        1 - inside,
        1 - _depths(cells, centres[mine], theirs),
        apart / np.sqrt(areas[theirs] / np.pi),
        np.log(areas[mine] / areas[theirs] / USUAL_RATIO) ** 2,
        -np.log(np.maximum(cells.scores[theirs], LEAST_SCORE)),
    ]
    return CandidateLinks(mine, theirs, np.stack(terms, axis=1))


def _depths(cells: Cells, points: Places, owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """How deep in its cell of `owners` (k,) each point (k, 2) lies: 0 outside and on the outline, to 1."""
    which, of = np.unique(owners, return_inverse=True)
    steps = np.array([-(-max(cells.masks[index].shape) // FINE_ENOUGH) for index in which], dtype=np.int64)
    thin = [cells.masks[i][::step, ::step] for i, step in zip(which.tolist(), steps.tolist(), strict=True)]

    last = np.array([mask.shape[::-1] for mask in thin], dtype=np.int64).reshape(-1, 2)[of] - 1
    places = np.round((points - cells.offsets[owners]) / steps[of, None]).astype(np.int64)
    places = np.clip(places, 0, last)  # (k, 2) x, y

    depths, whole = np.zeros(len(owners)), ~cells.at_border[which]
    for sheet in sheets(
        [mask if inside else mask[:0] for mask, inside in zip(thin, whole, strict=True)], FEW
    ):
        mine, x, y = _on_sheet(sheet, of, places)
        squares = _squared_distances(sheet)
        largest = np.maximum.reduceat(squares.reshape(-1, sheet.width).max(axis=1), sheet.tops)
        row = np.searchsorted(sheet.tops, y, side="right") - 1
        depths[mine] = np.sqrt(squares[y * sheet.width + x] / largest[row])

    for place in np.flatnonzero(~whole).tolist():
        mine = np.flatnonzero(of == place)
        x, y = places[mine].T
        depths[mine] = _depth_field(thin[place], _sides_inside(cells, int(which[place])))[y, x]
    return depths


def _on_sheet(
    sheet: Sheet, of: NDArray[np.int64], places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which of the places (k, 2) in masks `of` (k,) are in masks of a sheet, and their x and y on it."""
    tops = np.full(int(of.max()) + 1, -1)
    tops[sheet.members] = sheet.tops
    mine = np.flatnonzero(tops[of] >= 0)
    return mine, places[mine, 0], places[mine, 1] + tops[of[mine]]


def _squared_distances(sheet: Sheet) -> NDArray[np.int32]:
    """Squared distance of each pixel from the background, (rows * width,)."""
    pixels, every = sheet.pixels, np.arange(len(sheet.pixels), dtype=np.int32)
    before = np.maximum.accumulate(np.where(pixels, 0, every))
    after = np.minimum.accumulate(np.where(pixels, len(every), every)[::-1])[::-1]
    across = np.minimum(every - before, after - every) ** 2  # in its row

    nearest, rows = across.copy(), 1
    while rows**2 < nearest.max():
        step = rows * sheet.width
        for here, there in ((nearest[step:], across[:-step]), (nearest[:-step], across[step:])):
            np.minimum(here, there + rows**2, out=here)
        rows += 1
    return nearest


def _depth_field(mask: Mask, sides: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Distance of each pixel from the outline over the largest one, (h, w); 1 where there is no outline."""
    padded = np.pad(mask, sides)
    if padded.all():
        return np.ones(mask.shape)
    distance = np.asarray(distance_transform_edt(padded))
    (top, _), (left, _) = sides
    return distance[top : top + mask.shape[0], left : left + mask.shape[1]] / distance.max()


def _sides_inside(cells: Cells, index: int) -> list[tuple[int, int]]:
    """1 for each side of a crop that is not the frame's: ((top, bottom), (left, right))."""
    (x, y), (h, w), (height, width) = cells.offsets[index], cells.masks[index].shape, cells.image_shape
    return [(int(y > 0), int(y + h < height)), (int(x > 0), int(x + w < width))]
