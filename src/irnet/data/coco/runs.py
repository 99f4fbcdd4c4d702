"""Run lengths of the rows of a COCO file: those of an image read together, before any mask is made."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.data.coco.document import Row, short
from irnet.errors import InputError
from irnet.geometry import masks, run_lengths
from irnet.geometry.masks import Shape, Window


class Runs(NamedTuple):
    """Valid run lengths in a frame of less than 2^32 pixels."""

    lengths: NDArray[np.uint32]
    window: Window  # the smallest that holds the mask

    @property
    def pixels(self) -> int:
        """How many the crop will have."""
        x1, y1, x2, y2 = self.window
        return (x2 - x1) * (y2 - y1)


def with_runs(rows: Sequence[Row], shape: Shape) -> list[Row]:
    """The rows of an image with their run lengths as `Runs`, from which `parse_mask` makes the masks.

    Those with polygons are left as they are, and those that are refused when they are parsed.
    """
    read = list(rows)
    for place, row in enumerate(rows):
        if isinstance(row.get("segmentation"), dict) and not _is_packed(row["segmentation"], shape):
            with suppress(InputError):
                read[place] = row | {"segmentation": read_runs(row["segmentation"], shape)}

    packed = [place for place, row in enumerate(rows) if _is_packed(row.get("segmentation"), shape)]
    try:
        counts, bounds = run_lengths.unpack([rows[place]["segmentation"]["counts"] for place in packed])
    except InputError:  # one of them is no text of COCO's
        return read

    found, valid = run_lengths.windows(counts, bounds, shape)
    lengths = np.split(counts.astype(np.uint32), bounds[1:-1])
    for number, place in enumerate(packed):
        if valid[number]:
            x1, y1, x2, y2 = found[number].tolist()
            read[place] = rows[place] | {"segmentation": Runs(lengths[number], (x1, y1, x2, y2))}
    return read


def _is_packed(segmentation: Any, shape: Shape) -> bool:
    """Whether a segmentation is COCO's compressed text for a frame of this shape."""
    if not isinstance(segmentation, dict):
        return False
    return isinstance(segmentation.get("counts"), str) and segmentation.get("size") == list(shape)


def read_runs(rle: Row, shape: Shape) -> Runs:
    """The run lengths of one row, text or numbers. Raises InputError."""
    lengths = _lengths(rle, shape)
    return Runs(np.array(lengths, dtype=np.uint32), masks.extent(lengths, shape))


def _lengths(rle: Row, shape: Shape) -> Sequence[int]:
    counts = rle.get("counts")
    if rle.get("size") != list(shape):
        raise InputError(
            f"run lengths of size {short(rle.get('size'))} in an image of {list(shape)} (height, width)"
        )
    if not isinstance(counts, str | list):
        raise InputError(f"counts must be text or a list, not {short(counts)}")
    lengths = masks.unpack(counts) if isinstance(counts, str) else counts
    masks.validate_rle(lengths, shape)
    return lengths
