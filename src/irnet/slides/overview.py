"""A part of a slide as small as it is looked at, from the level that is nearest to that size."""

from __future__ import annotations

import numpy as np
import PIL.Image

from irnet.errors import InputError
from irnet.slides.readers.slide import Box, Pixels, Shape, Slide

SAME = 1.03  # a level this little coarser than what is asked for serves it
MOST_READ = 2**27  # px of a level for one picture: more takes seconds
_TOGETHER = 2**24  # px that are read at once


def shrink(slide: Slide, plane: int, box: Box, shape: Shape) -> Pixels:
    """The pixels (h, w, 3) of a box in px of the finest level, each the mean of what it covers.

    Raises InputError where the slide has no level small enough, or is damaged there.
    """
    (height, width), (x1, y1, x2, y2) = shape, box
    if (y2 - y1, x2 - x1) == shape:
        return slide.read(plane, 0, box)
    level = slide.level_for(SAME * max((x2 - x1) / width, (y2 - y1) / height))
    down = slide.downsample(level)
    if (x2 - x1) * (y2 - y1) / down**2 > MOST_READ:
        raise InputError(f"{slide.path}: it has no smaller level for an overview: zoom in to see pixels")

    tall, wide = slide.levels[level]
    left, right = x1 / down, min(x2 / down, wide)
    tops = np.minimum(np.linspace(y1 / down, y2 / down, height + 1), tall)  # of the rows of the picture
    columns = int(left), min(wide, int(np.ceil(right)))
    rows = max(1, int(_TOGETHER / ((columns[1] - columns[0]) * max(1.0, tops[1] - tops[0]))))

    bands = []
    for first in range(0, height, rows):
        top, bottom = float(tops[first]), float(tops[min(first + rows, height)])
        low, high = min(int(top), tall - 1), max(int(top) + 1, int(np.ceil(bottom)))
        part = PIL.Image.fromarray(slide.read(plane, level, (columns[0], low, columns[1], min(high, tall))))
        frame = left - columns[0], top - low, right - columns[0], max(bottom, top + 1e-3) - low
        size = width, min(rows, height - first)
        bands.append(np.asarray(part.resize(size, PIL.Image.Resampling.BOX, frame)))
    return np.concatenate(bands)
