"""DICOM of whole slides by wsidicom: a series of files in a folder, all levels and focal planes of it.

Only images of the slide itself are given to wsidicom: label and overview picture are not opened.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from irnet.data.pixels import as_rgb
from irnet.data.tiff_mpp import square
from irnet.errors import InputError
from irnet.slides.readers.quiet import quiet
from irnet.slides.readers.slide import Box, Pixels, Slide
from irnet.wording import install_extra, number_of

_MAGIC, _MAGIC_AT = b"DICM", 128
_SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"  # VL Whole Slide Microscopy Image
_TAGS = ("SOPClassUID", "SeriesInstanceUID", "ImageType")
_VOLUME = "VOLUME"  # in ImageType: the slide; others are LABEL, OVERVIEW and THUMBNAIL
_LIBRARIES = ("pydicom", "wsidicom")  # what stands in tags is in their logs
_AGAIN = "copy all files of the series again, or export it as OME-TIFF"


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its beginning; what cannot be read is not."""
    try:
        with open(path, "rb") as file:
            return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC
    except OSError:
        return False


def holds_dicom(folder: Path) -> bool:
    """Whether a file in a folder is DICOM."""
    return any(file.is_file() and is_dicom(file) for file in folder.iterdir())


def series_in(folder: Path) -> dict[str, list[Path]]:
    """The files of slides in a folder by the series that they belong to, labels and overviews left out.

    Raises InputError where pydicom is missing.
    """
    read = _library("pydicom", folder).dcmread
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.name.startswith(".") or not is_dicom(file):
            continue
        try:
            with _silent():
                tags = read(file, specific_tags=[*_TAGS], stop_before_pixels=True)
        except Exception:  # of another kind, or damaged: opening says what is missing
            continue
        if tags.get("SOPClassUID") == _SLIDE_CLASS and _VOLUME in (tags.get("ImageType") or ()):
            found.setdefault(str(tags.get("SeriesInstanceUID")), []).append(file)
    return found


class DicomSlide(Slide):
    """A series of DICOM files: one of them is named, or the folder that holds no other series."""

    def __init__(self, path: Path) -> None:
        self._slide: Any = None
        self.files = _files_of(path)
        library = _library("wsidicom", path)
        self.reader = f"wsidicom {library.__version__}"
        try:
            with _silent():
                self._slide = library.WsiDicom.open(self.files)
                self._open(path)
        except (InputError, MemoryError):
            self.close()
            raise
        except Exception as error:  # wsidicom raises any exception on broken files
            self.close()
            raise InputError(f"{path}: wsidicom cannot read it ({type(error).__name__}): {_AGAIN}") from None

    def _open(self, path: Path) -> None:
        levels = [*self._slide.levels]
        first = levels[0]
        if len(first.optical_paths) > 1:
            raise InputError(f"{path}: {len(first.optical_paths)} optical paths are no picture in colour")
        if first.default_instance.dataset.bits != 8:
            raise InputError(f"{path}: {first.default_instance.dataset.bits} bits a channel: export 8")

        self._depths = [*first.focal_planes]
        self.planes = len(self._depths)
        kept = [level for level in levels if [*level.focal_planes] == self._depths]
        self._numbers = [level.level for level in kept]
        self.levels = tuple((level.size.height, level.size.width) for level in kept)
        left = len(levels) - len(kept)
        few = [f"{number_of(left, 'level')} without all focal planes left out"] if left else []
        self.mpp, told = None, []
        if first.mpp:
            self.mpp, told = square("DICOM", (first.mpp.width, first.mpp.height))
        self.notes = (*told, *few)

    def _read(self, plane: int, level: int, box: Box) -> Pixels:
        x1, y1, x2, y2 = box
        with quiet(*_LIBRARIES):
            pixels = self._slide.read_region(
                (x1, y1), self._numbers[level], (x2 - x1, y2 - y1), z=self._depths[plane], as_array=True
            )
        pixels = np.asarray(pixels).reshape(y2 - y1, x2 - x1, -1)
        return pixels if pixels.shape[2] == 3 else as_rgb(pixels[..., 0])

    def close(self) -> None:
        """Close its files."""
        if self._slide is not None:
            self._slide.close()


def _files_of(path: Path) -> Sequence[Path]:
    """The files of the series that a path means. Raises InputError."""
    found: Mapping[str, list[Path]] = series_in(path if path.is_dir() else path.parent)
    for files in found.values():
        if path in files:
            return files
    if not path.is_dir():
        raise InputError(f"{path}: DICOM, and no image of a whole slide: name a file of the slide's series")
    if not found:
        raise InputError(f"{path}: no DICOM image of a whole slide in it")
    if len(found) > 1:
        raise InputError(f"{path}: {len(found)} series of DICOM: name one file of each")
    return next(iter(found.values()))


@contextmanager
def _silent() -> Iterator[None]:
    """Without the logs and the warnings of the libraries."""
    with quiet(*_LIBRARIES), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _library(name: str, path: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"{path}: DICOM, for which wsidicom is missing: {install_extra('slides')}") from None
