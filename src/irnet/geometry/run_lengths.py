"""COCO's compressed run lengths of many masks at once: read, checked, and where each mask lies."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.errors import InputError

Ints = NDArray[np.int64]

_MAX_DIGITS = 8  # of five bits
_FOREIGN = "compressed run lengths hold characters that COCO never writes"


def unpack(texts: Sequence[str]) -> tuple[Ints, Ints]:
    """The run lengths of all texts, one after the other, and where each begins, with the end of the last.

    Raises InputError on text that COCO never writes.
    """
    try:
        codes = np.frombuffer("".join(texts).encode("latin-1"), dtype=np.uint8) - np.uint8(48)
    except UnicodeEncodeError:
        raise InputError(_FOREIGN) from None
    if len(codes) and codes.max() >= 64:  # what lies below 0 is above 200
        raise InputError(_FOREIGN)

    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    stops = np.cumsum(sizes)
    if (codes[stops[sizes > 0] - 1] & 0x20).any():
        raise InputError("compressed run lengths end in the middle of a number")
    ends = np.flatnonzero(codes < 0x20)
    starts = np.append(0, ends[:-1] + 1)[: len(ends)]
    lengths = ends - starts + 1
    if (digits := int(lengths.max(initial=0))) > _MAX_DIGITS:
        raise InputError("compressed run lengths hold a number that no frame can have")

    bits = (codes & 0x1F).astype(np.int64)
    counts = bits[starts]
    for place in range(1, digits):
        longer = np.flatnonzero(lengths > place)
        counts[longer] |= bits[starts[longer] + place] << 5 * place
    counts -= (bits[ends] >> 4) << 5 * lengths  # the last digit's upper bit is the sign

    # From the fourth of a text on, each is a step from two before.
    bounds = np.append(0, np.searchsorted(ends, stops))
    owners = np.repeat(np.arange(len(texts)), np.diff(bounds))
    places = np.arange(len(counts)) - bounds[owners]
    for chain in (np.flatnonzero(places % 2 == 1), np.flatnonzero((places % 2 == 0) & (places > 0))):
        counts[chain] = _running(counts[chain], owners[chain])
    return counts, bounds


def windows(counts: Ints, bounds: Ints, shape: tuple[int, int]) -> tuple[Ints, NDArray[np.bool_]]:
    """The smallest window x1, y1, x2, y2 that holds each mask, (n, 4), 0 without pixels; and which are valid.

    Valid run lengths are not negative and add up to a frame of `shape` (H, W).
    """
    height, width = shape
    number = len(bounds) - 1
    owners = np.repeat(np.arange(number), np.diff(bounds))
    ends = _running(counts, owners)

    last = np.where(np.diff(bounds) > 0, ends[bounds[1:] - 1] if len(ends) else 0, 0)
    negative = np.bincount(owners, counts < 0, minlength=number) > 0
    valid = (last == height * width) & ~negative

    places = np.arange(len(counts)) - bounds[owners]
    runs = np.flatnonzero((places % 2 == 1) & (counts > 0) & valid[owners])
    (first, top), (end, bottom) = (np.divmod(p, height) for p in (ends[runs] - counts[runs], ends[runs] - 1))
    tall = first < end  # a run that goes on at the top of the next column

    found = np.zeros((number, 4), dtype=np.int64)
    begins = np.flatnonzero(np.diff(owners[runs], prepend=-1))
    if len(begins):
        sides = [
            np.minimum.reduceat(first, begins),
            np.minimum.reduceat(np.where(tall, 0, top), begins),
            np.maximum.reduceat(end, begins) + 1,
            np.maximum.reduceat(np.where(tall, height - 1, bottom), begins) + 1,
        ]
        found[owners[runs][begins]] = np.stack(sides, axis=1)
    return found, valid


def _running(values: Ints, owners: Ints) -> Ints:
    """Sums of the values up to each, of each owner's alone."""
    sums = np.cumsum(values)
    begins = np.diff(owners, prepend=-1) != 0
    before = (sums - values)[begins]
    return sums - before[np.cumsum(begins) - 1]
