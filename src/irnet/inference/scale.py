"""The scale of images: resampled to the network's where it is known, estimated from nuclei where it is not.

Nuclei of squamous cells differ little in size, and the network still finds them at half and at twice the
magnification that it was trained at. So what it finds at the images' own resolution gives their scale. Images
that are taken together come from one scanner, so they share one estimate, for which their nuclei are pooled.
It serves to resample; it never becomes um per pixel, or measurements would measure themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from irnet.cells import NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.nucleus_size import diameters
from irnet.errors import InputError
from irnet.inference.detections import ImageDetections
from irnet.progress import each
from irnet.wording import number_of

LOOKED_AT = 32  # images of a call that give its scale
FIRST_LOOK = 1024  # px a side of the middle of each that is looked at
SMALLER_LOOK = 0.6  # times its size, at which it is looked at again: lobes of white cells are no nuclei there
LEAST_LOOKS, ENOUGH_NUCLEI = 8, 200  # images and nuclei after which no more are looked at
LEAST_NUCLEI = 20
LEAST_TRUE = 5  # annotated nuclei whose median is worth storing with weights
FEW_NUCLEI = 60  # fewer are warned of
PRIOR_NUCLEI = 10  # an estimate counts as much against the image's own resolution as this many nuclei
CONFIDENT = 0.5  # least score of a nucleus that counts
ZOOMS = (0.5, 2.0)  # beyond these too little is found to estimate from
SAME_SIZE = 1.25  # nuclei larger or smaller by less are as in training, where magnifications vary too
BANDWIDTH = 0.1  # of the density of diameters, as a share of the diameter
USUAL_PX = (12, 80)  # nuclei outside are reported
OWN_NUCLEI = 10  # images with fewer do not say whether they agree with the others
AGREEING = 1.8  # ratio of the diameters of images of one magnification
GIVEN = (0.05, 20.0)  # scales that a user may give

UNKNOWN = "um per pixel unknown"
LOOKING = "estimating the scale"  # as progress has it

_Item = TypeVar("_Item")


class Scale(NamedTuple):
    """How images of unknown um per pixel are taken."""

    zoom: float = 1.0  # px of the network's scale per image px
    estimated: bool = False
    images: int = 0  # on how many images
    nuclei: int = 0  # and nuclei the estimate rests
    nucleus_px: float | None = None  # their diameter in the images
    notes: tuple[str, ...] = (f"{UNKNOWN}: taken at its own resolution",)
    seen: Mapping[str, ImageDetections] = {}  # what was found on the way at zoom 1, by `digest` of the image

    def record(self) -> dict[str, Any]:
        """Return what run.json says of it; `Scale(**record)` is the same scale."""
        return {name: value for name, value in self._asdict().items() if name != "seen"}

    def saw(self, image: NDArray[np.uint8]) -> ImageDetections | None:
        """What was found in an image when the scale was looked for, where it is taken at its own size."""
        return self.seen.get(digest(image)) if self.zoom == 1 and self.seen else None


OWN = Scale()  # images are taken as they are


def given_scale(zoom: float | None, mpp: float | None = None) -> Scale | None:
    """Return the scale that a user gives, None where he gives none.

    Raises `InputError` when it is out of range, or given beside `mpp`, which says how large images are too.
    """
    if zoom is None:
        return None

    low, high = GIVEN
    if mpp is not None:
        raise InputError("--mpp and --scale both say how large the images are: leave --scale out")
    if not low <= zoom <= high:
        raise InputError(f"scale {zoom:g} is out of range: give {low:g} to {high:g} times the image's size")
    return Scale(zoom, notes=(f"{UNKNOWN}: {_taken(zoom)}, as asked",))


def evenly_spaced(items: Sequence[_Item], most: int = LOOKED_AT) -> list[_Item]:
    """Return at most `most` of `items`, evenly spread over them, and so are the first of what is returned."""
    places = np.linspace(0, len(items) - 1, min(len(items), most)).round()
    chosen = [items[int(place)] for place in places]
    return chosen[::4] + chosen[2::4] + chosen[1::4] + chosen[3::4]


def digest(image: NDArray[np.uint8]) -> str:
    """Return what tells an (H, W, 3) image from others."""
    return hashlib.sha256(image.tobytes()).hexdigest() + str(image.shape)


def estimate_scale(fields: Sequence[Cells], nucleus_px: float) -> Scale:
    """Return the scale that makes the nuclei found in images at their own resolution `nucleus_px` wide.

    Counted are nuclei that are whole, of score 0.5 at least, and the best of their cell: white cells lie free
    or are several on one cell. Their most frequent diameter decides; the fewer they are, the nearer the scale
    stays to that of the images. Below 20 of all images nothing is estimated.
    """
    each = [sizes for cells in fields if len(sizes := nuclei_px(cells))]
    sizes = np.concatenate([[], *each])
    if len(sizes) < LEAST_NUCLEI:
        few = f"{number_of(len(sizes), 'nucleus')} in cells, too few to estimate the scale"
        return Scale(notes=(f"{UNKNOWN}: {_taken(1.0)}, {few}",))

    mode = most_frequent(sizes)
    # In logarithms, the mean of the images' own scale and of the estimate, weighted by numbers of nuclei.
    trust = len(sizes) / (len(sizes) + PRIOR_NUCLEI)
    zoom = round(float(np.clip((nucleus_px / mode) ** trust, *ZOOMS)), 4)
    if 1 / SAME_SIZE <= zoom <= SAME_SIZE:
        zoom = 1.0

    basis = f"scale estimated from {len(sizes)} nuclei on {number_of(len(each), 'image')}, {mode:.1f} px wide"
    notes = (f"{UNKNOWN}: {basis}; {_taken(zoom)}", *_warn(mode, each))
    return Scale(zoom, True, len(each), len(sizes), round(mode, 2), notes)


def choose_scale(
    images: Iterable[NDArray[np.uint8]],
    find: Callable[[float, NDArray[np.uint8]], ImageDetections],
    choose: Callable[[Cells], Cells],
    nucleus_px: float,
) -> Scale:
    """Return the scale that (H, W, 3) images give together, the middle of each looked at.

    Images taken too large show lobes of white cells as large as nuclei, so they are looked at smaller than
    they are, until there are enough nuclei. Only if these do not say that the images are to shrink, they are
    looked at in full too, which tells whether they have to be enlarged.

    `find` returns the candidates of an image at so many times its size, `choose` those that count, linked.
    What was found in whole images at their own resolution goes with the scale. An image that fails gives
    nothing here.
    """
    middles: list[tuple[NDArray[np.uint8], bool]] = []  # and whether it is the whole image
    fields: list[Cells] = []
    for image in images:
        middle = centre(image, FIRST_LOOK)
        if (found := _look(SMALLER_LOOK, middle, find)) is None:
            continue

        whole = middle.shape == image.shape
        middles.append((middle if whole else middle.copy(), whole))  # a copy lets go of the image
        fields.append(choose(found.cells))
        if len(fields) >= LEAST_LOOKS and sum(map(len, map(nuclei_px, fields))) >= ENOUGH_NUCLEI:
            break

    smaller = estimate_scale(fields, nucleus_px)
    if smaller.zoom < 1:
        return smaller

    fields, seen = [], {}
    for middle, whole in each(middles, f"{LOOKING} again"):
        if (found := _look(1.0, middle, find)) is None:
            continue
        fields.append(choose(found.cells))
        if whole:
            seen[digest(middle)] = found

    own = estimate_scale(fields, nucleus_px)
    taken = smaller if smaller.estimated and own.zoom <= 1 else own
    return taken._replace(seen=seen)


def _look(
    zoom: float, image: NDArray[np.uint8], find: Callable[[float, NDArray[np.uint8]], ImageDetections]
) -> ImageDetections | None:
    try:
        return find(zoom, image)
    except Exception:  # reported when its turn comes
        return None


def median_nucleus(truths: Iterable[Content], mpp: float) -> float | None:
    """Return the median diameter (px) of whole nuclei in images resampled to `mpp`, None where they are few.

    An image of unknown um per pixel counts as it is, as in training.
    """
    sizes = [
        diameters(truth.cells.of(NUCLEUS)) * ((truth.cells.mpp or mpp) / mpp if mpp else 1.0)
        for truth in truths
    ]

    joined = np.concatenate([[], *sizes])
    return float(np.median(joined)) if len(joined) >= LEAST_TRUE else None


def centre(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the middle of an (H, W, 3) image, at most `side` px high and wide: a view."""
    top, left = (max(0, length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def nuclei_px(cells: Cells) -> NDArray[np.float64]:
    """Return the diameters (px) of the nuclei of an image that tell its scale."""
    return diameters(cells.select(_best_of_cells(cells)))


def _best_of_cells(cells: Cells) -> NDArray[np.int64]:
    """Return the indices of the confident nuclei that belong to a cell, of each cell the best."""
    linked = (cells.labels == NUCLEUS) & (cells.parents != NO_PARENT) & (cells.scores >= CONFIDENT)
    order = np.flatnonzero(linked)
    order = order[np.argsort(-cells.scores[order], kind="stable")]
    _, first = np.unique(cells.parents[order], return_index=True)
    return order[first]


def most_frequent(sizes: NDArray[np.float64]) -> float:
    """Return where the density of the logarithms of `sizes` is highest."""
    logs = np.log(sizes)
    grid = np.linspace(logs.min(), logs.max(), 256)
    density = np.exp(-(((grid[:, None] - logs) / BANDWIDTH) ** 2) / 2).sum(axis=1)  # (256,)
    return float(np.exp(grid[density.argmax()]))


def _taken(zoom: float) -> str:
    return "taken at its own resolution" if zoom == 1 else f"taken at {zoom:.3g} times its size"


def _warn(mode: float, each: Sequence[NDArray[np.float64]]) -> tuple[str, ...]:
    """Return what may be wrong with an estimate from nuclei `mode` px wide, image by image in `each`."""
    notes = []
    low, high = USUAL_PX
    if not low <= mode <= high:
        notes.append(f"nuclei of {mode:.1f} px: outside {low} to {high} px outlines are poor, look at them")
    if sum(map(len, each)) < FEW_NUCLEI:
        notes.append("the scale rests on few nuclei: give --mpp, or --scale after a look at the overlays")
    own = [float(np.median(sizes)) for sizes in each if len(sizes) >= OWN_NUCLEI]

    small, large = np.percentile(own, (10, 90)) if own else (1.0, 1.0)
    if large > AGREEING * small:
        notes.append(
            f"nuclei are {small:.0f} px wide on some images and {large:.0f} px on others: if these are of "
            "several magnifications, give --mpp, or take each magnification by itself"
        )
    return tuple(notes)
