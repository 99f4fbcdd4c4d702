"""Every form of image that a user may give: an array, a PIL image, a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.data import pixels
from irnet.data.image import Image, read_image
from irnet.errors import InputError

ImageLike = NDArray[np.uint8] | PIL.Image.Image | str | Path


def open_picture(image: ImageLike) -> Image:
    """Return the pixels of an array, a PIL image or a file, and what a file says of its scale."""
    if isinstance(image, str | Path):
        return read_image(image)
    if isinstance(image, PIL.Image.Image):
        rgb, notes = pixels.to_rgb(image)
        return Image(pixels=rgb, notes=tuple(notes))

    array: NDArray[Any] = np.asarray(image)
    if array.dtype == np.uint16:
        array, _ = pixels.scale_16bit(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]  # (H, W, 1) -> (H, W)

    if (
        array.dtype != np.uint8
        or 0 in array.shape
        or not (array.ndim == 2 or array.shape[2:] in ((3,), (4,)))
    ):
        raise InputError(
            f"an array of shape {array.shape} and type {array.dtype} is not an image: "
            "give (H, W), (H, W, 3) or (H, W, 4) of uint8 or uint16"
        )

    rgb, notes = pixels.to_rgb(PIL.Image.fromarray(array))
    return Image(pixels=rgb, notes=tuple(notes))
