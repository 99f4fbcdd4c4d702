"""Label maps: pictures in which each pixel holds the number of the one instance it belongs to, or 0.

Cellpose (`STEM_cp_masks.png` or `.tif`), StarDist and InstanSeg write them, as PNG or TIFF. A page holds one
class. No pixel can belong to two instances of a class, so that the overlap of cells is lost.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import label as number_pieces

from irnet.cells import CYTOPLASM, Cells
from irnet.data.formats.coco_json import naming
from irnet.data.integers import Map, read_integers
from irnet.errors import InputError
from irnet.geometry.masks import Shape

MAX_LABELS = 2**16
MAX_CROP_PIXELS = 2**30  # all crops of a page together: labels strewn over the frame stand for gigabytes
PIECES = 2  # a label: maps of instances have about one, binary maps and pictures many


def read_labels(path: str | os.PathLike, shape: Shape, labels: Sequence[int] = (CYTOPLASM,)) -> Cells:
    """The instances of a file's label maps, in a frame of `shape` (H, W).

    `labels` says of which class the instances of each page are. Raises InputError that names the file and
    the remedy, also for a binary map or a picture: its "labels" lie in many pieces.
    """
    path = Path(path)
    with naming(str(path)):
        pages = read_integers(path, shape)
        if len(pages) != len(labels):
            raise InputError(
                f"{len(pages)} pages, but {len(labels)} classes: name the class of each page, for example "
                "--label nucleus,cytoplasm"
            )
        return Cells.concat([_cells(page, label) for page, label in zip(pages, labels, strict=True)])


def _cells(values: Map, label: int) -> Cells:
    if values.min() < 0:
        raise InputError(f"the label {values.min()} is negative: save the map with more bits")
    numbered, count = _renumber(values)
    places = find_objects(numbered)
    if sum(math.prod(side.stop - side.start for side in place) for place in places) > MAX_CROP_PIXELS:
        raise InputError("its labels are strewn all over the frame: is it a picture?")
    pieces = np.asarray(number_pieces(numbered, connectivity=2)).max()
    if pieces > PIECES * count:
        raise InputError(
            f"{count} labels in {pieces} pieces: it is a binary map or a picture; number its cells, for "
            "example with skimage.measure.label"
        )
    return Cells.build(
        [numbered[place] == number for number, place in enumerate(places, start=1)],
        [(columns.start, rows.start) for rows, columns in places],
        [label] * count,
        (values.shape[0], values.shape[1]),
    )


def _renumber(values: Map) -> tuple[NDArray[np.int32], int]:
    """The map with labels 1, 2, 3, ... in their order, however large they were, and their number."""
    found, inverse = np.unique(values, return_inverse=True)
    first = 0 if found[0] == 0 else 1
    if (count := len(found) + first - 1) > MAX_LABELS:
        raise InputError(f"{count:,} labels are more than {MAX_LABELS:,}: is it a picture?")
    return inverse.reshape(values.shape).astype(np.int32) + first, count
