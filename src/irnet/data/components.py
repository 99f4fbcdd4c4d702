"""Binary maps to instances: connected components, and the cell that each nucleus lies in."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import label

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells


def split_components(mask: NDArray) -> tuple[list[NDArray[np.bool_]], list[tuple[int, int]]]:
    """Crops and (x, y) offsets of the connected parts of a binary map (H, W), in reading order."""
    numbered = np.asarray(label(np.asarray(mask) != 0, connectivity=2))  # pixels may touch at a corner
    places = find_objects(numbered)
    crops = [numbered[place] == number for number, place in enumerate(places, start=1)]
    return crops, [(columns.start, rows.start) for rows, columns in places]


def link_nuclei(cells: Cells) -> Cells:
    """The cells with each nucleus linked to the only cytoplasm that holds more than half of it."""
    nuclei = np.flatnonzero(cells.labels == NUCLEUS)
    cytoplasms = np.flatnonzero(cells.labels == CYTOPLASM)
    shared = cells.select(nuclei).intersections(cells.select(cytoplasms))  # (nuclei, cytoplasms)
    held = shared * 2 > cells.areas[nuclei][:, None]
    parents = np.full(len(cells), NO_PARENT)
    for nucleus, holders in zip(nuclei, held, strict=True):
        if holders.sum() == 1:
            parents[nucleus] = cytoplasms[holders.argmax()]
    return replace(cells, parents=parents)
