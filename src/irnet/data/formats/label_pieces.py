"""What the pieces of its labels tell of a map: that it is a binary map, a picture, or was resized as one."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import label as number_pieces

from irnet.data.mask_image import Map
from irnet.errors import InputError

PIECES = 2  # a label: maps of instances have about one, binary maps and pictures many
_WHITE = (255, 65535)


def refuse_binary(values: Map, numbered: NDArray[np.int32], count: int) -> None:
    """Raise InputError for a map that does not tell its cells apart: true and false, 0 and 255, or pieces.

    White is the largest number of 8 or 16 bits, or of the map's own kind.
    """
    pieces = np.asarray(number_pieces(numbered, connectivity=2))
    found = int(pieces.max())
    largest = 1 if values.dtype.kind == "b" else 2 ** (8 * values.itemsize - (values.dtype.kind == "i")) - 1
    binary = count == 1 and int(values.max()) in (largest, *_WHITE)
    if found > PIECES * count or (count == 1 and found > 1) or binary:
        raise InputError(
            f"{count} labels in {found} pieces: it is a binary map or a picture; number its cells, for "
            "example with skimage.measure.label"
        )
    if found > count:
        _refuse_resampled(numbered, pieces)


def _refuse_resampled(numbered: NDArray[np.int32], pieces: NDArray[np.int64]) -> None:
    """Raise InputError for a map with numbers between numbers: a small piece of one label rings another.

    Where a map was made larger or smaller as pictures are, the edge of a cell has every number below its own.
    """
    whole = find_objects(numbered)
    areas, owners = np.bincount(pieces.ravel()), np.zeros(pieces.max() + 1, dtype=np.int64)
    owners[pieces.ravel()] = numbered.ravel()
    largest = np.zeros(len(whole) + 1, dtype=np.int64)
    np.maximum.at(largest, owners, areas)

    for number, place in enumerate(find_objects(pieces), start=1):
        if areas[number] == largest[owners[number]]:
            continue
        middle = (slice(place[0].start + 1, place[0].stop - 1), slice(place[1].start + 1, place[1].stop - 1))
        for label in np.unique(numbered[place]).tolist():
            if (
                label
                and _holds(middle, whole[label - 1])
                and 2 * box_size(whole[label - 1]) > box_size(place)
            ):
                raise InputError(
                    "the edges of labels have numbers of others: make the map smaller or larger without "
                    "interpolation (nearest neighbour)"
                )


def _holds(outer: tuple[slice, slice], inner: tuple[slice, slice]) -> bool:
    return all(a.start <= b.start and b.stop <= a.stop for a, b in zip(outer, inner, strict=True))


def box_size(place: tuple[slice, slice]) -> int:
    return math.prod(side.stop - side.start for side in place)
