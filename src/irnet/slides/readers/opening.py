"""One door to slides: which reader opens a file, by what is in it."""

from __future__ import annotations

from pathlib import Path

from irnet.data.tiff import MAGICS
from irnet.errors import InputError
from irnet.slides.readers import openslide
from irnet.slides.readers.dicom import DicomSlide, holds_dicom, is_dicom
from irnet.slides.readers.names import SCANNERS, is_slide_name
from irnet.slides.readers.openslide import OpenSlideSlide
from irnet.slides.readers.picture import PictureSlide
from irnet.slides.readers.slide import Slide
from irnet.slides.readers.tiff import TiffSlide, look

_TIFF_NAMES = {".svs", ".ndpi"}  # what scanners write under them is TIFF
_BY_OPENSLIDE = {*SCANNERS} - _TIFF_NAMES  # without it they are no picture
_UNSEEN = "whether it has more focal planes than the one that is read is not known"
_ANY_TIFF = "generic-tiff"  # OpenSlide's name for what no scanner is known to write


def open_slide(path: str | Path) -> Slide:
    """The slide of a file of a scanner, of a TIFF of any kind, or of a plain image.

    OpenSlide opens what scanners write. It knows one focal plane, and of an OME-TIFF one level and no um per
    pixel. So these, NDPI and every TIFF with planes go to tifffile, as do tiles and levels of no scanner.
    DICOM, a file or the folder of a series, goes to wsidicom.

    Raises InputError: there is no such file, nothing reads it, or what reads it is not installed.
    """
    path = Path(path)
    if path.is_dir():
        if holds_dicom(path):
            return DicomSlide(path)
        raise InputError(f"{path}: a folder: name the files of slides in it, of MIRAX the main one")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with open(path, "rb") as file:
            begin = file.read(4)
    except OSError as error:
        raise InputError(f"{path}: may not be read ({error.strerror}): change its permissions") from None

    if is_dicom(path):
        return DicomSlide(path)
    scanner = openslide.vendor(path)
    if begin in MAGICS:
        return _open_tiff(path, None if scanner == _ANY_TIFF else scanner)
    if scanner is not None or path.suffix.lower() in _BY_OPENSLIDE:
        return OpenSlideSlide(path)
    if path.suffix.lower() in _TIFF_NAMES:
        raise InputError(f"{path}: no slide, or damaged from its first byte on: copy or export it again")
    return PictureSlide.open(path)


def _open_tiff(path: Path, scanner: str | None) -> Slide:
    kind = look(path)
    if kind != "planes" and (scanner is not None or path.suffix.lower() in _BY_OPENSLIDE):
        slide = OpenSlideSlide(path)
        slide.notes = (*slide.notes, *([_UNSEEN] if kind == "unknown" else []))
        return slide
    return (
        PictureSlide.open(path)
        if kind in ("plain", "unknown") and not is_slide_name(path)
        else TiffSlide(path)
    )
