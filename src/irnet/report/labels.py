"""Numbers of instances written on a picture of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from irnet.cells import CYTOPLASM, Cells
from irnet.report.colours import colour_cells

Picture = NDArray[np.uint8]
SIZE = 14  # px of the letters
RIM = 2  # px of dark rim around them
INSIDE = 4  # px between a cell's upper end and its number


def write_numbers(
    picture: Picture,
    cells: Cells,
    numbers: Sequence[int],
    *,
    colours: NDArray[np.uint8] | None = None,
    zoom: float = 1.0,
) -> None:
    """Write the number of each instance onto an (H, W, 3) picture of their frame, in place.

    A cell has it at the upper end of its outline, a nucleus in its middle, each in the colour of the contour:
    `colours` (n, 3), None for those of an overlay. The picture may be `zoom` times as large as the frame.
    """
    font = ImageFont.load_default(size=SIZE)
    colours = colour_cells(cells) if colours is None else colours
    boxes = (zoom * cells.boxes).tolist()
    for number, box, label, colour in zip(
        numbers, boxes, cells.labels.tolist(), colours.tolist(), strict=True
    ):
        x1, y1, x2, y2 = box
        left, top, right, bottom = font.getbbox(str(number), stroke_width=RIM)
        width, height = int(right - left) + 1, int(bottom - top) + 1
        x = round((x1 + x2 - width) / 2)
        y = round(y1 + INSIDE if label == CYTOPLASM else (y1 + y2 - height) / 2)
        x, y = _within(x, width, picture.shape[1]), _within(y, height, picture.shape[0])

        patch = picture[y : y + height, x : x + width]
        sheet = Image.fromarray(patch)
        ImageDraw.Draw(sheet).text(
            (-left, -top), str(number), tuple(colour), font, stroke_width=RIM, stroke_fill=(0, 0, 0)
        )
        patch[:] = np.asarray(sheet)


def _within(start: int, length: int, side: int) -> int:
    return max(0, min(start, side - length))
