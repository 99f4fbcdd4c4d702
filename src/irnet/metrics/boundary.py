"""How far the outlines of matched cells lie from the true ones, whole and inside the overlap.

An outline is the mask's pixels that touch (by a side) a pixel outside it; beyond the frame counts as outside.
The overlap of a truth is the area that other truths cover: there its outline is the hidden one.
Boundary IoU: Cheng et al., CVPR 2021, with a band of fixed width.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from scipy.spatial import KDTree

from irnet.cells import Cells
from irnet.metrics.ratio import Ratio
from irnet.metrics.window import as_window, cover, neighbours, view

BAND_UM = 1.0
BAND_PX = 4  # the same at the paper's 0.2529 um a pixel, for images of unknown scale

Mask = NDArray[np.bool_]


class Pair(NamedTuple):
    """A truth, its match and what other truths cover, in one window."""

    truth: Mask  # (h, w)
    pred: Mask  # (h, w)
    overlap: Mask  # (h, w)


def boundary_scores(
    truths: Cells, preds: Cells, matches: NDArray[np.int64], mpp: float | None = None
) -> dict[str, Ratio]:
    """Means over matched cells of each one's mean and 95th percentile of distance, and of its boundary IoU.

    Distances are in um where `mpp` (um per pixel) is known, else in px; the name says which. A cell without
    outline inside the overlap is left out of the scores there; without any match every score is undefined.
    """
    unit, scale = ("px", 1.0) if mpp is None else ("um", mpp)
    band = BAND_PX if mpp is None else max(1, round(BAND_UM / mpp))
    whole: list[tuple[float, ...]] = []
    inside: list[tuple[float, ...]] = []
    for pair in _pairs(truths, preds, matches):
        points, distances = outline_distances(pair.truth, pair.pred)
        bands = inner_band(pair.truth, band), inner_band(pair.pred, band)
        whole.append(_figures(distances * scale, *bands))
        hidden = distances[pair.overlap[points[:, 0], points[:, 1]]]
        if len(hidden):
            inside.append(_figures(hidden * scale, bands[0] & pair.overlap, bands[1] & pair.overlap))
    return _ratios(whole, "", unit) | _ratios(inside, "_overlap", unit)


def outline_distances(a: Mask, b: Mask) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row and column of both masks' outline pixels, (k, 2), and their distance to the other outline, (k,) px.

    Neither mask may be empty.
    """
    ours, theirs = np.argwhere(outline(a)), np.argwhere(outline(b))
    there, back = KDTree(theirs).query(ours)[0], KDTree(ours).query(theirs)[0]
    return np.concatenate([ours, theirs]), np.concatenate([there, back])


def outline(mask: Mask) -> Mask:
    """Pixels of the mask with a neighbour outside it, by side, (h, w).

    >>> outline(np.ones((3, 3), dtype=bool)).astype(int).tolist()
    [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    """
    padded = np.pad(mask, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~core


def inner_band(mask: Mask, width: int) -> Mask:
    """Pixels of the mask within `width` steps (sides and corners) of a pixel outside it, (h, w)."""
    core = minimum_filter(mask.astype(np.uint8), size=2 * width + 1, mode="constant", cval=0)
    return mask & (core == 0)


def _figures(distances: NDArray[np.float64], a: Mask, b: Mask) -> tuple[float, ...]:
    """Mean and 95th percentile of distance, and IoU of the bands (which hold the outlines)."""
    iou = np.count_nonzero(a & b) / np.count_nonzero(a | b)
    return float(distances.mean()), float(np.percentile(distances, 95)), iou


def _ratios(rows: list[tuple[float, ...]], place: str, unit: str) -> dict[str, Ratio]:
    names = f"boundary_mean{place}_{unit}", f"boundary_p95{place}_{unit}", f"boundary_iou{place}"
    sums = np.array(rows).reshape(-1, len(names)).sum(axis=0)
    return {name: Ratio(float(total), len(rows)) for name, total in zip(names, sums, strict=True)}


def _pairs(truths: Cells, preds: Cells, matches: NDArray[np.int64]) -> Iterator[Pair]:
    mine, theirs = truths.boxes[matches[:, 0]], preds.boxes[matches[:, 1]]  # (k, 4)
    frames = np.concatenate([np.minimum(mine, theirs)[:, :2], np.maximum(mine, theirs)[:, 2:]], axis=1)
    for (t, p), frame, near in zip(matches.tolist(), frames, neighbours(frames, truths.boxes), strict=True):
        window = as_window(frame)
        overlap = cover(truths, near[near != t], window) > 0
        yield Pair(view(truths, t, window), view(preds, p, window), overlap)
