"""Whole numbers of PNG and TIFF files as they stand there, page by page: label maps are no pictures."""

import math
from pathlib import Path

import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray

from irnet.data.image import MAX_PIXELS
from irnet.data.tiff import check_segments, read_pixels
from irnet.errors import InputError
from irnet.geometry.masks import Shape

SUFFIXES = (".png", ".tif", ".tiff")
_PNG = b"\x89PNG"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_MODES = ("1", "L", "P", "I", "I;16", "I;16B")
_REMEDY = "save whole numbers of 8, 16 or 32 bits, one channel, as PNG or TIFF"

Map = NDArray[np.integer]  # (H, W)


def read_integers(path: Path, shape: Shape) -> list[Map]:
    """The pages of a file, each of `shape` (H, W), which is looked at before anything is decoded.

    Raises InputError for another size, for colours, floats and whatever else is no map of whole numbers.
    """
    if not path.is_file():
        raise InputError("no such file")
    try:
        with open(path, "rb") as file:
            start = file.read(4)
        if start == _PNG:
            return [_read_png(path, shape)]
        if start in _TIFF:
            return _read_tiff(path, shape)
    except InputError:
        raise
    except PermissionError:
        raise InputError("may not be read: change its permissions") from None
    except Exception as error:  # decoders raise whatever a broken file makes them meet
        raise InputError(f"damaged or unusual ({str(error) or type(error).__name__}): {_REMEDY}") from error
    raise InputError(f"no PNG or TIFF: {_REMEDY}")


def _read_png(path: Path, shape: Shape) -> Map:
    with PIL.Image.open(path, formats=("PNG",)) as picture:
        _check_size((picture.height, picture.width), shape)
        if picture.mode not in _PNG_MODES:
            raise InputError(f"pixels of kind {picture.mode} are colours: {_REMEDY}")
        return _without_booleans(np.asarray(picture))


def _read_tiff(path: Path, shape: Shape) -> list[Map]:
    pages: list[Map] = []
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            leaf = page if isinstance(page, tifffile.TiffPage) else page.aspage()
            if leaf.samplesperpixel != 1 or len(leaf.shape) != 2:
                raise InputError(f"pixels of {leaf.samplesperpixel} channels: {_REMEDY}")
            if leaf.dtype is None or leaf.dtype.kind not in "iub":
                raise InputError(f"pixels of type {leaf.dtype} are no whole numbers: {_REMEDY}")
            _check_size(leaf.shape, shape)
            if math.prod(shape) * (len(pages) + 1) > MAX_PIXELS:
                raise InputError(f"its pages have more than {MAX_PIXELS:,} pixels together")
            check_segments(leaf, path.stat().st_size)
            pages.append(_without_booleans(read_pixels(leaf)))
    return pages


def _without_booleans(values: NDArray) -> Map:
    return values.astype(np.uint8) if values.dtype == bool else values


def _check_size(found: tuple[int, ...], shape: Shape) -> None:
    if found != shape:
        raise InputError(
            f"a map of {found} pixels (height, width) for an image of {shape}: save it at the image's size"
        )
