"""Which files are slides, by their names: what is asked before anything is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from irnet.data.image import MAX_PIXELS
from irnet.data.listing import IMAGE_SUFFIXES
from irnet.errors import InputError
from irnet.slides.readers.dicom import holds_dicom, is_dicom

SCANNERS = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".czi", ".dcm")
SLIDE_SUFFIXES = (*SCANNERS, ".ome.tif", ".ome.tiff", ".btf", ".tf8")
_TIFF, _LARGE = (".tif", ".tiff"), 2**20  # bytes: a smaller file hardly holds more pixels than an image may


def is_slide_name(path: Path) -> bool:
    """Whether a file is called as files of scanners are."""
    return path.name.lower().endswith(SLIDE_SUFFIXES)


def slides_among(paths: Sequence[Path]) -> list[Path]:
    """The slides, where all that is named are such; none where images are named.

    Slides are files of scanners, TIFF too large for an image, and those in folders without any image. Raises
    InputError where both are named.
    """
    slides, images = [], []
    for path in paths:
        inside = _in_folder(path) if path.is_dir() else [path] if _is_slide(path) else []
        slides += inside
        images += [] if inside else [path]
    if slides and images:
        raise InputError(f"{slides[0]} is a slide and {images[0]} is none: name them in two calls")
    return slides


def slides_beside_images(paths: Sequence[Path]) -> list[Path]:
    """The slides in folders that hold images, too: `slides_among` leaves them."""
    folders = [path for path in paths if path.is_dir() and _holds_images(path)]
    return [file for folder in folders for file in _files(folder) if file.suffix.lower() in SCANNERS]


def _in_folder(folder: Path) -> list[Path]:
    if _holds_images(folder):
        return []
    slides = [file for file in _files(folder) if file.suffix.lower() in SCANNERS and not is_dicom(file)]
    return [*slides, *([folder] if holds_dicom(folder) else [])]  # files of DICOM are one slide


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))


def _holds_images(folder: Path) -> bool:
    return any(file.suffix.lower() in IMAGE_SUFFIXES for file in _files(folder))


def _is_slide(path: Path) -> bool:
    if path.suffix.lower() in (*SCANNERS, ".btf", ".tf8") or (path.is_file() and is_dicom(path)):
        return True
    if path.suffix.lower() not in _TIFF or not path.is_file() or path.stat().st_size < _LARGE:
        return False
    from irnet.slides.readers.tiff import pixels_in

    return pixels_in(path) > MAX_PIXELS
