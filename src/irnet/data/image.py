"""The only decoder: PNG, JPEG, TIFF and BMP files to 8-bit RGB, under a pixel limit read from the header."""

import dataclasses
import os
import threading
import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.data import pixels, tiff
from irnet.data.files import sha256
from irnet.errors import InputError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MAX_PIXELS = 89_478_485  # Pillow's own limit: 256 MiB as RGB
_DECODING = threading.Lock()  # filters of warnings are one for all threads
_BOMBS = (PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError)
_TOO_LARGE = f"it has more than {MAX_PIXELS:,} pixels: cut it into fields or export a smaller region"
_UNKNOWN = "no PNG, JPEG, TIFF or BMP image of grey or RGB pixels: save it as one"


@dataclass(frozen=True, eq=False, kw_only=True)
class Image:
    """A decoded image."""

    pixels: NDArray[np.uint8]  # (H, W, 3) RGB
    mpp: float | None = None  # um per pixel by OME, ImageJ or TIFF tags
    notes: tuple[str, ...] = ()  # what was done to it: turned, scaled from 16 bits, laid on white
    sha256: str | None = None  # of the file, where it was asked for


def read_image(path: str | os.PathLike, page: int | None = None, *, hashed: bool = False) -> Image:
    """The image of a file: `page` (from 0) of a TIFF that has several.

    EXIF orientation is applied, transparency is laid on white, 16 bits are scaled by the bits in use
    (see `pixels.scale_16bit`). `hashed`: with the SHA-256 of the file, which must not change meanwhile.
    Raises InputError that names the file and the remedy.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file")
    try:
        before = _state(path)
        with _DECODING:
            image = _decode(path, page)
        if not hashed:
            return image
        digest = sha256(path)
        if _state(path) != before:
            raise InputError("it changed while it was read: read it again when it is whole")
        return dataclasses.replace(image, sha256=digest)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except _BOMBS:
        raise InputError(f"{path}: {_TOO_LARGE}") from None
    except PIL.UnidentifiedImageError:
        raise InputError(f"{path}: {_UNKNOWN}") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read: change its permissions") from None
    except Exception as error:  # decoders raise whatever a broken file makes them meet
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: damaged or unusual ({reason}): save it anew as PNG") from error


def states_no_mpp(path: str | os.PathLike, page: int | None = None) -> bool:
    """Whether a file can be opened and its header does not say um per pixel; no pixel is decoded."""
    try:
        with _DECODING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(path, formats=FORMATS) as picture:
                if picture.format != "TIFF":
                    return True
                return tiff.calibration(picture, tiff.choose_page(picture, page))[0] is None
    except Exception:  # `read_image` says what is wrong
        return False


def list_images(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """The files named and, in sorted order, the image files of the folders named; each once.

    Raises InputError for a path that does not exist and when nothing is found.
    """
    paths = [Path(path) for path in paths]
    found: dict[Path, Path] = {}  # by whole path: a folder and a file in it may both be named
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        for file in _images_in(path) if path.is_dir() else [path]:
            found.setdefault(Path(os.path.abspath(file)), file)
    if not found:
        places = ", ".join(map(str, paths))
        inner = [str(folder) for path in paths for folder in sorted(path.iterdir()) if _holds_images(folder)]
        remedy = f"; name {inner[0]}" if inner else ""
        raise InputError(
            f"no image in {places or 'an empty list'}{remedy}: looked for {', '.join(IMAGE_SUFFIXES)}"
        )
    return list(found.values())


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


def _explain_kind(path: Path) -> str | None:
    """Why a file is no image, by its first bytes; None where it may be one."""
    try:
        with _DECODING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            PIL.Image.open(path, formats=FORMATS).close()
    except PIL.UnidentifiedImageError:
        return f"{path}: {_UNKNOWN}"
    except Exception as error:  # damaged, too large, gone: `read_image` says it better
        return f"{path}: may not be read" if isinstance(error, PermissionError) else None
    return None


def _state(path: Path) -> tuple[int, ...]:
    """What differs once a file is replaced or written to."""
    state = os.stat(path)
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _holds_images(folder: Path) -> bool:
    return folder.is_dir() and bool(_images_in(folder))


def _images_in(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _decode(path: Path, page: int | None) -> Image:
    with ExitStack() as stack:
        met = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        picture = stack.enter_context(PIL.Image.open(path, formats=FORMATS))
        mpp, notes = None, []
        if picture.format == "TIFF":
            page = tiff.choose_page(picture, page)
            mpp, notes = tiff.calibration(picture, page)
        elif page:
            raise InputError(f"page {page} was asked for, but only TIFF files have pages")
        if picture.width * picture.height > MAX_PIXELS:
            raise InputError(_TOO_LARGE)
        if picture.format == "TIFF" and tiff.bits(picture) == 16:
            picture, scaled = tiff.read_16bit(path, page or 0)
            notes += scaled
        rgb, more = pixels.to_rgb(picture)
        notes += more + [str(warning.message) for warning in met]
    return Image(pixels=rgb, mpp=mpp, notes=tuple(notes))
