"""Overlays: every cell its own smooth contour on the image, overlaps kept."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from irnet.cells import NO_PARENT, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.geometry.tracing import trace
from irnet.report.colours import colour_cells

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]

SUPERSAMPLING = 4  # lines are drawn this much larger and averaged down
SMOOTHING = 5  # vertices of a pixel contour that are averaged to one point of the line
DASH, GAP = 6.0, 4.0  # px
BAND = 1024  # rows that are drawn at a time in 32 bits: a whole image may be too large
RIM = 1.5  # px of dark rim around a line, so that it holds on bright and dark grounds
RIM_STRENGTH = 0.35
STEP = 2.0  # px between the vertices of a line, about: more are left out
SHARP = 0.25  # rad of a turn from which on two pieces of a line are joined round
FEW = 8  # vertices that a ring keeps, if it has them


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

    order, drawn = _back_to_front(cells), np.empty_like(image)
    reach = width + 2 * RIM + 1  # px that a line may leave its crop by
    tops, bottoms = (zoom * cells.boxes[order][:, [1, 3]] + (-reach, reach)).T

    for top in range(0, len(image), BAND):
        band = image[top : top + BAND].astype(np.float32)
        met = order[(tops < top + BAND) & (bottoms > top)]

        outlines = _outlines(cells.select(met), zoom, broken[met])
        for lines in outlines:
            _stroke(band, top, lines, width + 2 * RIM, np.zeros(3), RIM_STRENGTH)
        for lines, colour in zip(outlines, colours[met], strict=True):
            _stroke(band, top, lines, width, colour, 1.0)
        drawn[top : top + BAND] = np.round(band)
    return drawn


def _back_to_front(cells: Cells) -> NDArray[np.int64]:
    return np.lexsort((-cells.areas, cells.labels))


def _outlines(cells: Cells, zoom: float, dashed: NDArray[np.bool_]) -> list[list[Points]]:
    """The lines of each instance, in px of a picture `zoom` times as large as the frame."""
    every = max(1, int(STEP / zoom))
    lines = []
    for rings, broken in zip(trace(cells.masks, cells.offsets), dashed.tolist(), strict=True):
        smoothed = [zoom * smooth(ring[:-1], every) for ring in rings]
        lines.append([dash for ring in smoothed for dash in _dashes(ring)] if broken else smoothed)
    return lines


def smooth(ring: Points, every: int = 1) -> Points:
    """A closed ring, each vertex averaged with its neighbours along it; its first points come again.

    Where it has many vertices, it keeps one of `every` so many.
    """
    reach = min(SMOOTHING, len(ring)) // 2
    mean = np.mean([np.roll(ring, step, axis=0) for step in range(-reach, reach + 1)], axis=0)
    kept = mean[:: max(1, min(every, len(mean) // FEW))]
    return np.concatenate([kept, kept[:2]])


def _dashes(ring: Points) -> list[Points]:
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))))
    starts = np.arange(0, length[-1], DASH + GAP)
    at = [np.linspace(start, min(start + DASH, length[-1]), 7) for start in starts]
    return [
        np.stack([np.interp(s, length, ring[:, 0]), np.interp(s, length, ring[:, 1])], axis=1) for s in at
    ]


def _stroke(
    band: NDArray[np.float32],
    top: int,
    lines: list[Points],
    width: float,
    colour: NDArray,
    strength: float,
) -> None:
    """Draw anti-aliased lines onto the rows of a picture from `top` on, (h, W, 3), in place."""
    if not lines:
        return
    points = np.concatenate(lines)
    low = np.floor(points.min(axis=0) - width).astype(int).clip(0)
    high = np.ceil(points.max(axis=0) + width).astype(int)
    high[0] = min(high[0], band.shape[1])
    first, last = max(low[1], top), min(high[1], top + len(band))
    if high[0] <= low[0] or last <= first:
        return

    sheet = Image.new("L", tuple((high - low) * SUPERSAMPLING))
    pen = ImageDraw.Draw(sheet)
    for line in lines:
        _draw(pen, (line - low) * SUPERSAMPLING, width * SUPERSAMPLING)
    cover = np.asarray(sheet.reduce(SUPERSAMPLING), dtype=np.float32)[:, :, None] / 255 * strength
    patch = band[first - top : last - top, low[0] : high[0]]
    patch += (colour.astype(np.float32) - patch) * cover[first - low[1] : last - low[1]]


def _draw(pen: ImageDraw.ImageDraw, line: Points, width: float) -> None:
    """Draw a line (k, 2), round where it turns: Pillow's own joints take longer than all the rest."""
    pen.line(list(map(tuple, line.tolist())), fill=255, width=round(width))
    angles = np.arctan2(*np.diff(line, axis=0).T)
    turns = np.abs((np.diff(angles) + np.pi) % (2 * np.pi) - np.pi)
    for x, y in line[1:-1][turns > SHARP].tolist():
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
