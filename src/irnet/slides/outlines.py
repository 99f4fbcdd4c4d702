"""Outlines of instances as bytes: steps between vertices in half pixels, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from irnet.errors import InputError
from irnet.geometry.polygons import Ring

_PARTS = 2  # of a pixel: `geometry.tracing` has vertices on the middles of sides of pixels alone


def encode_outline(rings: Sequence[Ring], corner: NDArray[np.integer]) -> bytes:
    """Closed rings (k, 2) of px in the frame, of an instance whose box begins at `corner` (2,).

    What is compressed: bytes a step (1 or 2), the number of rings, the vertices of each without the last,
    which is its first; then all steps along x, from the corner on, and all along y. Little-endian.
    """
    vertices = [np.rint((ring[:-1] - corner) * _PARTS).astype(np.int64) for ring in rings]
    steps = np.diff(np.concatenate([np.zeros((1, 2), np.int64), *vertices]), axis=0)
    wide = bool(np.abs(steps).max(initial=0) > 127)
    header = np.array([1 + wide, len(rings), *map(len, vertices)], dtype="<u2")
    return zlib.compress(header.tobytes() + steps.T.astype("<i2" if wide else "i1").tobytes())


def decode_outline(packed: bytes, corner: Sequence[int]) -> list[Ring]:
    """The rings of such bytes, each closed, longest first, (k, 2) x, y in the frame. Raises InputError."""
    try:
        return _decode(zlib.decompress(packed), corner)
    except (zlib.error, ValueError) as error:
        raise InputError(f"an outline is damaged ({error})") from None


def _decode(plain: bytes, corner: Sequence[int]) -> list[Ring]:
    wide, count = np.frombuffer(plain, "<u2", 2).tolist()
    lengths = np.frombuffer(plain, "<u2", count, offset=4).tolist()
    steps = np.frombuffer(plain, "<i2" if wide == 2 else "i1", offset=4 + 2 * count)
    if len(steps) != 2 * sum(lengths) or 0 in lengths:
        raise ValueError(f"{len(steps)} steps for rings of {lengths}")
    vertices = np.cumsum(steps.reshape(2, -1).T, axis=0, dtype=np.int64) / _PARTS + np.asarray(corner)
    ends = np.cumsum([0, *lengths]).tolist()
    return [np.concatenate([vertices[a:b], vertices[a : a + 1]]) for a, b in pairwise(ends)]
