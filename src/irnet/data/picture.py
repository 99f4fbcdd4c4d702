"""Every form of image that a user may give: an array, a PIL image, a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.data import pixels
from irnet.data.image import Image, header_mpp, read_image
from irnet.errors import InputError

ImageLike = NDArray[np.uint8] | PIL.Image.Image | str | Path


def is_picture(image: Any) -> TypeGuard[ImageLike]:
    """Whether it is one image, and not several: a path, or what NumPy sees as an array."""
    array = hasattr(image, "__array__") or hasattr(image, "__array_interface__")
    return array or isinstance(image, str | Path) or not isinstance(image, Iterable)


def name_of(image: ImageLike, number: int) -> str:
    """What a user knows an image by: the name of its file, or its number."""
    return Path(image).name if isinstance(image, str | Path) else f"image {number}"


def stated_mpp(image: ImageLike) -> float | None:
    """Um per pixel that a file's header says. Raises InputError for a file that is no image."""
    return header_mpp(image) if isinstance(image, str | Path) else None


def open_picture(image: ImageLike) -> Image:
    """Return the pixels of an array, a PIL image or a file, and what a file says of its scale."""
    if isinstance(image, str | Path):
        return read_image(image)
    if isinstance(image, PIL.Image.Image):
        rgb, notes = pixels.to_rgb(image)
        return Image(pixels=rgb, notes=tuple(notes))

    array: NDArray[Any] = np.asarray(image)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # big-endian, as FITS has it
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]  # (H, W, 1) -> (H, W)
    if (
        array.dtype not in (np.uint8, np.uint16)
        or 0 in array.shape
        or not (array.ndim == 2 or array.shape[2:] in ((3,), (4,)))
    ):
        raise InputError(
            f"an array of shape {array.shape} and type {array.dtype} is not an image: "
            "give (H, W), (H, W, 3) or (H, W, 4) of uint8 or uint16"
        )

    deep = array.dtype == np.uint16
    rgb, notes = pixels.deep_to_rgb(array) if deep else pixels.to_rgb(PIL.Image.fromarray(array))
    return Image(pixels=rgb, notes=tuple(notes))


def open_before_failure(images: Iterable[ImageLike]) -> tuple[list[Image], InputError | None]:
    """Those before the first that cannot be read, and why it cannot; None: all can."""
    opened: list[Image] = []
    for one in images:
        try:
            opened.append(open_picture(one))
        except InputError as error:
            return opened, error
    return opened, None


def openable_pixels(images: Iterable[ImageLike]) -> Iterator[NDArray[np.uint8]]:
    """The pixels (H, W, 3) of those that can be read."""
    for one in images:
        try:
            yield open_picture(one).pixels
        except InputError:
            continue
