"""The only decoder: PNG, JPEG, TIFF, BMP, WebP and JPEG 2000 files to 8-bit RGB, within bounds.

The size is read from the header before anything is decoded; what would not fit into memory is refused.
"""

import hashlib
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.data import pixels, tiff, tiff_mpp
from irnet.data.emptiness import FREE, check_content, check_scans
from irnet.data.memory import check_room
from irnet.data.tiff_rows import check_tiff
from irnet.errors import InputError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "JPEG2000")
MAX_PIXELS = 10**9
_BYTES, _DEEP_BYTES, _JPEG_2000_BYTES = 8, 18, 20  # a pixel, while it is decoded: the decoder's copy and ours
_DECODING = threading.Lock()  # filters of warnings and Pillow's limit are one for all threads
_BOMBS = (PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError)
_TOO_LARGE = f"it has more than {MAX_PIXELS:,} pixels: cut it into fields or export a smaller region"
_UNKNOWN = "no PNG, JPEG, TIFF, BMP, WebP or JPEG 2000 image of grey or RGB pixels: save it as one"


@dataclass(frozen=True, eq=False, kw_only=True)
class Image:
    """A decoded image."""

    pixels: NDArray[np.uint8]  # (H, W, 3) RGB
    mpp: float | None = None  # um per pixel by the metadata of a TIFF
    notes: tuple[str, ...] = ()  # what was done to it: turned, scaled from 16 bits, laid on white
    sha256: str | None = None  # of the file, where it was asked for


def read_image(path: str | os.PathLike, page: int | None = None, *, hashed: bool = False) -> Image:
    """The image of a file: `page` (from 0) of a TIFF that has several.

    EXIF orientation is applied, transparency is laid on white, 16 bits are scaled by the bits in use
    (see `pixels.scale_16bit`). `hashed`: with the SHA-256 of the file, which must not change meanwhile.
    Raises InputError that names the file and the remedy.
    """
    with opened(path) as (file, notes):
        before = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest() if hashed else None
        rgb, mpp, decode_notes = _decode(file, page)
        after = os.fstat(file.fileno())
        if hashed and (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputError("it changed while it was read: read it again when it is whole")
        return Image(pixels=rgb, mpp=mpp, notes=(*decode_notes, *map(str, notes)), sha256=digest)


def check_kinds(files: Iterable[Path]) -> None:
    """Raise InputError unless at least one of the files begins as an image does."""
    reasons = []
    for file in files:
        if (reason := _explain_kind(file)) is None:
            return
        reasons.append(reason)
    if reasons:
        more = f"; nor are {len(reasons) - 1} more" if len(reasons) > 1 else ""
        raise InputError(reasons[0] + more)


def header_mpp(path: str | os.PathLike, page: int | None = None) -> float | None:
    """Um per pixel that a file's header says; no pixel is decoded. Raises InputError for what is no image."""
    return _stated_mpp(path, page)[0]


def states_no_mpp(path: str | os.PathLike, page: int | None = None) -> bool:
    """Whether a file can be opened and its header does not say um per pixel; no pixel is decoded."""
    try:
        return header_mpp(path, page) is None
    except InputError:  # `read_image` says what is wrong
        return False


def unused_size(path: str | os.PathLike, page: int | None = None) -> str | None:
    """What a file's header says of um per pixel that is not understood, None where there is nothing."""
    try:
        mpp, notes = _stated_mpp(path, page)
    except InputError:
        return None
    return notes[0] if mpp is None and notes else None


def _stated_mpp(path: str | os.PathLike, page: int | None) -> tuple[float | None, list[str]]:
    with opened(path) as (file, _), PIL.Image.open(file, formats=FORMATS) as picture:
        if picture.format != "TIFF":
            return None, []
        return tiff_mpp.um_per_pixel(picture, tiff.choose_pages(picture, page)[0])


def orientation(path: str | os.PathLike) -> int:
    """The orientation tag of an image file, 1 where it is upright, has none or is no image; by its header."""
    try:
        with opened(path) as (file, _), PIL.Image.open(file, formats=FORMATS) as picture:
            late = picture.format == "PNG" and "exif" not in picture.info  # to look further is to decode it
            found = 1 if late else picture.getexif().get(pixels.ORIENTATION, 1)
    except InputError:
        return 1
    return found if found in range(2, 9) else 1


def _explain_kind(path: Path) -> str | None:
    """Why a file is not an image, by its first bytes; None where it may be one."""
    try:
        with _DECODING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            PIL.Image.open(path, formats=FORMATS).close()
    except PIL.UnidentifiedImageError:
        return f"{path}: {_UNKNOWN}"
    except Exception as error:  # damaged, too large, gone: `read_image` says it better
        return f"{path}: may not be read" if isinstance(error, PermissionError) else None
    return None


@contextmanager
def opened(path: str | os.PathLike) -> Iterator[tuple[BufferedReader, list[Warning]]]:
    """A file for a decoder, and the warnings that it gives; what a decoder raises becomes InputError."""
    path = Path(path)
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file")
    try:
        with _DECODING, warnings.catch_warnings(), _limit_of_pillow(), open(path, "rb") as file:
            met: list[Warning] = []
            warnings.simplefilter("always")
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            warnings.showwarning = lambda message, *_, **__: met.append(message)  # type: ignore[arg-type]
            yield file, met
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except _BOMBS:
        raise InputError(f"{path}: {_TOO_LARGE}") from None
    except PIL.UnidentifiedImageError:
        raise InputError(f"{path}: {_UNKNOWN}") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read: change its permissions") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise any exception on a broken file
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: damaged or unusual ({reason}): save it again as PNG") from error


@contextmanager
def _limit_of_pillow() -> Iterator[None]:
    before = PIL.Image.MAX_IMAGE_PIXELS
    PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        yield
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = before


def check_size(shape: tuple[int, int], bytes_each: int) -> None:
    """Raise InputError, before anything is decoded, for an image that is too large.

    `shape` is the image's, `bytes_each` how many bytes a pixel costs.
    """
    pixels_told = shape[0] * shape[1]
    if pixels_told > MAX_PIXELS:
        raise InputError(_TOO_LARGE)
    check_room(pixels_told * bytes_each, f"an image of {pixels_told / 1e6:.0f} megapixels")


def check_picture(file: BinaryIO, picture: PIL.Image.Image, bytes_each: int) -> None:
    """`check_size` and what a picture shows, for all but TIFF. Raises InputError."""
    check_size((picture.height, picture.width), bytes_each)
    place = file.tell()
    if picture.format in ("JPEG", "MPO"):
        check_scans(file)
    check_content(file, picture)
    file.seek(place)


def _decode(file: BinaryIO, page: int | None) -> tuple[pixels.RGB, float | None, list[str]]:
    file.seek(0)
    with PIL.Image.open(file, formats=FORMATS) as picture:
        if picture.format == "TIFF":
            return _decode_tiff(file, picture, page)
        if page:
            raise InputError(f"page {page} was asked for, but only TIFF files have pages")
        if picture.format == "WEBP" and getattr(picture, "n_frames", 1) > 1:
            raise InputError("a film of several pictures: save one of them as PNG")
        check_picture(file, picture, _JPEG_2000_BYTES if picture.format == "JPEG2000" else _BYTES)
        rgb, notes = pixels.to_rgb(picture)
        return rgb, None, notes


def _decode_tiff(
    file: BinaryIO, picture: PIL.Image.Image, page: int | None
) -> tuple[pixels.RGB, float | None, list[str]]:
    pages = tiff.choose_pages(picture, page)
    mpp, notes = tiff_mpp.um_per_pixel(picture, pages[0])
    kinds = {_check_page(file, picture, number) for number in pages}
    if len(kinds) > 1:
        raise InputError("three pages of different sizes or depths: choose one with --page 0 to 2")
    if len(pages) > 1:
        notes.append("three channels as red, green, blue")

    _, deep = kinds.pop()
    if deep:
        rgb, decode_notes = tiff.read_deep(file, pages)
        return rgb, mpp, [*decode_notes, *notes]
    parts: list[pixels.RGB] = []
    for number in pages:
        picture.seek(number)
        rgb, decode_notes = pixels.to_rgb(picture)
        parts.append(rgb)
        notes += [note for note in decode_notes if note not in notes]
    channels = [part[..., 0] for part in parts]
    return parts[0] if len(parts) == 1 else np.stack(channels, axis=2), mpp, notes


def _check_page(file: BinaryIO, picture: PIL.Image.Image, number: int) -> tuple[tuple[int, int], bool]:
    """Shape of a page, and whether it has more than 8 bits. Raises InputError before it is decoded."""
    picture.seek(number)
    deep = tiff.bits(picture) in range(9, 17)
    shape = picture.height, picture.width
    check_size(shape, _DEEP_BYTES if deep else _BYTES)
    tiff.check_tiles(picture)
    if shape[0] * shape[1] > FREE:
        check_tiff(file, number)
    return shape, deep
