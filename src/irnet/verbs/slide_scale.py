"""Um per pixel of a slide that does not say them, estimated from the nuclei of some fields of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from irnet.cells import Cells
from irnet.data.tiff_mpp import NOT_SQUARE, NOT_USED
from irnet.errors import InputError
from irnet.inference.detections import ImageDetections
from irnet.inference.scale import (
    FEW_NUCLEI,
    FIRST_LOOK,
    LEAST_NUCLEI,
    LOOKING,
    OWN_NUCLEI,
    ZOOMS,
    choose_scale,
    estimate_scale,
    evenly_spaced,
    most_frequent,
    nuclei_px,
)
from irnet.progress import each
from irnet.slides.readers.slide import Box, Pixels, Slide
from irnet.slides.tissue import Tissue, find_tissue
from irnet.wording import number_of

FIELDS = 12  # of FIRST_LOOK px a side that are looked at
_FULL = 0.5  # of what the fullest field shows: emptier ones are left
_DIGITS = 3


class Finder(Protocol):
    """What finds candidates, as a `Predictor` does."""

    def find_at(self, zoom: float, image: Pixels) -> ImageDetections:
        """The candidates of an image at so many times its size."""
        ...

    def choose(self, cells: Cells, score: float | None = None) -> Cells:
        """Those that count, linked."""
        ...


class _Looking:
    """Keeps what a finder finds, by how many times their size images were looked at."""

    def __init__(self, finder: Finder) -> None:
        self.finder, self.zoom = finder, 1.0
        self.looks: dict[float, list[Cells]] = {1.0: []}

    def find(self, zoom: float, image: Pixels) -> ImageDetections:
        self.zoom = zoom
        return self.finder.find_at(zoom, image)

    def choose(self, cells: Cells) -> Cells:
        chosen = self.finder.choose(cells)
        self.looks.setdefault(self.zoom, []).append(chosen)
        return chosen


@dataclass(frozen=True)
class Estimate:
    """Um per pixel by nuclei."""

    mpp: float
    low: float  # by single fields
    high: float
    nuclei: int
    fields: int

    def note(self) -> str:
        """What a user should know."""
        basis = f"{number_of(self.nuclei, 'nucleus')} on {number_of(self.fields, 'field')}"
        spread = f"{self.low:.3g} to {self.high:.3g} by single fields"
        few = ", which are few" if self.nuclei < FEW_NUCLEI else ""
        return (
            f"{self.mpp:.3g} um per pixel estimated from {basis}{few} ({spread}), and all sizes in um with it"
        )


def estimate_mpp(
    slide: Slide, plane: int, open_finder: Callable[[], Finder], network_mpp: float, nucleus_px: float
) -> Estimate:
    """The um per pixel at which nuclei of a slide are as wide as in training.

    Looked at are fields of the finest level that show much, spread over the slide.

    Args:
        slide: open, in focus.
        plane: that is read.
        open_finder: opens what finds nuclei.
        network_mpp: its scale.
        nucleus_px: the diameter of nuclei there.

    Raises:
        InputError: the weights know no scale, or too few nuclei are found.
    """
    path = slide.path
    if not network_mpp or not nucleus_px:
        raise InputError(f"{path}: these weights know no size of nuclei: give --mpp")

    boxes = _fields(slide, find_tissue(slide, plane, network_mpp))
    finder = open_finder()
    fields = (slide.read(plane, 0, box) for box in each(boxes, LOOKING))
    looking = _Looking(finder)
    scale = choose_scale(fields, looking.find, looking.choose, nucleus_px)
    if not scale.nucleus_px:
        found = max(sum(map(len, map(nuclei_px, looks))) for looks in looking.looks.values())
        nuclei, where = number_of(found, "nucleus"), number_of(len(boxes), "field")
        few = f"{nuclei} in cells on {where}, {LEAST_NUCLEI} are needed"
        raise InputError(f"{path}: um per pixel cannot be estimated from {few}: give --mpp")

    ratio = nucleus_px / scale.nucleus_px
    if not ZOOMS[0] <= ratio <= ZOOMS[1]:
        wide = f"nuclei are {scale.nucleus_px:.0f} px wide"
        raise InputError(
            f"{path}: {wide}, too far from the network's {nucleus_px:.0f} to be sure: give --mpp"
        )
    looks = [
        looks
        for looks in looking.looks.values()
        if estimate_scale(looks, nucleus_px).nucleus_px == scale.nucleus_px
    ]
    own = [most_frequent(sizes) for sizes in map(nuclei_px, looks[0]) if len(sizes) >= OWN_NUCLEI]
    widest, narrowest = max([*own, scale.nucleus_px]), min([*own, scale.nucleus_px])
    sizes = (scale.nucleus_px, widest, narrowest)
    mpp, low, high = (float(f"{network_mpp * nucleus_px / px:.{_DIGITS}g}") for px in sizes)
    return Estimate(mpp, low, high, scale.nuclei, scale.images)


def say_missing(slide: Slide) -> str:
    """Why the um per pixel of a slide have to be given."""
    known = "um per pixel unknown"
    for note in slide.notes:
        if note.endswith(NOT_SQUARE):
            known = note.removesuffix(f": {NOT_USED}")
        elif note.endswith(NOT_USED):
            known = f"um per pixel implausible ({note})"
    remedy = "give --mpp, as the scanner's manual says it, or have irnet slide plan --estimate-scale"
    return f"{known}: {remedy}"


def _fields(slide: Slide, tissue: Tissue) -> list[Box]:
    """Squares of the finest level that show much, spread over the slide."""
    height, width = slide.shape
    boxes, shares = [], []
    for top in range(0, max(1, height - FIRST_LOOK // 2), FIRST_LOOK):
        for left in range(0, max(1, width - FIRST_LOOK // 2), FIRST_LOOK):
            box = left, top, min(left + FIRST_LOOK, width), min(top + FIRST_LOOK, height)
            boxes.append(box)
            shares.append(tissue.share_of(box))
    full = [box for box, share in zip(boxes, shares, strict=True) if share >= _FULL * max(shares)]
    return evenly_spaced(full, FIELDS)
