"""Outlines of cells as lines of a Matplotlib figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from irnet.cells import NO_PARENT, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.report.colours import colour_cells
from irnet.report.draw import Picture
from irnet.wording import install_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ON_PAPER = np.zeros(3)  # a nucleus without a cell where there is no image: white would not show


def draw_outlines(cells: Cells, picture: Picture | None, axes: Axes | None, *, width: float) -> Axes:
    """Draw every instance into `axes` or a new figure, in px of the frame, in the colours of an overlay.

    Raises InputError where Matplotlib is missing, or the (H, W, 3) picture is not of the frame's size.
    """
    try:
        from matplotlib import pyplot
        from matplotlib.collections import LineCollection
    except ImportError as error:
        raise InputError(f"a plot needs Matplotlib: {install_extra('plot')}") from error
    if picture is not None and picture.shape[:2] != cells.image_shape:
        raise InputError(f"cells of a frame of {cells.image_shape} on an image of {picture.shape[:2]} pixels")

    height, wide = cells.image_shape
    axes = pyplot.subplots()[1] if axes is None else axes
    if picture is not None:
        axes.imshow(picture, extent=(0, wide, height, 0))

    bare = (cells.labels == NUCLEUS) & (cells.parents == NO_PARENT)
    colours = colour_cells(cells) / 255
    if picture is None:
        colours[bare] = ON_PAPER

    # Small instances last: a nucleus shows on its cell.
    rings = cells.polygons()
    for index in np.argsort(-cells.areas, kind="stable").tolist():
        style = "dashed" if bare[index] else "solid"
        axes.add_collection(
            LineCollection(rings[index], colors=[colours[index]], linewidths=width, linestyles=style),
            autolim=False,
        )

    axes.set(xlim=(0, wide), ylim=(height, 0), aspect="equal", xticks=[], yticks=[])
    return axes
