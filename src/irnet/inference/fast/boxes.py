"""An image and its boxes in NumPy: what `models` does with tensors around the parts that are graphs.

Boxes are xyxy px, float32; each function gives what its namesake in `models` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.models.constants import CANONICAL, LEVELS, MOST_GROWTH, SIGMA

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


class View(NamedTuple):
    """A view of an image; each one undoes itself (`models.views.View`)."""

    axes: tuple[int, ...] = ()  # that are mirrored: -1 is x, -2 is y
    transposed: bool = False  # instead

    def turn(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Return a picture or masks (..., H, W) in the view, or back from it."""
        return picture.swapaxes(-1, -2) if self.transposed else np.flip(picture, self.axes)

    def turn_boxes(self, boxes: Floats, size: tuple[int, int]) -> Floats:
        """Return boxes (..., 4) of an image of `size` (H, W) in the view, or back from it."""
        if self.transposed:
            return boxes[..., [1, 0, 3, 2]]

        turned = boxes.copy()
        for axis, low in ((-1, 0), (-2, 1)):
            if axis in self.axes:
                turned[..., low] = size[axis] - boxes[..., low + 2]
                turned[..., low + 2] = size[axis] - boxes[..., low]
        return turned


VIEWS = (View(), View((-1,)), View((-2,)), View(transposed=True))


def resample(channel: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return a channel (H, W) resized to `size` between its nearest pixels, as `ImageBatch` does."""
    for axis, length in enumerate(size):
        if channel.shape[axis] == length:
            continue

        step = channel.shape[axis] / length
        place = np.maximum((np.arange(length, dtype=np.float32) + 0.5) * step - 0.5, 0)
        low = place.astype(np.int64)
        high = np.minimum(low + 1, channel.shape[axis] - 1)
        share = np.expand_dims((place - low).astype(np.float32), 1 - axis)
        channel = channel.take(low, axis) * (1 - share) + channel.take(high, axis) * share
    return channel


def best(scores: Floats, count: int) -> Places:
    """Return the places of the `count` highest of scores (n,), best first."""
    if count >= len(scores):
        return np.argsort(-scores, kind="stable")
    chosen = np.argpartition(-scores, count)[:count]
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def anchor_shapes(size: float, ratios: Sequence[float]) -> Floats:
    """Return the anchors (a, 4) about the origin, of one size (px) and of ratios height over width."""
    height = np.sqrt(np.asarray(ratios, np.float32))
    half = np.stack([np.float32(size) / height, np.float32(size) * height], axis=1) / np.float32(2)
    return np.round(np.concatenate([-half, half], axis=1))


def lay(shapes: Floats, index: Places, *, columns: int, stride: int) -> Floats:
    """Return the anchors (n, 4) of a level by index (n,): rows of `columns` places, all `shapes` in each."""
    place, shape = np.divmod(index, len(shapes))
    y, x = np.divmod(place, columns)
    return shapes[shape] + (np.stack([x, y, x, y], axis=1) * stride).astype(np.float32)


def decode(codes: Floats, boxes: Floats, weights: tuple[float, float]) -> Floats:
    """Return the boxes (..., 4) that `codes` (..., 4) stand for, seen from `boxes`."""
    centre_weight, size_weight = (np.float32(weight) for weight in weights)
    side = boxes[..., 2:] - boxes[..., :2]
    centre = codes[..., :2] / centre_weight * side + (boxes[..., :2] + np.float32(0.5) * side)
    half = np.float32(0.5) * (
        np.exp(np.minimum(codes[..., 2:] / size_weight, np.float32(MOST_GROWTH))) * side
    )
    return np.concatenate([centre - half, centre + half], axis=-1, dtype=np.float32)


def clip(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Return boxes (..., 4) cut to an image of `size` (H, W)."""
    height, width = size
    return np.clip(boxes, np.float32(0), np.array([width, height, width, height], np.float32))


def are_real(boxes: Floats, smallest: float) -> NDArray[np.bool_]:
    """Tell which boxes (n, 4) are as wide and as high as `smallest`, (n,)."""
    return np.all(boxes[:, 2:] - boxes[:, :2] >= smallest, axis=1)


def enlarge(boxes: Floats, factor: float) -> Floats:
    """Return boxes (n, 4) of the same centres and `factor` times the sides."""
    margin = (boxes[:, 2:] - boxes[:, :2]) * np.float32((factor - 1) / 2)
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1, dtype=np.float32)


def level_of(boxes: Floats) -> Places:
    """Return the level of the pyramid, from 0 on, that each of boxes (n, 4) is pooled from, (n,)."""
    side, level = CANONICAL
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    with np.errstate(divide="ignore"):  # a box without area is of the first level
        place = np.floor(level + np.log2(np.sqrt(area) / np.float32(side)) + np.float32(1e-6))
    return np.clip(place, 0, LEVELS - 1).astype(np.int64)


def soften(boxes: Floats, scores: Floats) -> Floats:
    """Return the scores (n,) of boxes (n, 4) after Gaussian soft-NMS."""
    damping = np.exp(-(overlap(boxes) ** 2) / np.float32(SIGMA))
    scores, waiting = scores.copy(), np.ones(len(scores), dtype=bool)
    for _ in range(len(scores)):
        first = np.where(waiting, scores, -1).argmax()
        waiting[first] = False
        scores[waiting] *= damping[first, waiting]
    return scores


def overlap(boxes: Floats) -> Floats:
    """Return the intersection over union of boxes (n, 4) with each other, (n, n)."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    area = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    return shared / np.maximum(area[:, None] + area[None, :] - shared, np.finfo(np.float32).tiny)
