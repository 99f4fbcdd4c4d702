"""Colours that tell overlapping cells apart: a greedy colouring of the graph of neighbours."""

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, Cells
from irnet.geometry.boxes import neighbours

# Bright and far apart in hue, so that thin lines hold on pink, teal and grey smears alike.
PALETTE = np.array(
    [
        (255, 214, 0),  # yellow
        (0, 176, 255),  # azure
        (255, 61, 0),  # vermilion
        (118, 255, 3),  # lime
        (213, 0, 249),  # violet
        (0, 230, 190),  # turquoise
        (255, 64, 129),  # rose
        (41, 98, 255),  # blue
        (255, 145, 0),  # orange
        (0, 150, 60),  # green
    ],
    dtype=np.uint8,
)
# Of lines and bars: Okabe and Ito's colours, told apart by colour-blind readers too. The colour of the text
# stands for their black, so that it shows on dark pages.
LINES = ("#999999", "#E69F00", "currentColor", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7")
LOOSE = np.array((255, 255, 255), dtype=np.uint8)  # a nucleus without a cell
MARGIN = 6  # px: cells this close count as neighbours


def colour_cells(cells: Cells) -> NDArray[np.uint8]:
    """One RGB colour an instance, (n, 3): neighbouring cells differ, a nucleus has the colour of its cell.

    With more mutual neighbours than colours the colour least used around a cell is taken. Nuclei without a
    cell are white.
    """
    index = _colour_graph(cells)
    return np.where((index == NO_PARENT)[:, None], LOOSE, PALETTE[index])


def _colour_graph(cells: Cells) -> NDArray[np.int64]:
    whole = np.flatnonzero(cells.labels == CYTOPLASM)
    boxes = cells.boxes[whole] + (-MARGIN, -MARGIN, MARGIN, MARGIN)
    around = [whole[near] for near in neighbours(boxes, boxes)]
    index = np.full(len(cells), NO_PARENT)
    everywhere = np.zeros(len(PALETTE), dtype=np.int64)
    for i in sorted(range(len(whole)), key=lambda i: -len(around[i])):
        nearby = np.bincount(_used(index[around[i]]), minlength=len(PALETTE))
        index[whole[i]] = chosen = np.lexsort((everywhere, nearby))[0]
        everywhere[chosen] += 1
    child = cells.parents != NO_PARENT
    index[child] = index[cells.parents[child]]
    return index


def _used(index: NDArray[np.int64]) -> NDArray[np.int64]:
    return index[index != NO_PARENT]
