"""Augmentation: one affine warp of the image, and masks warped inside their own boxes.

A window is a square of `size` px cut out of the warped image. Every draw comes from the generator passed in.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from irnet.cells import Cells
from irnet.config import AugmentSettings
from irnet.geometry import boxes as geometry

Pixels = NDArray[np.uint8]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Warp:
    """An affine map of image pixels to the pixels of a window: q = linear p + shift, corners at integers."""

    linear: Array  # (2, 2)
    shift: Array  # (2,)
    size: int  # side of the window, px

    def __call__(self, points: Array) -> Array:
        """Points (n, 2) x, y of the image, in the window."""
        return points @ self.linear.T + self.shift

    def source(self) -> Array:
        """Extent of the window in the image, (4,): x1, y1, x2, y2 in px."""
        corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) * self.size
        points = (corners - self.shift) @ self.back.T
        return np.concatenate([points.min(axis=0), points.max(axis=0)])

    @cached_property
    def back(self) -> NDArray[np.floating]:
        """The inverse of `linear`, (2, 2)."""
        return np.linalg.inv(self.linear)

    @cached_property
    def growth(self) -> float:
        """Area in the window of a pixel of the image."""
        return abs(float(np.linalg.det(self.linear)))

    def inverse(self, origin: Array, step: Array) -> tuple[float, ...]:
        """The six coefficients by which PIL finds, for pixel u of a raster, the image's point.

        The raster's pixel u lies at `origin + step * u` in the window; all three are (2,).
        """
        (a, b), (d, e) = (self.back * step).tolist()
        c, f = (self.back @ (origin - self.shift)).tolist()
        return a, b, c, d, e, f


def draw_warp(
    rng: Generator,
    shape: tuple[int, ...],
    boxes: Array,
    *,
    size: int,
    zoom: float = 1.0,
    augmentation: AugmentSettings,
) -> Warp:
    """A random warp of an image of `shape` (H, W, ...) to a window of `size` px.

    `zoom` is the scale that every item gets, before augmentation. The window stays inside the image where it
    fits, and holds all of the image where it does not. `boxes` (n, 4) are those of the instances.
    """
    linear = _draw_linear(rng, zoom, augmentation)
    back = np.linalg.inv(linear)

    extent = np.array([shape[1], shape[0]], dtype=np.float64)
    centre = rng.random(2) * extent
    focused = rng.random() < augmentation.focus
    if focused and len(boxes):
        box = boxes[rng.integers(len(boxes))]
        centre = (box[:2] + box[2:]) / 2 + back @ (rng.uniform(-0.5, 0.5, 2) * size)

    reach = np.abs(back).sum(axis=1) * size / 2  # half of the window's extent in the image
    centre = np.clip(centre, np.minimum(reach, extent - reach), np.maximum(reach, extent - reach))
    return Warp(linear, size / 2 - linear @ centre, size)


def _draw_linear(rng: Generator, zoom: float, augmentation: AugmentSettings) -> Array:
    scale = zoom * np.exp(rng.uniform(*np.log(augmentation.scale)))
    turns = rng.integers(4) if augmentation.quarter_turns else 0
    angle = np.radians(rng.uniform(-augmentation.rotation, augmentation.rotation))
    angle = angle if rng.random() < augmentation.tilt else 0.0

    side = -1 if augmentation.mirror and rng.random() < 0.5 else 1
    quarter = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), int(turns))  # exact, unlike cos(pi / 2)
    tilt = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * tilt @ quarter @ np.diag([side, 1])


def warp_image(image: Pixels, warp: Warp) -> Pixels:
    """The window (size, size, 3), bilinear; what lies outside the image gets its median colour."""
    fill = np.median(image[::8, ::8], axis=(0, 1)).astype(np.uint8)
    upright = np.count_nonzero(warp.linear) == 2
    return _scale(image, warp, fill) if upright else _transform(image, warp, fill)


def _scale(image: Pixels, warp: Warp, fill: Pixels) -> Pixels:
    """The window of a warp without tilt: twice as fast, and pixels are averaged where it shrinks."""
    source = warp.source()
    height, width = image.shape[:2]
    margin = int(np.ceil(max(0, -source.min(), source[2] - width, source[3] - height)))
    if margin:
        canvas = np.broadcast_to(fill, (height + 2 * margin, width + 2 * margin, 3)).copy()
        canvas[margin:-margin, margin:-margin] = image
        image, source = canvas, source + margin

    box = (float(source[0]), float(source[1]), float(source[2]), float(source[3]))
    side = (warp.size, warp.size)
    window = np.asarray(Image.fromarray(image).resize(side, Image.Resampling.BILINEAR, box=box))

    if warp.linear[0, 0] == 0:
        window = window.transpose(1, 0, 2)  # a quarter turn swaps x and y
    x_step, y_step = np.sign(warp.linear.sum(axis=1)).astype(int)
    return np.ascontiguousarray(window[::y_step, ::x_step])


def _transform(image: Pixels, warp: Warp, fill: Pixels) -> Pixels:
    scale = np.sqrt(warp.growth)
    if scale < 0.75:  # sampling would skip pixels: shrink with averaging first
        height, width = image.shape[:2]
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(Image.fromarray(image).resize(small, Image.Resampling.BILINEAR))
        warp = Warp(warp.linear * [width / small[0], height / small[1]], warp.shift, warp.size)

    window = Image.fromarray(image).transform(
        (warp.size, warp.size),
        Image.Transform.AFFINE,
        warp.inverse(np.zeros(2), np.ones(2)),
        Image.Resampling.BILINEAR,
        fillcolor=tuple(fill.tolist()),
    )
    return np.asarray(window)


def warp_masks(
    cells: Cells, warp: Warp, *, resolution: int, min_share: float, min_pixels: float
) -> tuple[Array, Pixels, NDArray[np.int64]]:
    """Instances of the window: boxes (n, 4), masks (n, resolution, resolution) and their indices in `cells`.

    A box is tight around what the window shows of the instance. Each mask fills its box, 0 outside and 255
    inside the instance. Kept is what shows at least `min_share` of the instance and `min_pixels` of its area.
    """
    extents = _extents(cells.boxes, warp)
    meeting = geometry.area(geometry.clip(extents, warp.size, warp.size)) > 0
    whole = (extents.min(axis=1) >= 0) & (extents.max(axis=1) <= warp.size)

    boxes, masks, kept = [], [], []
    for i in np.flatnonzero(meeting):
        mask, offset = cells.masks[i], cells.offsets[i]
        shown = mask if whole[i] else mask & _inside(mask.shape, offset, warp)

        pixels = np.count_nonzero(shown)
        hidden = not whole[i] and pixels < min_share * np.count_nonzero(mask)
        if not pixels or hidden or pixels * warp.growth < min_pixels:
            continue

        box = _tight_box(shown, offset, warp)
        boxes.append(box)
        masks.append(_resample(mask, offset, box, warp, resolution))
        kept.append(i)

    shape = (len(kept), resolution, resolution)
    return geometry.as_boxes(boxes), np.array(masks, np.uint8).reshape(shape), np.array(kept, np.int64)


def warp_boxes(boxes: Array, warp: Warp) -> Array:
    """Extents of boxes (n, 4) in the window, cut to it; those outside are dropped, (m, 4)."""
    moved = geometry.clip(_extents(boxes, warp), warp.size, warp.size)
    return moved[geometry.area(moved) > 0]


def _extents(boxes: Array, warp: Warp) -> Array:
    corners = warp(boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 2)).reshape(-1, 4, 2)  # (n, corners, xy)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _inside(shape: tuple[int, ...], offset: NDArray, warp: Warp) -> NDArray[np.bool_]:
    """Pixels of a crop of `shape` at `offset` whose centres the window shows."""
    y, x = (np.arange(side) + start + 0.5 for side, start in zip(shape, offset[::-1], strict=True))
    inside = np.ones(shape, dtype=bool)
    for (by_x, by_y), shift in zip(warp.linear, warp.shift, strict=True):
        place = by_x * x + (by_y * y + shift)[:, None]
        inside &= (place >= 0) & (place < warp.size)
    return inside


def _tight_box(shown: NDArray, offset: NDArray, warp: Warp) -> Array:
    """Box in the window of the pixels `shown` of a crop."""
    places = warp(_row_ends(shown) + (offset + 0.5))
    half = np.abs(warp.linear).sum(axis=1) / 2  # half of a source pixel's extent in the window
    return np.concatenate([places.min(axis=0) - half, places.max(axis=0) + half]).clip(0, warp.size)


def _row_ends(mask: NDArray) -> NDArray[np.int64]:
    """The first and the last pixel of each row, x and y: among them are the extremes under any warp."""
    first, last = mask.argmax(axis=1), mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    y = np.flatnonzero(mask[np.arange(len(mask)), first])
    ends = np.empty((2, len(y), 2), dtype=np.int64)
    ends[0, :, 0], ends[1, :, 0], ends[..., 1] = first[y], last[y], y
    return ends.reshape(-1, 2)  # (2 rows, 2)


def _resample(mask: NDArray, offset: NDArray, box: Array, warp: Warp, resolution: int) -> Pixels:
    """A mask's crop sampled on the raster that fills `box` of the window."""
    a, b, c, d, e, f = warp.inverse(box[:2], (box[2:] - box[:2]) / resolution)
    coefficients = (a, b, c - offset[0], d, e, f - offset[1])
    crop = Image.fromarray(mask.view(np.uint8) * np.uint8(255))
    side = (resolution, resolution)
    return np.asarray(crop.transform(side, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR))
