"""The scale of an image: resampled to the network's where it is known, estimated from nuclei where it is not.

Nuclei of squamous cells differ little in size, and the network still finds them at half and at twice the
magnification that it was trained at. So what it finds at the image's own resolution tells the scale. An
estimate serves to resample; it never becomes um per pixel, or measurements would measure themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.cells import NO_PARENT, NUCLEUS, Cells, Truth

LEAST_NUCLEI = 5
CONFIDENT = 0.5  # least score of a nucleus that counts
ZOOMS = (0.5, 2.0)  # beyond these too little is found to estimate from
SAME_SIZE = 1.25  # nuclei larger or smaller by less are as in training, where magnifications vary too
USUAL_PX = (12, 80)  # median nuclei outside are told of

UNKNOWN = "um per pixel unknown"


class Scale(NamedTuple):
    """How an image of unknown um per pixel is to be taken."""

    zoom: float = 1.0  # px of the network's scale per image px
    estimated: bool = False
    notes: tuple[str, ...] = (f"{UNKNOWN}: taken at its own resolution",)


def estimate_scale(cells: Cells, nucleus_px: float) -> Scale:
    """Return the scale that makes the nuclei found at an image's own resolution `nucleus_px` wide.

    Counted are nuclei that are whole, of score 0.5 at least, and the best of their cell: white cells lie free
    or are several on one cell.
    """
    diameters = _diameters(cells.select(_best_of_cells(cells)))
    if len(diameters) < LEAST_NUCLEI:
        few = f"{len(diameters)} nuclei in cells are too few to estimate the scale"
        return Scale(notes=(f"{UNKNOWN}: taken at its own resolution, {few}",))
    median = float(np.median(diameters))
    zoom = float(np.clip(nucleus_px / median, *ZOOMS))
    if 1 / SAME_SIZE <= zoom <= SAME_SIZE:
        zoom = 1.0
    basis = f"scale estimated from {len(diameters)} nuclei, {median:.1f} px in the median"
    taken = "taken at its own resolution" if zoom == 1 else f"taken at {zoom:.2f} times its size"
    return Scale(zoom, True, (f"{UNKNOWN}: {basis}; {taken}", *_warn(median)))


def median_nucleus(truths: Iterable[Truth], mpp: float) -> float | None:
    """Return the median diameter (px) of whole nuclei in images resampled to `mpp`, None where they are few.

    An image of unknown um per pixel counts as it is, as in training.
    """
    diameters = [
        _diameters(truth.cells.of(NUCLEUS)) * ((truth.cells.mpp or mpp) / mpp if mpp else 1.0)
        for truth in truths
    ]
    joined = np.concatenate([[], *diameters])
    return float(np.median(joined)) if len(joined) >= LEAST_NUCLEI else None


def centre(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the middle of an (H, W, 3) image, at most `side` px high and wide: a view."""
    top, left = (max(0, length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image resampled to `size` (H, W), averaging where it shrinks."""
    height, width = size
    resized = PIL.Image.fromarray(image).resize((width, height), PIL.Image.Resampling.BILINEAR)
    return np.asarray(resized)


def resize_cells(cells: Cells, shape: tuple[int, int], mpp: float | None) -> Cells:
    """Return cells of another scale in a frame of `shape` (H, W)."""
    if cells.image_shape == shape:
        return dataclasses.replace(cells, mpp=mpp)
    factor = np.array([shape[1] / cells.image_shape[1], shape[0] / cells.image_shape[0]])
    crops, offsets = [], []
    for box, mask in zip(cells.boxes, cells.masks, strict=True):
        low = np.round(box[:2] * factor).astype(np.int64)
        high = np.maximum(np.round(box[2:] * factor).astype(np.int64), low + 1)
        high = np.minimum(high, shape[::-1])
        soft = PIL.Image.fromarray(mask.astype(np.uint8) * 255)
        width, height = (high - low).tolist()
        crop = soft.resize((width, height), PIL.Image.Resampling.BILINEAR)
        crops.append(np.asarray(crop) >= 128)
        offsets.append(low)
    return Cells.build(crops, offsets, cells.labels, shape, scores=cells.scores, mpp=mpp)


def _best_of_cells(cells: Cells) -> NDArray[np.int64]:
    """Return the indices of the confident nuclei that belong to a cell, of each cell the best."""
    linked = (cells.labels == NUCLEUS) & (cells.parents != NO_PARENT) & (cells.scores >= CONFIDENT)
    order = np.flatnonzero(linked)
    order = order[np.argsort(-cells.scores[order], kind="stable")]
    _, first = np.unique(cells.parents[order], return_index=True)
    return order[first]


def _diameters(cells: Cells) -> NDArray[np.float64]:
    """Return the diameters (px) of the discs as large as each instance that the border does not cut."""
    height, width = cells.image_shape
    boxes, areas = cells.boxes, cells.areas
    whole = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:] < (width, height)).all(axis=1)
    return np.sqrt(4 / np.pi * areas[whole & (areas > 0)])


def _warn(median: float) -> tuple[str, ...]:
    low, high = USUAL_PX
    if low <= median <= high:
        return ()
    return (f"nuclei of {median:.1f} px: outside {low} to {high} px outlines are poor, look at them",)
