"""Binary maps to instances: connected components, and the cell that each nucleus lies in."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import label

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells


def split_components(mask: NDArray) -> tuple[list[NDArray[np.bool_]], list[tuple[int, int]]]:
    """Crops and (x, y) offsets of the connected parts of a binary map (H, W), in reading order."""
    numbered = _number_parts(mask)
    places = find_objects(numbered)
    crops = [numbered[place] == number for number, place in enumerate(places, start=1)]
    return crops, [(columns.start, rows.start) for rows, columns in places]


def count_components(mask: NDArray) -> int:
    """How many connected parts a binary map (H, W) has."""
    return int(_number_parts(mask).max(initial=0))


def _number_parts(mask: NDArray) -> NDArray[np.int64]:
    return np.asarray(label(np.asarray(mask) != 0, connectivity=2))  # pixels may touch at a corner


def link_to_only_holder(cells: Cells) -> Cells:
    """The cells with each nucleus linked to the only cytoplasm that holds more than half of it."""
    nuclei = np.flatnonzero(cells.labels == NUCLEUS)
    cytoplasms = np.flatnonzero(cells.labels == CYTOPLASM)
    pairs, shared = cells.select(nuclei).shared_pixels(cells.select(cytoplasms))
    held = pairs[shared * 2 > cells.areas[nuclei[pairs[:, 0]]]]
    only = held[np.bincount(held[:, 0])[held[:, 0]] == 1]
    parents = np.full(len(cells), NO_PARENT)
    parents[nuclei[only[:, 0]]] = cytoplasms[only[:, 1]]
    return replace(cells, parents=parents)
