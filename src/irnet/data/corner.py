"""Outlines that huddle in the upper left corner of their image: coordinates in um, or of a smaller copy.

Coordinates in um lie in the part of the image that its um per pixel is, and outlines are as small in numbers
as cells are in um. The one alone is common: of cells in a low magnification, of a corner that was annotated.
"""

import numpy as np

from irnet.cells import CYTOPLASM, NUCLEUS, Cells

IN_A_CORNER = (
    "images whose outlines all lie in the upper left corner, as small as cells are in um: are coordinates in "
    "um, or of a smaller copy? Pixels of the image are meant; divide um by um per pixel"
)
_MOST = 0.55  # of width and height: what is drawn for 0.5 um per pixel reaches no further
_CHANCE = 0.004  # that as many outlines as there are lie so by themselves, were they spread over the image
_LARGEST = {CYTOPLASM: 80.0, NUCLEUS: 20.0}  # diameter in the median, um


def is_in_a_corner(cells: Cells) -> bool:
    """Whether coordinates may be um: few outlines tell it if they lie close to the corner, many sooner."""
    if not len(cells):
        return False
    height, width = cells.image_shape
    reach = float((cells.boxes[:, 2:] / (width, height)).max())
    if reach > _MOST or 2 * len(cells) * np.log(reach) > np.log(_CHANCE):
        return False
    diameters = np.sqrt(4 / np.pi * cells.areas)
    medians = {
        label: np.median(diameters[cells.labels == label])
        for label in _LARGEST
        if (cells.labels == label).any()
    }
    return all(median <= _LARGEST[label] for label, median in medians.items())
