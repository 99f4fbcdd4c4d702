"""Overlays: every cell its own smooth contour on the image, overlaps kept."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from irnet.cells import NO_PARENT, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.geometry.polygons import contours
from irnet.report.colours import colour_cells

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]

SUPERSAMPLING = 4  # lines are drawn this much larger and averaged down
SMOOTHING = 5  # vertices of a pixel contour that are averaged to one point of the line
DASH, GAP = 6.0, 4.0  # px
RIM = 1.5  # px of dark rim around a line, so that it holds on bright and dark grounds
RIM_STRENGTH = 0.35


def overlay(
    image: Picture,
    cells: Cells,
    *,
    width: float = 2.0,
    colours: NDArray[np.uint8] | None = None,
    dashed: NDArray[np.bool_] | None = None,
    zoom: float = 1.0,
) -> Picture:
    """The (H, W, 3) image with the contour of every instance, `width` px wide.

    Neighbouring cells have different colours and a nucleus has the colour of its cell; a nucleus without a
    cell is dashed and white. `colours` (n, 3) and `dashed` (n,) replace that choice. The image may be `zoom`
    times as large as the frame of the cells. Raises InputError when it is of another size.
    """
    if any(abs(have - zoom * want) > 1 for have, want in zip(image.shape, cells.image_shape, strict=False)):
        raise InputError(f"cells of a frame of {cells.image_shape} on an image of {image.shape[:2]} pixels")
    colours = colour_cells(cells) if colours is None else colours
    broken = (cells.labels == NUCLEUS) & (cells.parents == NO_PARENT) if dashed is None else dashed
    order = _back_to_front(cells)
    outlines = [_outline(cells, i, zoom=zoom, dashed=bool(broken[i])) for i in order]
    canvas = image.astype(np.float32)
    for lines in outlines:
        _stroke(canvas, lines, width + 2 * RIM, np.zeros(3), RIM_STRENGTH)
    for lines, colour in zip(outlines, colours[order], strict=True):
        _stroke(canvas, lines, width, colour, 1.0)
    return np.round(canvas).astype(np.uint8)


def _back_to_front(cells: Cells) -> NDArray[np.int64]:
    return np.lexsort((-cells.areas, cells.labels))


def _outline(cells: Cells, index: int, *, zoom: float, dashed: bool) -> list[Points]:
    x, y = cells.offsets[index]
    rings = [zoom * _smooth(ring[:-1]) for ring in contours(cells.masks[index], (int(x), int(y)))]
    return [dash for ring in rings for dash in _dashes(ring)] if dashed else rings


def _smooth(ring: Points) -> Points:
    """A closed ring, each vertex averaged with its neighbours along it; its first points come again."""
    reach = min(SMOOTHING, len(ring)) // 2
    mean = np.mean([np.roll(ring, step, axis=0) for step in range(-reach, reach + 1)], axis=0)
    return np.concatenate([mean, mean[:2]])


def _dashes(ring: Points) -> list[Points]:
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))))
    starts = np.arange(0, length[-1], DASH + GAP)
    at = [np.linspace(start, min(start + DASH, length[-1]), 7) for start in starts]
    return [
        np.stack([np.interp(s, length, ring[:, 0]), np.interp(s, length, ring[:, 1])], axis=1) for s in at
    ]


def _stroke(
    canvas: NDArray[np.float32], lines: list[Points], width: float, colour: NDArray, strength: float
) -> None:
    """Draw anti-aliased lines onto the canvas (H, W, 3), in place."""
    for line in lines:
        low = np.floor(line.min(axis=0) - width).astype(int).clip(0)
        high = np.ceil(line.max(axis=0) + width).astype(int).clip(0, canvas.shape[1::-1])
        if (high <= low).any():
            continue
        sheet = Image.new("L", tuple((high - low) * SUPERSAMPLING))
        vertices = [tuple(p) for p in (line - low) * SUPERSAMPLING]
        ImageDraw.Draw(sheet).line(vertices, fill=255, width=round(width * SUPERSAMPLING), joint="curve")
        cover = np.asarray(sheet.reduce(SUPERSAMPLING), dtype=np.float32)[:, :, None] / 255 * strength
        patch = canvas[low[1] : high[1], low[0] : high[0]]
        patch += (colour.astype(np.float32) - patch) * cover
