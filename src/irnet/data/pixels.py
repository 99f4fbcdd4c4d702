"""Pixels of any kind to 8-bit RGB, by stated rules; and 8-bit RGB to PNG."""

import io
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.errors import InputError

ORIENTATION = 0x0112
_DEPTHS = (8, 10, 12, 14, 16)  # of cameras
_FEW = 10_000  # one pixel of so many may be brighter than the depth: hot, or dust that glares
_SMALL = 1_000  # pixels of an image in which none may
_BAND = 2**21  # pixels that are converted at a time
_PLAIN = {"1", "L", "P", "RGB", "RGBX", "YCbCr"}
_TRANSPARENT = {"LA", "PA", "RGBA", "RGBa"}
_COLOURS = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}  # channels besides transparency
ONE_ALPHA = "transparency the same everywhere: its colours are taken as they are"
_ON_WHITE = "transparency laid on white"
Grey = NDArray[np.uint8]  # (H, W)
RGB = NDArray[np.uint8]  # (H, W, 3)


def to_png(image: RGB) -> bytes:
    """The content of a PNG file of (H, W, 3) pixels."""
    buffer = io.BytesIO()
    # Of pictures with noise it makes no larger files than Pillow's usual way, in a fifth of the time.
    PIL.Image.fromarray(image).save(buffer, "PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def to_rgb(picture: PIL.Image.Image) -> tuple[RGB, list[str]]:
    """(H, W, 3) pixels of a picture, upright, and notes on what was done. Raises InputError."""
    wide_png = is_16bit_colour_png(picture)  # told before anything is decoded only
    orientation = picture.getexif().get(ORIENTATION, 1)
    picture.load()
    upright = picture.getexif().get(ORIENTATION, 1) != orientation  # Pillow turns TIFF itself, and says so
    if picture.mode.startswith("I;16"):
        grey, note = scale_16bit(np.asarray(picture))
        rgb, notes = as_rgb(grey), [note]
    elif picture.mode in _TRANSPARENT or (picture.mode in _PLAIN and "transparency" in picture.info):
        rgb, notes = _flatten(picture)
    elif picture.mode in _PLAIN:
        rgb, notes = _fill(picture, lambda band: band.convert("RGB")), []
    else:
        raise InputError(
            f"pixels of kind {picture.mode} (CMYK, Lab, 32-bit or float) are not read: save it as 8-bit RGB"
        )
    if wide_png:
        notes.append(_check_upper_bits(picture))
    turned = turn(rgb, orientation, notes)
    return rgb if upright else turned, notes


def as_rgb(pixels: Grey | RGB) -> RGB:
    """Three equal channels of grey, or the RGB pixels that are given."""
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def turn(pixels: RGB, orientation: int, notes: list[str]) -> RGB:
    """The pixels upright, by an orientation tag of EXIF or TIFF, and a note where they were not."""
    turned = {
        2: lambda: pixels[:, ::-1],
        3: lambda: pixels[::-1, ::-1],
        4: lambda: pixels[::-1],
        5: lambda: pixels.swapaxes(0, 1),
        6: lambda: np.rot90(pixels, -1),
        7: lambda: pixels[::-1, ::-1].swapaxes(0, 1),
        8: lambda: np.rot90(pixels),
    }
    if orientation not in turned:
        return pixels
    notes.append(f"turned upright (EXIF orientation {orientation})")
    return np.ascontiguousarray(turned[orientation]())


def scale_16bit(values: NDArray[np.uint16]) -> tuple[NDArray[np.uint8], str]:
    """`values` in 8 bits, and a note.

    The rule: the depth is the least of 8, 10, 12, 14 and 16 bits that holds the largest value, and
    0 ... 2^depth - 1 becomes 0 ... 255, linearly. Black stays black and no contrast is added. One value of
    10,000 may lie above (hot pixels): it becomes 255.
    """
    depth, note = find_depth(values)
    return scale_from(values, depth), note


def find_depth(values: NDArray[np.uint16]) -> tuple[int, str]:
    """The bits in use of an (H, W) or (H, W, 3) image by the rule of `scale_16bit`, and a note."""
    largest = int(values.max(initial=0))
    few = max(values.size // _FEW, int(values.size >= _SMALL))
    for depth in _DEPTHS:
        brighter = int(np.count_nonzero(values >= 2**depth)) if largest >= 2**depth else 0
        if brighter <= few:
            break
    note = f"16-bit values scaled from {depth} bits (the largest is {largest})"
    if brighter:
        note = f"{note}: the {brighter} brighter than that are taken for hot pixels and cut to white"
    return depth, note


def scale_from(values: NDArray[np.uint16], depth: int) -> NDArray[np.uint8]:
    """0 ... 2^depth - 1 as 0 ... 255, what is above as 255; of any shape (H, W, ...)."""
    table = np.minimum(np.round(np.arange(2**16) * (255 / (2**depth - 1))), 255).astype(np.uint8)
    return table[values]


def deep_to_rgb(
    values: NDArray[np.uint16], *, premultiplied: bool = False, known: tuple[int, str] | None = None
) -> tuple[RGB, list[str]]:
    """16-bit grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4) as 8-bit RGB, and notes. Raises InputError.

    Colours and transparency have a depth each, by the rule of `scale_16bit`; but one for both where the
    colours were multiplied by their alpha. `known`: that of the colours, and its note, where it is known.
    """
    depth, note = known or find_depth(values[..., :3] if values.ndim == 3 else values)
    if values.ndim == 2 or values.shape[2] == 3:
        return as_rgb(scale_from(values, depth)), [note]

    alpha_depth, _ = find_depth(values[..., 3])
    if premultiplied:  # no colour is above its own alpha
        depth = alpha_depth = max(depth, alpha_depth)
    colours, alpha = scale_from(values[..., :3], depth), scale_from(values[..., 3], alpha_depth)
    rgb, more = lay_on_white(colours, alpha, premultiplied=premultiplied)
    return rgb, [note, *more]


def lay_on_white(colours: RGB, alpha: Grey, *, premultiplied: bool) -> tuple[RGB, list[str]]:
    """The colours where something is opaque, white where nothing is; in place."""
    low, high = int(alpha.min()), int(alpha.max())
    if low == 255:
        return colours, []
    if low == high and (high == 0 or not premultiplied):
        return _uncover(colours, hidden=high == 0)
    for rows in _bands(*alpha.shape):
        opaque = alpha[rows, :, None].astype(np.uint16)
        part = colours[rows] if premultiplied else (colours[rows] * opaque + 127) // 255
        colours[rows] = np.minimum(part + (255 - opaque), 255)
    return colours, [_ON_WHITE]


def _flatten(picture: PIL.Image.Image) -> tuple[RGB, list[str]]:
    """Transparent pixels let white through: the empty slide of a bright-field image."""
    bands = _bands(picture.height, picture.width)
    ranges = [_crop(picture, rows).convert("RGBA").getchannel("A").getextrema() for rows in bands]
    low, high = min(pair[0] for pair in ranges), max(pair[1] for pair in ranges)
    if low == 255:
        return _fill(picture, lambda band: band.convert("RGB")), []
    if low == high:
        return _uncover(_fill(picture, lambda band: band.convert("RGBA").convert("RGB")), hidden=high == 0)
    return _fill(picture, _compose), [_ON_WHITE]


def _uncover(colours: RGB, *, hidden: bool) -> tuple[RGB, list[str]]:
    """The colours under a transparency that is the same everywhere. Raises InputError where it left none."""
    if hidden and not colours.any():
        raise InputError("transparent everywhere, and black beneath: save it without transparency")
    return colours, [ONE_ALPHA]


def _compose(band: PIL.Image.Image) -> PIL.Image.Image:
    layer = band.convert("RGBA")
    white = PIL.Image.new("RGBA", layer.size, "white")
    white.alpha_composite(layer)
    return white.convert("RGB")


def _fill(picture: PIL.Image.Image, convert: Callable[[PIL.Image.Image], PIL.Image.Image]) -> RGB:
    """A picture band by band: whole, each step of it would cost four bytes a pixel."""
    rgb = np.empty((picture.height, picture.width, 3), dtype=np.uint8)
    for rows in _bands(picture.height, picture.width):
        rgb[rows] = np.asarray(convert(_crop(picture, rows)))
    return rgb


def _crop(picture: PIL.Image.Image, rows: slice) -> PIL.Image.Image:
    return picture.crop((0, rows.start, picture.width, rows.stop))


def _bands(height: int, width: int) -> Iterator[slice]:
    step = max(1, _BAND // width)
    return (slice(y, min(y + step, height)) for y in range(0, height, step))


def is_16bit_colour_png(picture: PIL.Image.Image) -> bool:
    """Whether a picture is one of which Pillow keeps only the upper 8 bits."""
    tiles = getattr(picture, "tile", [])
    return picture.format == "PNG" and bool(tiles) and ";16B" in str(tiles[0][3]) and picture.mode != "I;16"


def _check_upper_bits(picture: PIL.Image.Image) -> str:
    """Pillow keeps the upper 8 of 16 bits of a colour PNG; refuse a file that hardly uses them."""
    ranges = np.atleast_2d(picture.getextrema())[: _COLOURS.get(picture.mode, 3)]
    if ranges.max() < 64:
        raise InputError(
            "a 16-bit colour PNG that uses 14 bits or fewer: save it as 16-bit TIFF or 8-bit PNG"
        )
    return "16-bit colour PNG: the upper 8 bits are used"
