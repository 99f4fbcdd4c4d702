"""What only TIFF has: pages, 16-bit colour, and the size of a pixel in OME, ImageJ and TIFF tags."""

import math
import re
from pathlib import Path

import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray

from irnet.cells import PLAUSIBLE_MPP
from irnet.data.pixels import scale_16bit, turn
from irnet.errors import InputError

_SUBFILE, _BITS, _DESCRIPTION, _X, _Y, _UNIT = 254, 258, 270, 282, 283, 296
_UM = {"µm": 1.0, "μm": 1.0, "\\u00B5m": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3, "mm": 1e3}
_UM |= {"cm": 1e4, "inch": 25_400.0}
_TIFF_UNITS = {2: "inch", 3: "cm"}
_OME = re.compile(r'PhysicalSize([XY])(Unit)?="([^"]*)"')
_COLOURS = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.RGB)
_REMEDY = "save it as 8- or 16-bit grey or RGB"


def choose_page(picture: PIL.Image.Image, page: int | None) -> int:
    """Go to the page asked for, or to the only one in full resolution, and return its number. InputError."""
    count = getattr(picture, "n_frames", 1)
    if page is None:
        full = [number for number in range(count) if not _is_reduced(picture, number)]
        if len(full) > 1:
            raise InputError(f"it has {count} pages: choose one with --page 0 to {count - 1}")
        page = full[0] if full else 0
    if not 0 <= page < count:
        raise InputError(f"page {page} was asked for, but it has pages 0 to {count - 1}")
    picture.seek(page)
    return page


def bits(picture: PIL.Image.Image) -> int:
    """Bits per sample of the current page, the most of its samples."""
    return max(_tags(picture).get(_BITS, (1,)))


def read_16bit(path: Path, page: int) -> tuple[PIL.Image.Image, list[str]]:
    """A page of 16-bit grey, RGB or RGBA as an 8-bit picture, and notes. Raises InputError."""
    with tifffile.TiffFile(path) as file:
        leaf = file.pages[page]
        if not isinstance(leaf, tifffile.TiffPage) or leaf.dtype != np.uint16:
            raise InputError(f"16-bit pixels that are not unsigned whole numbers: {_REMEDY}")
        if leaf.photometric not in _COLOURS or leaf.samplesperpixel not in (1, 3, 4):
            raise InputError(f"16-bit pixels of {leaf.samplesperpixel} channels: {_REMEDY}")
        check_segments(leaf, path.stat().st_size)
        values = read_pixels(leaf)  # (H, W), (H, W, S) or (S, H, W)
    if leaf.samplesperpixel > 1 and leaf.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        values = np.moveaxis(values, 0, -1)
    if leaf.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        values = 65535 - values
    scaled, note = scale_16bit(values[..., :3] if leaf.samplesperpixel > 1 else values)
    picture = PIL.Image.fromarray(scaled)
    if tifffile.EXTRASAMPLE.UNASSALPHA in leaf.extrasamples:
        picture.putalpha(PIL.Image.fromarray((values[..., 3] >> 8).astype(np.uint8)))
    orientation = leaf.tags.get("Orientation")
    return turn(picture, orientation.value if orientation else 1), [note]


def calibration(picture: PIL.Image.Image, page: int) -> tuple[float | None, list[str]]:
    """um per pixel as the tags say it, None if they do not or if it is beyond PLAUSIBLE_MPP, and notes."""
    tags = _tags(picture)
    picture.seek(0)
    description = str(_tags(picture).get(_DESCRIPTION, ""))
    picture.seek(page)
    text = description.encode("latin-1", "ignore").decode("utf-8", "replace")
    for source, size in (("OME", _ome(text)), ("ImageJ", _imagej(text, tags)), ("TIFF", _resolution(tags))):
        if size is None or not all(PLAUSIBLE_MPP[0] <= side <= PLAUSIBLE_MPP[1] for side in size):
            continue  # beyond, resolution tags are about paper
        if not math.isclose(*size, rel_tol=0.01):
            return None, [
                f"pixels of {size[0]:.4g} x {size[1]:.4g} um ({source} tags) are not square: not used"
            ]
        return size[0], [f"{size[0]:.4g} um per pixel by {source} tags"]
    return None, []


def read_pixels(leaf: tifffile.TiffPage) -> NDArray:
    """The values of a page. Raises InputError where a codec is missing."""
    try:
        return leaf.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        raise InputError("its compression needs more codecs: pip install 'irnet[tiff]'") from None


def check_segments(leaf: tifffile.TiffPage, file_size: int) -> None:
    """Raise InputError unless every strip or tile is there: a decoder would fill what is not with zeros."""
    places = list(zip(leaf.dataoffsets, leaf.databytecounts, strict=True))
    if len(places) != math.prod(leaf.chunked) or any(n <= 0 or start + n > file_size for start, n in places):
        raise InputError("strips or tiles are missing, the file is cut short: copy or export it again")


def _tags(picture: PIL.Image.Image) -> dict:
    return dict(getattr(picture, "tag_v2", {}))


def _is_reduced(picture: PIL.Image.Image, number: int) -> bool:
    picture.seek(number)
    return bool(int(_tags(picture).get(_SUBFILE, 0)) & 1)


def _ome(description: str) -> tuple[float, float] | None:
    if "<OME" not in description:
        return None
    found: dict[tuple[str, str], str] = {}
    for axis, unit, value in _OME.findall(description):
        found.setdefault((axis, unit), value)  # the first image's
    sides = [_um(found.get((axis, "")), found.get((axis, "Unit"), "µm")) for axis in "XY"]
    return (sides[0], sides[1]) if sides[0] and sides[1] else None


def _imagej(description: str, tags: dict) -> tuple[float, float] | None:
    unit = re.search(r"^unit=(.*)$", description, re.MULTILINE)
    return _per_unit(tags, unit[1].strip()) if description.startswith("ImageJ=") and unit else None


def _resolution(tags: dict) -> tuple[float, float] | None:
    return _per_unit(tags, _TIFF_UNITS.get(tags.get(_UNIT, 2), ""))


def _per_unit(tags: dict, unit: str) -> tuple[float, float] | None:
    per_x, per_y = float(tags.get(_X, 0)), float(tags.get(_Y, 0))
    return (_UM[unit] / per_x, _UM[unit] / per_y) if per_x > 0 and per_y > 0 and unit in _UM else None


def _um(value: str | None, unit: str) -> float | None:
    try:
        return float(value or "") * _UM[unit.strip()]
    except (ValueError, KeyError):
        return None
