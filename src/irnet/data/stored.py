"""The values that PNG, TIFF, BMP and WebP files store: nothing is inverted, scaled or laid on white."""

import os
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray

from irnet.data import pixels
from irnet.data.emptiness import FREE, Budget
from irnet.data.image import FORMATS, MAX_PIXELS, check_picture, check_size, opened
from irnet.data.tiff import MAGICS, MissingCodecError, read_pixels
from irnet.data.tiff_rows import check_leaf
from irnet.errors import InputError
from irnet.geometry.masks import Shape

_LOSSY = ("JPEG", "MPO", "JPEG2000")
_WHOLE = "save whole numbers of 8, 16 or 32 bits as PNG or TIFF"
_ALPHA = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
_FEW_BITS = {"L;2": 85, "L;4": 17}  # Pillow stretches grey of 2 and 4 bits to 8
_WHITE_IS_ZERO = 0
BYTES = 12  # a pixel while it is decoded


@dataclass(frozen=True, eq=False, kw_only=True)
class Stored:
    """A page of a picture."""

    colours: NDArray  # (H, W) whole numbers or bool, or (H, W, 3); of a palette, what it looks up
    alpha: NDArray | None = None  # (H, W)
    numbers: NDArray[np.uint8] | None = None  # (H, W) of a palette


def read_pages(file: BinaryIO, shape: Shape | None = None) -> list[Stored]:
    """The pages of a file, each of `shape` (H, W) where it is given, which is looked at before decoding.

    Raises InputError for another size, for lossy formats, floats and unusual channels.
    """
    start = file.read(4)
    file.seek(0)
    if start in MAGICS:
        return _read_tiff(file, shape)
    with PIL.Image.open(file, formats=FORMATS) as picture:
        if picture.format in _LOSSY or (picture.format == "WEBP" and _is_lossy(file)):
            raise InputError(f"lossy {picture.format} blurs the edges of masks: save it as PNG or TIFF")
        check_picture(file, picture, BYTES)
        found = (picture.height, picture.width)
        if shape is None or sorted(shape) != sorted(found):
            _check_shape(found, 1, shape)
        page = decode(picture)
        orientation = picture.getexif().get(pixels.ORIENTATION, 1)  # a PNG has it after its pixels
        _check_shape(found, orientation, shape)
        return [_turned(page, orientation)]


def software_of(path: str | os.PathLike) -> str:
    """What a TIFF file says that it was written by, "" for others. Raises InputError for damaged ones."""
    with opened(path) as (file, _):
        if file.read(4) not in MAGICS:
            return ""
        file.seek(0)
        with tifffile.TiffFile(file) as pages:
            return pages.pages.first.software


def decode(picture: PIL.Image.Image) -> Stored:
    """What an opened picture, that is no TIFF, stores. Raises InputError."""
    if pixels.is_16bit_colour_png(picture):
        raise InputError("colours of 16 bits: save it with 8 bits, or as grey")
    tiles = getattr(picture, "tile", [])
    stretched = _FEW_BITS.get(str(tiles[0][3]) if tiles else "", 1)
    transparent = "transparency" in picture.info
    values = np.asarray(picture)
    match picture.mode:
        case "P":
            return _palette(picture, values)
        case "1" | "L" | "RGB" if transparent:
            return Stored(colours=values, alpha=np.asarray(picture.convert("RGBA"))[..., 3])
        case "L":
            return Stored(colours=values // stretched if stretched > 1 else values)
        case "1" | "I" | "I;16" | "I;16B" | "RGB":
            return Stored(colours=values)
        case "LA":
            return Stored(colours=values[..., 0], alpha=values[..., 1])
        case "RGBA":
            return Stored(colours=values[..., :3], alpha=values[..., 3])
    raise InputError(f"pixels of kind {picture.mode} are not read: {_WHOLE}")


def _palette(picture: PIL.Image.Image, numbers: NDArray[np.uint8]) -> Stored:
    layer = np.asarray(picture.convert("RGBA"))
    alpha = layer[..., 3] if "transparency" in picture.info else None
    return _looked_up(numbers, layer[..., :3], alpha)


def _looked_up(
    numbers: NDArray[np.uint8], colours: NDArray[np.uint8], alpha: NDArray | None = None
) -> Stored:
    """A palette's page; the inverting one of ImageJ is for the eye alone."""
    if (colours == 255 - numbers[..., None]).all():
        return Stored(colours=numbers, alpha=alpha, numbers=numbers)
    return Stored(colours=colours, alpha=alpha, numbers=numbers)


def _read_tiff(file: BinaryIO, shape: Shape | None) -> list[Stored]:
    with tifffile.TiffFile(file) as opened:
        leaves = [
            (number, leaf)
            for number, page in enumerate(opened.pages)
            if not (leaf := page if isinstance(page, tifffile.TiffPage) else page.aspage()).is_reduced
        ]
        total = 0
        for _, leaf in leaves:
            _check_shape((leaf.imagelength, leaf.imagewidth), _orientation(leaf), shape)
            total += leaf.imagelength * leaf.imagewidth
        if total > MAX_PIXELS:
            raise InputError(f"its pages have more than {MAX_PIXELS:,} pixels together")
        if total > FREE:
            budget = Budget()
            for _, leaf in leaves:
                check_leaf(leaf, budget)
        return [_turned(_read_leaf(leaf, file, number), _orientation(leaf)) for number, leaf in leaves]


def _orientation(leaf: tifffile.TiffPage) -> int:
    tag = leaf.tags.get("Orientation")
    return tag.value if tag else 1


def _read_leaf(leaf: tifffile.TiffPage, file: BinaryIO, number: int) -> Stored:
    if leaf.dtype is None or leaf.dtype.kind not in "iub":
        raise InputError(f"pixels of type {leaf.dtype} are not whole numbers: {_WHOLE}")
    codec = getattr(leaf.compression, "name", "")
    if "JP" in codec or "WEBP" in codec:  # JPEG of all kinds
        raise InputError(f"{codec} compression blurs the edges of masks: save it with LZW, Deflate or none")
    bytes_each = leaf.dtype.itemsize * leaf.samplesperpixel + BYTES
    check_size((leaf.imagelength, leaf.imagewidth), bytes_each)
    try:
        values = read_pixels(leaf)
    except MissingCodecError:
        if leaf.bitspersample > 8 or "Orientation" in leaf.tags:
            raise
        values = _read_with_pillow(file, number, leaf)
    values = values.reshape(leaf.imagelength, leaf.imagewidth, -1)  # (H, W, S)
    return _split(values, leaf)


def _read_with_pillow(file: BinaryIO, number: int, leaf: tifffile.TiffPage) -> NDArray:
    """The values of a page in a codec that Pillow has: where white is 0 it inverts them."""
    file.seek(0)
    with PIL.Image.open(file, formats=("TIFF",)) as picture:
        picture.seek(number)
        values = np.asarray(picture)
        stretched = _FEW_BITS.get(f"{picture.mode};{leaf.bitspersample}", 1)
    values = ~values if leaf.photometric == _WHITE_IS_ZERO else values
    return values // stretched if stretched > 1 else values


def _split(values: NDArray, leaf: tifffile.TiffPage) -> Stored:
    """The values (H, W, S) of a page as colours and transparency."""
    extras = tuple(leaf.extrasamples)
    count = values.shape[2] - len(extras)
    if count not in (1, 3):
        raise InputError(f"pixels of {values.shape[2]} channels: {_WHOLE}")
    colours = values[..., 0] if count == 1 else values[..., :3]
    alpha = next((values[..., count + i] for i, kind in enumerate(extras) if kind in _ALPHA), None)
    if leaf.photometric == tifffile.PHOTOMETRIC.PALETTE and leaf.colormap is not None and count == 1:
        return _looked_up(colours, (np.moveaxis(leaf.colormap, 0, -1) >> 8).astype(np.uint8)[colours], alpha)
    return Stored(colours=colours, alpha=alpha)


def _check_shape(found: Shape, orientation: int, wanted: Shape | None) -> None:
    found = (found[1], found[0]) if orientation in (5, 6, 7, 8) else found
    if wanted is not None and found != wanted:
        raise InputError(
            f"a map of {found} pixels (height, width) for an image of {wanted}: save it at the image's size"
        )


def _turned(page: Stored, orientation: int) -> Stored:
    if orientation not in range(2, 9):
        return page
    layers = {"colours": page.colours, "alpha": page.alpha, "numbers": page.numbers}
    turned = {
        name: pixels.turn(layer, orientation, []) for name, layer in layers.items() if layer is not None
    }
    return replace(page, **turned)


def _is_lossy(file: BinaryIO) -> bool:
    """Whether the first picture in a WebP file is a lossy one."""
    place = 12
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[:4] in (b"VP8L", b"VP8 "):
            return head[:4] != b"VP8L"
        place += 8 + int.from_bytes(head[4:], "little") + head[4] % 2
