"""Contact sheets: instances cut out of their images, all at one scale, in the order of a measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from irnet.cells import Cells
from irnet.report.draw import Picture
from irnet.report.outlines import FRAME, TEXT, Style, draw_instances, draw_scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILE_MM = 28.0  # a tile is about as wide
CAPTION_MM = 7.0  # below each
TITLE_MM, GAP_MM = 6.0, 0.4  # above all, and around each
ROOM = 1.15  # side of the tiles in sides of the largest instance
MM = 25.4  # an inch
COLOUR = np.array([0.0, 0.69, 1.0])  # azure of the overlays


@dataclass(frozen=True, eq=False)
class Tile:
    """An instance with its nuclei, and the image that it is cut out of."""

    family: Cells  # the instance first
    image: Picture  # (H, W, 3)
    name: str
    value: str


def side_of(tiles: Sequence[Tile]) -> tuple[float, bool]:
    """The side of all tiles, and whether it is in um, else in px: all are at one scale."""
    in_um = all(tile.family.mpp is not None for tile in tiles)
    sides = []
    for tile in tiles:
        x1, y1, x2, y2 = tile.family.boxes[0].tolist()
        sides.append(max(x2 - x1, y2 - y1) * _unit(tile, in_um))
    return ROOM * max(sides), in_um


def form_of(count: int, width_mm: float) -> tuple[int, float, float]:
    """Columns of a sheet of so many tiles, the side of each in mm, and the sheet's height in mm."""
    columns = max(1, min(count, int(width_mm // TILE_MM)))
    tile_mm = min(width_mm / columns, 2 * TILE_MM)
    return columns, tile_mm, -(-count // columns) * (tile_mm + CAPTION_MM) + TITLE_MM


def draw_sheet(tiles: Sequence[Tile], title: str, *, width_mm: float, style: Style) -> Figure:
    """The tiles row by row, each with value and name; a scale bar in the first, where um are known."""
    from matplotlib.figure import Figure

    columns, tile_mm, height = form_of(len(tiles), width_mm)
    figure = Figure(figsize=(width_mm / MM, height / MM))
    figure.text(0.01, 1 - TITLE_MM / 2 / height, title, fontsize=TEXT + 1, va="center")

    side, in_um = side_of(tiles)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        bottom = height - TITLE_MM - row * (tile_mm + CAPTION_MM) - tile_mm
        place = (column * tile_mm + GAP_MM, bottom, tile_mm - 2 * GAP_MM, tile_mm - 2 * GAP_MM)
        axes = figure.add_axes(tuple(np.divide(place, [width_mm, height, width_mm, height]).tolist()))
        _draw_tile(axes, tile, side / _unit(tile, in_um), replace(style, group=f"tile-{number}"))
        if number == 0 and in_um and style.scale_bar:
            draw_scale_bar(axes, _unit(tile, in_um))
    return figure


def cut_out(image: Picture, cells: Cells, index: int, side: float) -> tuple[Picture, tuple[int, int]]:
    """The square of `side` px about an instance, or what of it the frame leaves, and its corner."""
    x1, y1, x2, y2 = cells.boxes[index].tolist()
    left, top = max(0, int((x1 + x2 - side) / 2)), max(0, int((y1 + y2 - side) / 2))
    right, bottom = int(np.ceil((x1 + x2 + side) / 2)) + 1, int(np.ceil((y1 + y2 + side) / 2)) + 1
    return image[top:bottom, left:right], (left, top)


def family_of(cells: Cells, index: int) -> Cells:
    """An instance, and behind it its nuclei."""
    return cells.select([index, *np.flatnonzero(cells.parents == index).tolist()])


def _unit(tile: Tile, in_um: bool) -> float:
    return (tile.family.mpp or 1.0) if in_um else 1.0


def _draw_tile(axes: Axes, tile: Tile, side: float, style: Style) -> None:
    """The middle of a tile is that of its instance; beyond the frame it is white."""
    x1, y1, x2, y2 = tile.family.boxes[0].tolist()
    left, top = (x1 + x2 - side) / 2, (y1 + y2 - side) / 2
    crop, (x, y) = cut_out(tile.image, tile.family, 0, side)

    axes.imshow(crop, extent=(x, x + crop.shape[1], y + crop.shape[0], y))
    draw_instances(axes, tile.family, np.tile(COLOUR, (len(tile.family), 1)), style)
    axes.set(xlim=(left, left + side), ylim=(top + side, top), aspect="equal", xticks=[], yticks=[])
    for edge in axes.spines.values():
        edge.set_linewidth(FRAME)
    axes.set_xlabel(f"{tile.value}\n{tile.name}", fontsize=TEXT - 1, labelpad=1.5, parse_math=False)
