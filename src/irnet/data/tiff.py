"""What only TIFF has: pages, samples of more than a byte, strips and tiles."""

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray

from irnet.data import pixels
from irnet.data.inflation import check_inflation, check_segments, check_tile
from irnet.data.tiff_mpp import description, is_aperio, is_reduced
from irnet.errors import InputError
from irnet.wording import install_extra

BITS, SAMPLE_FORMAT = 258, 339
MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how a file of it begins
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_SIGNED = 2
_COLOURS = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.RGB)
_ASSOCIATED, _UNASSOCIATED = tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA
_REMEDY = "save it as 8- or 16-bit grey or RGB"


class MissingCodecError(InputError):
    """The file is compressed in a way that only the extra `tiff` reads."""


def choose_pages(picture: PIL.Image.Image, page: int | None) -> list[int]:
    """Go to the page asked for, or to the only one in full resolution, and return its number.

    Three pages that ImageJ shows as red, green and blue of one image are returned together. InputError.
    """
    count = getattr(picture, "n_frames", 1)
    if page is None:
        page = _only_page(picture, count)
        if page is None:
            return [0, 1, 2]
    if not 0 <= page < count:
        raise InputError(f"page {page} was asked for, but it has pages 0 to {count - 1}")
    picture.seek(page)
    return [page]


def bits(picture: PIL.Image.Image) -> int:
    """Bits per sample of the current page, the most of its samples. InputError for signed ones."""
    tags = _tags(picture)
    if any(kind == _SIGNED for kind in tags.get(SAMPLE_FORMAT, ())):
        raise InputError(f"pixels of signed numbers are not a picture: {_REMEDY}")
    return max(tags.get(BITS, (1,)))


def check_tiles(picture: PIL.Image.Image) -> None:
    """Raise InputError where the tiles of the current page are much larger than it."""
    tags = _tags(picture)
    tile = int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_HEIGHT, 0))
    check_tile(tile, picture.width * picture.height)


def read_deep(file: BinaryIO, pages: Sequence[int]) -> tuple[pixels.RGB, list[str]]:
    """9- to 16-bit grey, RGB or RGBA as 8-bit RGB, and notes: a page, or three of grey as red, green, blue.

    All channels have one scale. Raises InputError.
    """
    file.seek(0)
    with tifffile.TiffFile(file) as opened:
        channels = (1,) if len(pages) > 1 else (1, 3, 4)
        parts = [_read_deep(opened.pages[page], channels) for page in pages]
        leaf = opened.pages[pages[0]].aspage()
    rgb, notes = _scaled(parts[0] if len(parts) == 1 else np.stack(parts, axis=2), leaf)
    orientation = leaf.tags.get("Orientation")
    return pixels.turn(rgb, orientation.value if orientation else 1, notes), notes


def _read_deep(leaf: tifffile.TiffPage | tifffile.TiffFrame, channels: tuple[int, ...]) -> NDArray[np.uint16]:
    """The values of a page, (H, W) or (H, W, S), S being one of `channels`. Raises InputError."""
    if not isinstance(leaf, tifffile.TiffPage) or leaf.dtype != np.uint16:
        raise InputError(f"16-bit pixels that are not unsigned whole numbers: {_REMEDY}")
    if leaf.photometric not in _COLOURS or leaf.samplesperpixel not in channels:
        raise InputError(f"16-bit pixels of {leaf.samplesperpixel} channels: {_REMEDY}")
    return read_pixels(leaf)


def read_pixels(leaf: tifffile.TiffPage) -> NDArray:
    """The values of a page, (H, W) or (H, W, samples), as stored.

    Raises `InputError` where a codec is missing, or a part is longer than the page.
    """
    check_segments(leaf)
    try:
        check_inflation(leaf)
        values = leaf.asarray()
    except (ImportError, ValueError) as error:
        if "imagecodecs" not in str(error):
            raise
        raise MissingCodecError(f"its compression needs more codecs: {install_extra('tiff')}") from None
    separate = leaf.samplesperpixel > 1 and leaf.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    return np.moveaxis(values, 0, -1) if separate else values  # (S, H, W) -> (H, W, S)


def _only_page(picture: PIL.Image.Image, count: int) -> int | None:
    """The one page in full resolution; None where it is in three parts. Raises InputError for several."""
    first = tags_of(picture, 0)
    if count > 1 and is_aperio(first):
        return 0
    full = [number for number in range(count) if not is_reduced(tags_of(picture, number))]
    if len(full) <= 1:
        return full[0] if full else 0
    text = description(first)
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if fields.get("mode") == "composite" and fields.get("images") == fields.get("channels") == "3" == str(
        count
    ):
        return None
    raise InputError(
        f"it has {count} pages: choose one with --page 0 to {count - 1} of irnet predict, or save one as an "
        "image of its own"
    )


def _tags(picture: PIL.Image.Image) -> dict:
    return dict(getattr(picture, "tag_v2", {}))


def tags_of(picture: PIL.Image.Image, page: int) -> dict:
    picture.seek(page)
    return _tags(picture)


def _scaled(values: NDArray[np.uint16], leaf: tifffile.TiffPage) -> tuple[pixels.RGB, list[str]]:
    known = None
    if leaf.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        known = pixels.find_depth(values)
        top = 2 ** known[0] - 1
        values = top - np.minimum(values, np.uint16(top))
        if top == 2**16 - 1:  # some write 12 bits as the upper end of 16
            known = pixels.find_depth(values)
    kind = next((kind for kind in leaf.extrasamples if kind in (_ASSOCIATED, _UNASSOCIATED)), None)
    if kind is None and values.ndim == 3:
        values = values[..., :3]
    return pixels.deep_to_rgb(values, premultiplied=kind == _ASSOCIATED, known=known)
