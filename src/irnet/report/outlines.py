"""Outlines of cells as lines of a Matplotlib figure, with what a figure of a paper needs beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.geometry.tracing import trace
from irnet.report.colours import colour_cells
from irnet.report.draw import Picture, smooth
from irnet.report.measures import Measured
from irnet.wording import install_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ON_PAPER = np.zeros(3)  # a nucleus without a cell where there is no image: white would not show
UNKNOWN = np.full(3, 0.75)  # an instance whose measure is not known
COLOURS = "viridis"  # told apart by colour-blind readers, and in grey
OPACITY = 0.35  # of what is filled
TEXT, FRAME = 6, 0.3  # points
BAR = 2.0  # points that a scale bar is thick
BAR_SHARE = 4  # a scale bar takes a quarter of the width at most
MARGIN = 0.03  # of the longer side, around it


@dataclass(frozen=True, kw_only=True)
class Style:
    """How instances are drawn."""

    width: float  # of the lines, points
    fill: bool = False
    numbers: Sequence[int] = ()  # of the instances, () for 0, 1, 2 ...
    ids: bool = False  # whether they are written
    group: str = "instance"  # what the groups of outlines are called in SVG files, before the number
    scale_bar: bool = False  # where um per pixel is known
    by: Measured | None = None  # what gives the colours
    dash_bare: bool = True  # whether nuclei without a cell are dashed


def need_matplotlib() -> None:
    """Raise InputError where Matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(f"a plot needs Matplotlib: {install_extra('plot')}") from error


def draw_outlines(cells: Cells, picture: Picture | None, axes: Axes | None, style: Style) -> Axes:
    """Draw every instance into `axes` or a new figure, in px of the frame, in the colours of an overlay.

    The picture (H, W, 3) may be smaller than the frame. Raises InputError where Matplotlib is missing, or the
    picture is not of the frame's form.
    """
    need_matplotlib()
    from matplotlib import pyplot

    height, width = cells.image_shape
    if picture is not None and abs(picture.shape[0] * width - picture.shape[1] * height) > max(
        picture.shape[:2]
    ):
        raise InputError(f"cells of a frame of {cells.image_shape} on an image of {picture.shape[:2]} pixels")

    axes = pyplot.subplots()[1] if axes is None else axes
    if picture is not None:
        axes.imshow(picture, extent=(0, width, height, 0))
    draw_instances(axes, cells, _colours(cells, style.by, on_paper=picture is None), style)

    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xticks=[], yticks=[])
    for edge in axes.spines.values():
        edge.set_linewidth(FRAME)
    if style.scale_bar and cells.mpp is not None:
        draw_scale_bar(axes, cells.mpp)
    if style.by is not None:
        _draw_colour_bar(axes, style.by)
    return axes


def draw_instances(axes: Axes, cells: Cells, colours: NDArray[np.float64], style: Style) -> None:
    """Draw instances in their colours (n, 3), the small ones last: a nucleus shows on its cell."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    bare = (cells.labels == NUCLEUS) & (cells.parents == NO_PARENT) & style.dash_bare
    rings = [[smooth(ring[:-1]) for ring in mine] for mine in trace(cells.masks, cells.offsets)]
    numbers = list(style.numbers) or list(range(len(cells)))

    for index in np.argsort(-cells.areas, kind="stable").tolist():
        name = f"{style.group}-{numbers[index]}"
        if style.fill and rings[index]:
            path = Path.make_compound_path(*(Path(ring, closed=True) for ring in rings[index]))
            axes.add_patch(
                PathPatch(path, facecolor=(*colours[index], OPACITY), linewidth=0, gid=f"{name}-fill")
            )
        lines = LineCollection(
            rings[index],
            colors=[colours[index]],
            linewidths=style.width,
            linestyles="dashed" if bare[index] else "solid",
            path_effects=_rim(style.width + 1.0, 0.35),
            gid=name,
        )
        axes.add_collection(lines, autolim=False)
    if style.ids:
        letters = colours if style.by is None else np.ones_like(colours)
        _write_numbers(axes, cells, numbers, letters)


def draw_scale_bar(axes: Axes, mpp: float) -> None:
    """Draw a bar of a round length in um into the lower left corner of axes in px; `mpp` is um per pixel."""
    from matplotlib.lines import Line2D

    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    length = bar_length(abs(right - left) * mpp)
    margin = MARGIN * max(abs(right - left), abs(bottom - top))
    x, y = left + margin, bottom - margin

    for colour, width in (("white", BAR + 1.0), ("black", BAR)):
        line = Line2D([x, x + length / mpp], [y, y], linewidth=width, color=colour, solid_capstyle="butt")
        line.set_gid("scale-bar")
        axes.add_artist(line)
    axes.annotate(
        f"{length:g} µm",
        (x, y),
        xytext=(0, BAR + 1.5),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=TEXT,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
    )


def bar_length(extent: float) -> float:
    """The longest round length, um, that takes a quarter of `extent` at most.

    >>> bar_length(250.0), bar_length(17.0)
    (50.0, 2.0)
    """
    most = extent / BAR_SHARE
    power = 10.0 ** math.floor(math.log10(most))
    return max(round(power * factor, 10) for factor in (1, 2, 5) if power * factor <= most * (1 + 1e-9))


def _colours(cells: Cells, by: Measured | None, *, on_paper: bool) -> NDArray[np.float64]:
    """RGB of each instance, (n, 3), 0 to 1."""
    if by is None:
        colours = colour_cells(cells) / 255
        if on_paper:
            colours[(cells.labels == NUCLEUS) & (cells.parents == NO_PARENT)] = ON_PAPER
        return colours

    from matplotlib import colormaps

    known = np.isfinite(by.values)
    shares = (np.where(known, by.values, by.low) - by.low) / (by.high - by.low)
    return np.where(known[:, None], colormaps[COLOURS](shares.clip(0, 1))[:, :3], UNKNOWN)


def _draw_colour_bar(axes: Axes, by: Measured) -> None:
    """A bar at the right, pointed where values lie beyond its ends."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    known = by.values[np.isfinite(by.values)]
    ends = bool((known < by.low).any()), bool((known > by.high).any())
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get(ends, "neither")

    mappable = ScalarMappable(Normalize(by.low, by.high), COLOURS)
    place = axes.inset_axes((1.015, 0.0, 0.025, 1.0))
    bar = axes.figure.colorbar(mappable, cax=place, extend=extend)
    bar.set_label(by.title, fontsize=TEXT + 1)
    bar.outline.set_linewidth(FRAME)
    place.tick_params(labelsize=TEXT, width=FRAME, length=2)


def _write_numbers(axes: Axes, cells: Cells, numbers: Sequence[int], colours: NDArray[np.float64]) -> None:
    """A cell has its number at the upper end of its outline, a nucleus in its middle."""
    for number, box, label, colour in zip(
        numbers, cells.boxes.tolist(), cells.labels.tolist(), colours.tolist(), strict=True
    ):
        x1, y1, x2, y2 = box
        whole = label == CYTOPLASM
        axes.text(
            (x1 + x2) / 2,
            y1 if whole else (y1 + y2) / 2,
            str(number),
            ha="center",
            va="top" if whole else "center",
            fontsize=TEXT,
            parse_math=False,
            color=colour,
            path_effects=_rim(0.9, 1.0),
            clip_on=True,
        )


def _rim(width: float, opacity: float) -> list[Any]:
    """A dark rim around lines or letters, so that they hold on bright and dark grounds; `width` in points."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width, foreground="black", alpha=opacity), Normal()]
