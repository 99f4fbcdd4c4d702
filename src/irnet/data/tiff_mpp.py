"""um per pixel as a TIFF file states it: in OME, ImageJ, Aperio, MetaMorph and resolution tags.

The first of these that states a size decides. One that is there and cannot be understood is reported; no
other takes its place.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

import PIL.Image

from irnet.conventions import PLAUSIBLE_MPP
from irnet.data import lengths
from irnet.data.ome import find_pixels
from irnet.data.xml_text import read_elements
from irnet.errors import InputError

SUBFILE, WIDTH, HEIGHT, DESCRIPTION, X_RESOLUTION, Y_RESOLUTION, UNIT = 254, 256, 257, 270, 282, 283, 296
_TIFF_UNITS = {2: "inch", 3: "cm", 4: "mm", 5: "um"}
NOT_USED = "not used"  # ends what is said of a size that is none
NOT_SQUARE = f"not square: {NOT_USED}"
_SQUARE = 0.01  # sides that differ by more are not taken for squares
PAPER = (4.0, 900.0)  # um per pixel of paper, 28 to 6350 an inch
_SAME_FIELD = 0.02  # by how much the proportions of a smaller copy may differ: its sides are rounded
_MPP = re.compile(r"\|\s*MPP\s*=\s*([^|\s]+)")

Size = tuple[float, float]  # um, x and y
Tags = dict[int, Any]


@dataclass(frozen=True)
class _Page:
    number: int
    tags: Tags
    first: Tags  # of page 0
    full: Tags  # of the page that this one is a smaller copy of; its own where it is none

    @property
    def text(self) -> str:
        return description(self.first)


def um_per_pixel(picture: PIL.Image.Image, page: int) -> tuple[float | None, list[str]]:
    """um per pixel of a page, None where it is not known or x and y disagree, and notes on it."""

    def tags(number: int) -> Tags:
        picture.seek(number)
        return dict(getattr(picture, "tag_v2", {}))

    stated = um_by_tags(tags, page)
    picture.seek(page)
    return stated


def um_by_tags(tags: Callable[[int], Tags], page: int) -> tuple[float | None, list[str]]:
    """The same by the tags of pages, which are given by number."""
    place = _gather(tags, page)
    for source, read in _SOURCES.items():
        try:
            size = read(place)
        except (InputError, expat.ExpatError) as error:
            return None, [f"um per pixel by {source} metadata are not used: {error}"]
        if size is not None:
            return square(source, size)
    return None, []


def is_reduced(tags: Tags) -> bool:
    """Whether a page is a smaller copy of another."""
    return _whole(tags.get(SUBFILE)) & 1 == 1


def description(tags: Tags) -> str:
    """The text of a page's ImageDescription."""
    value = tags.get(DESCRIPTION, "")
    data = value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")
    try:
        return data.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def is_aperio(tags: Tags) -> bool:
    """Whether page 0 is an Aperio slide: the other pages are smaller copies, label and macro."""
    return description(tags).startswith("Aperio")


def _gather(tags: Callable[[int], Tags], page: int) -> _Page:
    first, own, full = tags(0), tags(page), page
    if is_aperio(first):
        full = 0
    while full and is_reduced(tags(full)):
        full -= 1
    return _Page(page, own, first, tags(full))


def square(source: str, size: Size) -> tuple[float | None, list[str]]:
    """um per pixel of a stated size, None where no microscope has it or it is not square; and a note."""
    text = f"{size[0]:.4g} x {size[1]:.4g} um"
    if not all(map(_is_plausible, size)):
        return None, [f"pixels of {text} by {source} metadata are no microscope's: {NOT_USED}"]
    if not math.isclose(*size, rel_tol=_SQUARE):
        return None, [f"pixels of {text} by {source} metadata are {NOT_SQUARE}"]
    return size[0], [f"{size[0]:.4g} um per pixel by {source} metadata"]


def _ome(place: _Page) -> Size | None:
    pixels = find_pixels(place.text, place.number)
    if pixels is None:
        return None
    sides = [_ome_side(pixels, axis) for axis in "XY"]
    if sides[0] is None and sides[1] is None:
        return None
    if sides[0] is None or sides[1] is None:
        raise InputError("PhysicalSizeX or PhysicalSizeY is missing")
    return _reduced((sides[0], sides[1]), place)


def _ome_side(pixels: dict[str, str], axis: str) -> float | None:
    name = f"PhysicalSize{axis}"
    if name not in pixels:
        return None
    return lengths.parse(pixels[name], pixels.get(f"{name}Unit", "um"), name)


def _imagej(place: _Page) -> Size | None:
    lines = place.text.splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    if not place.text.startswith("ImageJ=") or not (unit := fields.get("unit", "").strip()):
        return None
    tags = place.tags if X_RESOLUTION in place.tags else place.first
    stated = _TIFF_UNITS.get(_whole(tags.get(UNIT, 1)))
    lengths.unit_of(unit)  # pixels are no length, regardless of what the tags say of inches
    sides = [_imagej_side(tags, tag, names, stated) for tag, names in _imagej_units(fields, unit)]
    return (sides[0], sides[1]) if sides[0] and sides[1] else None


def _imagej_units(fields: dict[str, str], unit: str) -> Iterator[tuple[int, str]]:
    yield X_RESOLUTION, unit
    yield Y_RESOLUTION, fields.get("yunit", "").strip() or unit


def _imagej_side(tags: Tags, tag: int, unit: str, stated: str | None) -> float:
    """um, by ImageJ's unit; by the unit of the tag where only that gives a microscope's."""
    per_unit = _number(tags.get(tag))
    if per_unit == 0:
        return 0.0
    um = lengths.unit_of(unit) / per_unit
    other = lengths.unit_of(stated) / per_unit if stated else um
    return other if not _is_plausible(um) and _is_plausible(other) else um


def _aperio(place: _Page) -> Size | None:
    if not is_aperio(place.first):
        return None
    found = _MPP.search(description(place.tags)) or _MPP.search(place.text)
    if not found:
        return None
    um = lengths.parse(found[1].replace(",", "."), "um", "MPP")
    return _reduced((um, um), place)


def _metamorph(place: _Page) -> Size | None:
    if not place.text.lstrip().startswith("<MetaData"):
        return None
    props = [element.attributes for element in read_elements(place.text) if element.name == "prop"]
    fields = {prop.get("id", ""): prop.get("value", "") for prop in props}
    x = fields.get("spatial-calibration-x")
    if x is None or fields.get("spatial-calibration-state", "on").lower() in ("off", "false", "0"):
        return None
    unit = fields.get("spatial-calibration-units", "")
    sides = [
        lengths.parse(value, unit, "spatial-calibration")
        for value in (x, fields.get("spatial-calibration-y", x))
    ]
    return _reduced((sides[0], sides[1]), place)


def _resolution(place: _Page) -> Size | None:
    """The page's own tags; those that a smaller copy took over from the whole belong to the whole."""
    unit = _TIFF_UNITS.get(_whole(place.tags.get(UNIT, 2)))
    per_x, per_y = (_number(place.tags.get(tag)) for tag in (X_RESOLUTION, Y_RESOLUTION))
    if unit is None or per_x == 0 or per_y == 0:
        return None
    um = lengths.unit_of(unit)
    size = um / per_x, um / per_y
    if unit in ("inch", "cm") and (per_x == per_y == 1 or all(PAPER[0] <= um <= PAPER[1] for um in size)):
        return None  # they are about paper, or nothing
    copied = [_number(place.full.get(tag)) for tag in (X_RESOLUTION, Y_RESOLUTION)] == [per_x, per_y]
    return _reduced(size, place) if copied else size


_SOURCES: dict[str, Callable[[_Page], Size | None]] = {
    "OME": _ome,
    "ImageJ": _imagej,
    "Aperio": _aperio,
    "MetaMorph": _metamorph,
    "TIFF": _resolution,
}


def _reduced(size: Size, place: _Page) -> Size:
    """The size of a pixel of this page, of the whole's size. Raises InputError for another field."""
    x, y = (_number(place.full.get(side)) / (_number(place.tags.get(side)) or 1) for side in (WIDTH, HEIGHT))
    if x == y == 1 or x == 0 or y == 0:
        return size
    if not math.isclose(x, y, rel_tol=_SAME_FIELD):
        raise InputError(f"page {place.number} shows another field than the page they are of")
    factor = round((x + y) / 2) if abs(x - round(x)) < _SAME_FIELD * x else (x + y) / 2
    return size[0] * factor, size[1] * factor


def _is_plausible(um: float) -> bool:
    return PLAUSIBLE_MPP[0] <= um <= PLAUSIBLE_MPP[1]


def _number(value: Any) -> float:
    """A number of a tag, 0 for what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def _whole(value: Any) -> int:
    return int(_number(value[0] if isinstance(value, tuple) and value else value))
