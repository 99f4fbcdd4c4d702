"""What speaks against a nucleus belonging to a cell: five terms for each pair that is possible at all."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from irnet.cells import CYTOPLASM, NUCLEUS, Cells

Mask = NDArray[np.bool_]
Terms = NDArray[np.float64]

LEAST_INSIDE = 0.5  # a cell that holds less of a nucleus is not its cell
USUAL_RATIO = 0.04  # nucleus / cell: the median of generated smears
LEAST_SCORE = 0.01
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
    owners, nuclei = (
        np.flatnonzero((cells.labels == label) & (cells.areas > 0)) for label in (CYTOPLASM, NUCLEUS)
    )

    # A nucleus and each cell that holds at least half of it.
    areas = cells.areas.astype(np.float64)
    pairs, shared = cells.select(nuclei).shared_pixels(cells.select(owners))
    inside = shared / areas[nuclei[pairs[:, 0]]]  # (pairs,)
    pairs, inside = pairs[inside >= LEAST_INSIDE], inside[inside >= LEAST_INSIDE]

    mine, theirs = nuclei[pairs[:, 0]], owners[pairs[:, 1]]
    centres = np.array([_centre(cells, index) for index in range(len(cells))]).reshape(-1, 2)  # (n, 2)
    apart = np.hypot(*(centres[mine] - centres[theirs]).T)

    terms = [
        1 - inside,
        1 - _depths(cells, centres[mine], theirs),
        apart / np.sqrt(areas[theirs] / np.pi),
        np.log(areas[mine] / areas[theirs] / USUAL_RATIO) ** 2,
        -np.log(np.maximum(cells.scores[theirs], LEAST_SCORE)),
    ]
    return CandidateLinks(mine, theirs, np.stack(terms, axis=1))


def _centre(cells: Cells, index: int) -> NDArray[np.float64]:
    """Centroid (x, y) of an instance; of one without pixels its offset."""
    mask, offset = cells.masks[index], cells.offsets[index]
    if not mask.any():
        return offset.astype(np.float64)

    columns, rows = mask.sum(axis=0), mask.sum(axis=1)
    x, y = columns @ np.arange(len(columns)), rows @ np.arange(len(rows))
    return offset + np.array([x, y]) / columns.sum()


def _depths(cells: Cells, points: NDArray[np.float64], owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """How deep in its cell of `owners` (k,) each point (k, 2) lies: 0 outside and on the outline, to 1."""
    depths = np.zeros(len(owners))
    order = np.argsort(owners, kind="stable")

    # The points of one cell together, so that its distances are taken once.
    for mine in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1) if len(owners) else []:
        owner = int(owners[mine[0]])
        mask, offset = cells.masks[owner], cells.offsets[owner]

        step = -(-max(mask.shape) // FINE_ENOUGH)
        field = _depth_field(mask[::step, ::step], _sides_inside(cells, owner))
        places = np.round((points[mine] - offset) / step).astype(np.int64)
        x, y = np.clip(places, 0, np.array(field.shape[::-1]) - 1).T
        depths[mine] = field[y, x]
    return depths


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
