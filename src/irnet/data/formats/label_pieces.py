"""What the pieces of its labels tell of a map: binary, a picture, resized as one, or numbers that ran over.

In 8 bits the 257th cell is 1 again, or 255 as all after it are. The pieces of such a label are as large as
cells and lie far apart; those of a cell that others cover in the middle lie close, or are slivers.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import label as number_pieces

from irnet.data.mask_image import Map
from irnet.errors import InputError

PIECES = 2  # a label: maps of instances have about one, binary maps and pictures many
_OVERRUN = {  # by the largest number
    255: "more than 255 cells in 8 bits: save 16 bits",
    65535: "more than 65,535 cells in 16 bits: cut the image into fields",
}
_FULL = 0.9  # share of these numbers that occur where cells were more than they
_STRAY = 0.01  # far pieces a label that a map may have by chance
_WHOLE = 0.25  # area of a piece that is a cell of its own, by the median of cells
_FAR = 2  # from the largest of its label, in longer sides of its box


class _Pieces(NamedTuple):
    """The connected pieces of the labels of a map, numbered from 1."""

    places: NDArray[np.int64]  # (H, W)
    areas: NDArray[np.int64]  # of each, that of the ground first
    owners: NDArray[np.int64]  # their labels
    largest: NDArray[np.int64]  # of each label


def check_pieces(values: Map, numbered: NDArray[np.int32], count: int, *, apart: bool = False) -> int:
    """How many labels are read as one instance in several pieces. Raises InputError for a map that is none.

    `numbered` (H, W) has 1 ... count for the labels of `values`. `apart`: each piece is an instance of its
    own, so that it matters only whether numbers ran over.
    """
    top = next((top for top in _OVERRUN if _FULL * top <= count <= values.max() <= top), 0)
    if apart and not top:
        return 0
    places = np.asarray(number_pieces(numbered, connectivity=2))
    found = int(places.max())
    if not apart:
        _refuse_binary(values, count, found, top)
    if found == count:
        return 0

    pieces = _describe(places, numbered, count)
    if top:
        _refuse_overrun(pieces, count, top)
    if apart:
        return 0
    _refuse_resampled(pieces, numbered)
    return int(np.count_nonzero(np.bincount(pieces.owners[1:]) > 1))


def _describe(places: NDArray[np.int64], numbered: NDArray[np.int32], count: int) -> _Pieces:
    areas = np.bincount(places.ravel())
    owners = np.zeros(len(areas), dtype=np.int64)
    owners[places.ravel()] = numbered.ravel()
    largest = np.zeros(count + 1, dtype=np.int64)
    order = np.argsort(areas[1:], kind="stable") + 1
    largest[owners[order]] = order  # of each label the last counts
    return _Pieces(places, areas, owners, largest)


def _refuse_binary(values: Map, count: int, found: int, top: int) -> None:
    """Raise InputError for a map that does not tell its cells apart: true and false, 0 and 255, or pieces.

    White is the largest number of 8 or 16 bits, or of the map's own kind.
    """
    largest = 1 if values.dtype.kind == "b" else 2 ** (8 * values.itemsize - (values.dtype.kind == "i")) - 1
    binary = count == 1 and int(values.max()) in (largest, *_OVERRUN)
    if found > PIECES * count or (count == 1 and found > 1) or binary:
        over = f", or {_OVERRUN[top]}" if top else ""
        raise InputError(
            f"{count} labels in {found} pieces: it is a binary map or a picture{over}; number its cells, for "
            "example with skimage.measure.label"
        )


def _refuse_overrun(pieces: _Pieces, count: int, top: int) -> None:
    """Raise InputError where labels, nearly all numbers up to `top`, stand for several cells far apart."""
    spans = [(y.start, x.start, y.stop, x.stop) for y, x in find_objects(pieces.places)]
    starts, stops = np.split(np.array(spans), 2, axis=1)  # (pieces, 2) each: y, x
    main = pieces.largest[pieces.owners[1:]]
    first, last = starts[main - 1], stops[main - 1]
    gaps = np.maximum(starts, first) - np.minimum(stops, last)
    far = gaps.max(axis=1) > _FAR * (last - first).max(axis=1)
    far &= pieces.areas[1:] >= _WHOLE * np.median(pieces.areas[pieces.largest[1:]])
    if (number := int(np.count_nonzero(far))) > _STRAY * count:
        raise InputError(f"{_OVERRUN[top]}; {number} have the number of another cell, far away")


def _refuse_resampled(pieces: _Pieces, numbered: NDArray[np.int32]) -> None:
    """Raise InputError for a map with numbers between numbers: a small piece of one label rings another.

    Where a map was made larger or smaller as pictures are, the edge of a cell has every number below its own.
    """
    whole = find_objects(numbered)
    smaller = pieces.areas < pieces.areas[pieces.largest[pieces.owners]]
    for number, place in enumerate(find_objects(pieces.places), start=1):
        if not smaller[number]:
            continue
        middle = (slice(place[0].start + 1, place[0].stop - 1), slice(place[1].start + 1, place[1].stop - 1))
        for label in np.unique(numbered[place]).tolist():
            inner = whole[label - 1]
            if label and _holds(middle, inner) and 2 * box_size(inner) > box_size(place):
                raise InputError(
                    "the edges of labels have numbers of others: make the map smaller or larger without "
                    "interpolation (nearest neighbour)"
                )


def _holds(outer: tuple[slice, slice], inner: tuple[slice, slice]) -> bool:
    return all(a.start <= b.start and b.stop <= a.stop for a, b in zip(outer, inner, strict=True))


def box_size(place: tuple[slice, slice]) -> int:
    return math.prod(side.stop - side.start for side in place)
