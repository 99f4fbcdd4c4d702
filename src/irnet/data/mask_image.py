"""Truth in pictures: binary masks, maps of whole numbers, painted colours. What a file stores counts."""

import io
import logging
import os

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.data.image import check_picture, opened
from irnet.data.pixels import as_rgb
from irnet.data.stored import BYTES, Stored, decode, read_pages
from irnet.errors import InputError
from irnet.geometry.masks import Mask, Shape

MAP_SUFFIXES = (".png", ".tif", ".tiff")
_BORDER = 0.95  # share of the frame's border that a mask holds only where it is inverted
_WHOLE = "save whole numbers of 8, 16 or 32 bits, one channel, as PNG or TIFF"
_logger = logging.getLogger(__name__)

Map = NDArray[np.integer] | NDArray[np.bool_]  # (H, W)


def read_mask(path: str | os.PathLike, shape: Shape) -> Mask:
    """The object of a binary mask file, (H, W) of `shape`.

    It is what is not black. With transparency it is what is visible, if that has one colour; a transparency
    that is the same everywhere says nothing. A mask of nearly the whole border of the image is warned of.
    Raises InputError that names the file.
    """
    with opened(path) as (file, _):
        pages = read_pages(file, shape)
        if len(pages) != 1:
            raise InputError(f"{len(pages)} pages, a mask has one")
        mask = find_object(pages[0])
    if (share := _border(mask).mean()) >= _BORDER:
        _logger.warning("%s: the mask holds %.0f %% of the border: is it inverted?", path, 100 * share)
    if _has_shades(pages[0], mask):
        _logger.warning(
            "%s: its object is not of one value, and all of it is taken, the faintest too: blurred edges?",
            path,
        )
    return mask


def read_colours(path: str | os.PathLike) -> NDArray[np.uint8]:
    """The stored colours of a painted picture, (H, W, 3), without its transparency. Raises InputError."""
    with opened(path) as (file, _):
        colours = read_pages(file)[0].colours
        if colours.dtype != np.uint8:
            raise InputError(f"colours of type {colours.dtype}, not of 8 bits: take the original file")
    return as_rgb(colours)


def read_integers(path: str | os.PathLike, shape: Shape) -> list[Map]:
    """The pages of a file of whole numbers, each of `shape` (H, W), which is looked at before decoding.

    Numbers of a palette are taken, not its colours. Raises InputError that names the file.
    """
    with opened(path) as (file, _):
        pages = read_pages(file, shape)
        maps: list[Map] = [page.colours if page.numbers is None else page.numbers for page in pages]
        for values in maps:
            if values.ndim != 2:
                raise InputError(f"pixels of {values.shape[2]} channels are colours: {_WHOLE}")
    for values in maps:
        first, border = _border(values)[0], _border(values)
        if first and (border == first).mean() >= _BORDER:
            _logger.warning("%s: number %d holds the border: if it is the ground, make it 0", path, first)
    return maps


def read_png_mask(content: bytes, shape: Shape) -> Mask:
    """The object of a PNG of `shape` (H, W), by the rules of `read_mask`. Raises InputError."""
    try:
        file = io.BytesIO(content)
        with PIL.Image.open(file, formats=("PNG",)) as picture:
            if (picture.height, picture.width) == shape:
                check_picture(file, picture, BYTES)
                return find_object(decode(picture))
            found = f"{picture.height} x {picture.width}"
    except MemoryError:
        raise
    except Exception as error:  # decoders raise any exception on a broken file
        raise InputError(f"the mask is no PNG, or a damaged one ({error})") from error
    raise InputError(f"the mask has {found} pixels (height x width), its box {shape[0]} x {shape[1]}")


def _border(values: NDArray) -> NDArray:
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _has_shades(page: Stored, mask: Mask) -> bool:
    layers = [layer[mask] for layer in (page.colours, page.alpha) if layer is not None]
    return any(len(layer) and bool((layer != layer[0]).any()) for layer in layers)


def find_object(page: Stored) -> Mask:
    """The pixels of the object, (H, W): see `read_mask`."""
    drawn = _not_black(page)
    if page.alpha is None:
        return drawn
    visible = page.alpha > 0
    if visible.all() or not visible.any():
        return drawn
    colours = page.colours[visible]
    return visible if np.all(colours == colours[0]) else visible & drawn


def _not_black(page: Stored) -> Mask:
    drawn = np.any(page.colours, axis=2) if page.colours.ndim == 3 else page.colours != 0
    if page.numbers is None or not drawn.all():
        return drawn
    return page.numbers != 0  # a palette without black: its numbers tell
