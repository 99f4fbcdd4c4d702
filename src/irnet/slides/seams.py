"""Cells of a large image from windows of it: each cell belongs to one window by rule, nothing is merged.

A candidate belongs to the window whose core holds the centre of its box. All owned candidates then go
through one suppression for the whole image. Let D be the longest side of a cell's box and R the
distance at which the window's edge still changes a candidate. With a halo of at least D / 2 + R the answer
equals that of the whole image in one piece: the owning window sees the cell as the whole image does, and no
other window may own it. Suppression inside single windows is not exact at any halo, for its chains can be
longer than a window.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.errors import InputError
from irnet.geometry import boxes as geometry
from irnet.progress import each
from irnet.slides.windows import plan_windows
from irnet.wording import number_of

LEAST_HALO = 256  # px at the network's scale: half of a 100 um cell at 0.37 um a pixel, and its context

FindCandidates = Callable[[NDArray[np.uint8]], Cells]
Suppress = Callable[[Cells, NDArray[np.int64]], NDArray[np.int64]]  # candidates, their windows (n,) -> kept
Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in px of the image


@dataclass
class WindowNotes:
    """What happened on the way, to be shown to the user."""

    windows: int = 0  # that were looked at
    blank: int = 0  # that hold nothing
    widened: int = 0  # windows looked at again with twice the halo
    truncated: int = 0  # owned cells that a window's edge cut even so

    def notes(self) -> tuple[str, ...]:
        """Sentences about what the user should know; none when all went well."""
        if not self.truncated:
            return ()
        return (f"{number_of(self.truncated, 'cell')} larger than a window, and cut: use a larger halo",)


def segment_windows(
    segment: FindCandidates,
    image: NDArray[np.uint8],
    *,
    core: int,
    halo: int,
    suppress: Suppress,
    least_halo: int = LEAST_HALO,
    tally: WindowNotes | None = None,
    where: Callable[[Box], Box | None] | None = None,
) -> Cells:
    """Cells of an (H, W, 3) image at the network's scale, found window by window.

    `segment` returns the scored candidates of a window before their last suppression; it must not rescale
    the window or normalise it by its own statistics. `suppress` returns the indices of those that stay of all
    candidates of the image: `survivors`, or `survivors_at_seams` where each window suppressed its own.
    `where` tells of a core the box that holds the centres of all its cells, None where it has none: what
    lies outside is not looked at. `tally` is filled in. Links between candidates of different windows are
    unknown here: link nuclei to cells afterwards.

    Raises InputError when a window would start off the feature grid or the halo is below `least_halo`.
    """
    if halo < least_halo:
        raise InputError(f"halo {halo} px is too small to see whole cells across seams: use {least_halo} px")
    tally = WindowNotes() if tally is None else tally

    parts, cut = [Cells.empty(image.shape[:2])], []
    for planned in each([*plan_windows(image.shape[:2], core=core, halo=halo)], "window"):
        box = where(planned.core) if where else planned.core
        window = planned.around(box, halo) if box else None
        if window is None:
            tally.blank += 1
            continue

        owned = window.owned(segment(window.cut_out(image)))
        if window.truncates(owned.boxes).any():
            window = window.widen(2 * halo)
            owned = window.owned(segment(window.cut_out(image)))
            tally.widened += 1
        parts.append(owned)
        cut.append(window.truncates(owned.boxes))
        tally.windows += 1

    candidates = Cells.concat(parts)
    kept = suppress(candidates, np.repeat(np.arange(len(parts)), [len(part) for part in parts]))
    tally.truncated += int(np.concatenate([*cut, np.zeros(0, bool)])[kept].sum())
    return candidates.select(kept)


def survivors(cells: Cells, *, nms: Mapping[int, float]) -> NDArray[np.int64]:
    """Indices (n,) that greedy suppression by mask IoU keeps, best first.

    An instance goes when a kept one of its class and of higher rank overlaps it by more than `nms[label]`.
    As the rank is a total order (`by_rank`), the answer depends on the set of candidates alone.
    """
    pairs, shared = cells.shared_pixels(cells)  # (k, 2), (k,)
    return _greedy(cells, pairs, shared, cells.areas, nms)


def survivors_at_seams(
    cells: Cells, owners: NDArray[np.int64], *, nms: Mapping[int, float]
) -> NDArray[np.int64]:
    """The same where boxes are compared, and were inside of windows: of pairs of two `owners` (n,) alone.

    Masks of cells in a heap overlap by more than their boxes: comparing them too would lose cells that the
    image in one piece keeps.
    """
    boxes = cells.boxes
    pairs = geometry.overlapping_pairs(boxes, boxes)  # (k, 2)
    pairs = pairs[owners[pairs[:, 0]] != owners[pairs[:, 1]]]
    first, second = (boxes[some] for some in pairs.T)
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    return _greedy(cells, pairs, sides.prod(axis=1), geometry.area(boxes), nms)


def _greedy(
    cells: Cells, pairs: NDArray[np.int64], shared: NDArray, areas: NDArray, nms: Mapping[int, float]
) -> NDArray[np.int64]:
    """Indices that stay, best first, of pairs (k, 2) in both orders that share so much (k,) of areas (n,)."""
    i, j = pairs.T
    limits = np.array([nms[int(label)] for label in cells.labels])
    overlap = shared / (areas[i] + areas[j] - shared)
    too_much = (cells.labels[i] == cells.labels[j]) & (overlap > limits[i])
    bounds = np.searchsorted(i[too_much], np.arange(1, len(cells)))
    rivals = np.split(j[too_much], bounds)[: len(cells)]

    order = by_rank(cells.scores, cells.labels, cells.boxes, cells.areas)
    alive = np.ones(len(cells), dtype=bool)
    for place in order:
        if alive[place]:
            alive[rivals[place]] = False
            alive[place] = True  # it may be among its own rivals
    return order[alive[order]]


def by_rank(scores: NDArray, labels: NDArray, boxes: NDArray, areas: NDArray) -> NDArray[np.int64]:
    """Indices (n,) of candidates, the best first: a total order, by score, then label, place and size."""
    x1, y1, x2, y2 = boxes.T
    return np.lexsort((areas, y2, x2, y1, x1, labels, -scores))
