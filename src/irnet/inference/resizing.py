"""Images and cells resampled to another size."""

from __future__ import annotations

import dataclasses

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.config import ModelSettings
from irnet.data.memory import check_room

_COPIED = 4  # bytes a pixel in Pillow: of a copy of the image, what is resampled across, and the result


def zoomed_shape(shape: tuple[int, int], zoom: float) -> tuple[int, int]:
    """Return the (H, W) of an image of `shape` taken at `zoom` times its size."""
    return max(1, round(shape[0] * zoom)), max(1, round(shape[1] * zoom))


def network_shape(shape: tuple[int, int], model: ModelSettings) -> tuple[int, int]:
    """Return the (H, W) at which the network sees an image of `shape` (see `ImageBatch`)."""
    if not model.min_size:
        return shape
    scale = min(model.min_size / min(shape), model.max_size / max(shape))
    return int(shape[0] * scale), int(shape[1] * scale)


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image resampled to `size` (H, W), averaging where it shrinks.

    Raises InputError where memory is too small for that.
    """
    height, width = size
    high, wide = image.shape[:2]
    held = _COPIED * (high * wide + high * width + height * width) + 3 * height * width
    check_room(held, f"an image of {high * wide / 1e6:.0f} megapixels", f"resample to {width} x {height} px")
    resized = PIL.Image.fromarray(image).resize((width, height), PIL.Image.Resampling.BILINEAR)
    return np.asarray(resized)


def resize_cells(cells: Cells, shape: tuple[int, int], mpp: float | None) -> Cells:
    """Return cells of another scale in a frame of `shape` (H, W)."""
    if cells.image_shape == shape:
        return dataclasses.replace(cells, mpp=mpp)
    factor = np.array([shape[1] / cells.image_shape[1], shape[0] / cells.image_shape[0]])  # of x, of y

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
