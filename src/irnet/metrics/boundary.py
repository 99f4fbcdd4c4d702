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
from irnet.geometry.boxes import neighbours
from irnet.geometry.masks import as_window
from irnet.metrics.ratio import Ratio

BAND_UM = 1.0
BAND_PX = 4  # the same at the paper's 0.2529 um a pixel, for images of unknown scale

Mask = NDArray[np.bool_]


class MaskPair(NamedTuple):
    """A truth, its match and what other truths cover, in one window."""

    truth: Mask  # (h, w)
    pred: Mask  # (h, w)
    overlap: Mask  # (h, w)


def measure_boundaries(
    truths: Cells, preds: Cells, matches: NDArray[np.int64], mpp: float | None = None
) -> NDArray[np.float64]:
    """Mean distance, its 95th percentile and boundary IoU of each match, whole and in the overlap, (k, 2, 3).

    `matches` (k, 2) are truth and prediction of each. Distances are in um where `mpp` (um per pixel) is
    known, else in px. A truth without outline inside the overlap has nan there.
    """
    scale, band = (1.0, BAND_PX) if mpp is None else (mpp, max(1, round(BAND_UM / mpp)))
    figures = np.full((len(matches), 2, 3), np.nan)

    for row, pair in zip(figures, _pairs(truths, preds, matches), strict=True):
        points, distances = outline_distances(pair.truth, pair.pred)
        bands = inner_band(pair.truth, band), inner_band(pair.pred, band)

        row[0] = _figures(distances * scale, *bands)
        hidden = distances[pair.overlap[points[:, 0], points[:, 1]]]
        if len(hidden):
            row[1] = _figures(hidden * scale, bands[0] & pair.overlap, bands[1] & pair.overlap)
    return figures


def boundary_scores(figures: NDArray[np.float64], unit: str) -> dict[str, Ratio]:
    """Means over the matches of `figures` (k, 2, 3), what `measure_boundaries` returns.

    `unit` ("um" or "px") goes into the names.

    Without any match every score is undefined.
    """
    scores = {}
    for place, rows in zip(("", "_overlap"), figures.transpose(1, 0, 2), strict=True):
        known = rows[~np.isnan(rows[:, 0])]  # (matches with an outline there, 3)
        names = f"boundary_mean{place}_{unit}", f"boundary_p95{place}_{unit}", f"boundary_iou{place}"
        for name, total in zip(names, known.sum(axis=0), strict=True):
            scores[name] = Ratio(float(total), len(known))
    return scores


def outline_distances(a: Mask, b: Mask) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row and column of both masks' outline pixels, (k, 2), and their distance to the other outline, (k,) px.

    The masks (h, w) are of one window; neither may be empty.
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


def _pairs(truths: Cells, preds: Cells, matches: NDArray[np.int64]) -> Iterator[MaskPair]:
    mine, theirs = truths.boxes[matches[:, 0]], preds.boxes[matches[:, 1]]  # (k, 4)
    frames = np.concatenate([np.minimum(mine, theirs)[:, :2], np.maximum(mine, theirs)[:, 2:]], axis=1)
    for (t, p), frame, near in zip(matches.tolist(), frames, neighbours(frames, truths.boxes), strict=True):
        window = as_window(frame)
        overlap = truths.cover(near[near != t], window)
        yield MaskPair(truths.cover([t], window), preds.cover([p], window), overlap)
