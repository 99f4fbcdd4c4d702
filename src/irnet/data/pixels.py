"""Pixels of any kind to 8-bit RGB, by stated rules; and 8-bit RGB to PNG."""

import io

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from irnet.errors import InputError

_DEPTHS = (8, 10, 12, 14, 16)  # of cameras
_ORIENTATION = 0x0112
_PLAIN = {"1", "L", "P", "RGB", "RGBX", "YCbCr"}
_TRANSPARENT = {"LA", "PA", "RGBA", "RGBa"}


def to_png(image: NDArray[np.uint8]) -> bytes:
    """The content of a PNG file of (H, W, 3) pixels."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def read_png_mask(content: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of a PNG of `shape` (H, W) that are not black. Raises InputError."""
    try:
        with PIL.Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            if (picture.height, picture.width) == shape:
                return np.asarray(picture.convert("L")) > 0
            found = f"{picture.height} x {picture.width}"
    except Exception as error:  # decoders raise whatever a broken file makes them meet
        raise InputError(f"the mask is no PNG, or a damaged one ({error})") from error
    raise InputError(f"the mask has {found} pixels (height x width), its box {shape[0]} x {shape[1]}")


def to_rgb(picture: PIL.Image.Image) -> tuple[NDArray[np.uint8], list[str]]:
    """(H, W, 3) pixels of a picture, upright, and notes on what was done. Raises InputError."""
    notes: list[str] = []
    wide_png = _is_16bit_colour_png(picture)
    if picture.getexif().get(_ORIENTATION, 1) != 1:
        notes.append("turned upright as its orientation tag says")
    picture = PIL.ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16"):
        values, note = scale_16bit(np.asarray(picture))
        picture = PIL.Image.fromarray(values)
        notes.append(note)
    if wide_png:
        notes.append(_check_upper_bits(picture))
    if picture.mode in _TRANSPARENT or (picture.mode in _PLAIN and "transparency" in picture.info):
        return _on_white(picture, notes)
    if picture.mode not in _PLAIN:
        raise InputError(
            f"pixels of kind {picture.mode} (CMYK, Lab, 32-bit or float) are not read: save it as 8-bit RGB"
        )
    return np.array(picture.convert("RGB")), notes


def scale_16bit(values: NDArray[np.uint16]) -> tuple[NDArray[np.uint8], str]:
    """`values` in 8 bits, and a note.

    The rule: the depth is the least of 8, 10, 12, 14 and 16 bits that holds the largest value, and
    0 ... 2^depth - 1 becomes 0 ... 255, linearly. Black stays black and no contrast is added.
    """
    largest = int(values.max(initial=0))
    depth = next(depth for depth in _DEPTHS if largest < 2**depth)
    table = np.round(np.arange(2**depth) * (255 / (2**depth - 1))).astype(np.uint8)
    return table[values], f"16-bit values scaled from {depth} bits (the largest is {largest})"


def turn(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    """The picture with an orientation tag, for `to_rgb` to obey."""
    picture.getexif()[_ORIENTATION] = orientation
    return picture


def _on_white(picture: PIL.Image.Image, notes: list[str]) -> tuple[NDArray[np.uint8], list[str]]:
    """Transparent pixels let white through: the empty slide of a bright-field image."""
    layer = picture.convert("RGBA")
    if layer.getchannel("A").getextrema() == (255, 255):
        return np.array(layer.convert("RGB")), notes
    white = PIL.Image.new("RGBA", layer.size, "white")
    white.alpha_composite(layer)
    return np.array(white.convert("RGB")), [*notes, "transparency laid on white"]


def _is_16bit_colour_png(picture: PIL.Image.Image) -> bool:
    tiles = getattr(picture, "tile", [])
    return picture.format == "PNG" and bool(tiles) and ";16B" in str(tiles[0][3]) and picture.mode != "I;16"


def _check_upper_bits(picture: PIL.Image.Image) -> str:
    """Pillow keeps the upper 8 of 16 bits of a colour PNG; refuse a file that hardly uses them."""
    largest = int(np.asarray(picture.convert("RGB")).max(initial=0))
    if largest < 64:
        raise InputError(
            "a 16-bit colour PNG that uses 14 bits or fewer: save it as 16-bit TIFF or 8-bit PNG"
        )
    return "16-bit colour PNG: the upper 8 bits are used"
