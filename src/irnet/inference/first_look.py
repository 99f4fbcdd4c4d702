"""The one scale of the images of a call, files or a data set, before they are segmented."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.data.image import read_image, states_no_mpp
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.inference.methods import Method
from irnet.inference.scale import LOOKING, OWN, Scale, evenly_spaced, given_scale
from irnet.progress import each

_logger = logging.getLogger(__name__)


def scale_of_files(
    method: Method,
    files: Sequence[Path],
    *,
    mpp: float | None = None,
    scale: float | None = None,
    page: int | None = None,
) -> Scale | None:
    """Return how the files whose um per pixel is unknown are taken, all alike; None where there are none.

    Args:
        method: estimates the scale from up to 32 of them, spread over the list; the answer depends on the
            list alone.
        files: all images of the call. Those that cannot be read give nothing.
        mpp: um per pixel of all images, if the user gives it.
        scale: px of the method's scale per image px, if the user gives it.
        page: of multi-page TIFF files, from 0.

    Raises:
        InputError: `scale` is out of range, or given beside `mpp`.
    """
    fixed = given_scale(scale, mpp)

    unknown = [file for file in files if mpp is None and states_no_mpp(file, page)]
    if not unknown:
        return None
    return fixed or method.scale_of(_read(evenly_spaced(unknown), page))


def scale_of_set(method: Method, entries: Sequence[Entry]) -> Scale:
    """Return the one scale of the images of a set whose um per pixel is unknown, and log what it rests on."""
    unknown = [entry for entry in entries if entry.content.cells.mpp is None]
    if not unknown:
        return OWN

    chosen = each(evenly_spaced(unknown), LOOKING, lambda entry: entry.name)
    scale = method.scale_of(entry.read().image for entry in chosen)
    for note in scale.notes:
        _logger.warning(note)
    return scale


def _read(files: Sequence[Path], page: int | None) -> Iterator[NDArray[np.uint8]]:
    for file in each(files, LOOKING, lambda file: file.name):
        try:
            image = read_image(file, page)
        except InputError:  # reported when its turn comes
            continue
        yield image.pixels
