"""Windows of a large image: half-open cores that share out its pixels, each seen with a halo around it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.errors import InputError

PHASE = 64  # coarsest stride of a feature pyramid (P6): a window that starts elsewhere shifts every feature


@dataclass(frozen=True)
class Window:
    """A core that owns cells and the larger frame that is looked at to find them; x1, y1, x2, y2 in px."""

    core: tuple[int, int, int, int]
    frame: tuple[int, int, int, int]
    image_shape: tuple[int, int]  # H, W

    @property
    def origin(self) -> tuple[int, int]:
        """x and y of the frame's first pixel."""
        return self.frame[0], self.frame[1]

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width of the frame."""
        x1, y1, x2, y2 = self.frame
        return y2 - y1, x2 - x1

    def cut_out(self, image: NDArray) -> NDArray:
        """The frame's pixels of the whole image (a view)."""
        x1, y1, x2, y2 = self.frame
        return image[y1:y2, x1:x2]

    def owns(self, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which boxes (n, 4) of the whole image have their centre in the core; each centre is in one core."""
        x1, y1, x2, y2 = self.core
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        return (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)

    def owned(self, found: Cells) -> Cells:
        """Of the cells found in the frame those that the core owns, in the frame of the whole image.

        Raises ValueError for cells of a frame of another size.
        """
        if found.image_shape != self.frame_shape:
            raise ValueError(f"cells of a {found.image_shape} frame for a window of {self.frame_shape}")
        placed = found.shift(*self.origin, self.image_shape)
        return placed.select(self.owns(placed.boxes))

    def truncates(self, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which boxes (n, 4) reach an edge of the frame that is no edge of the image."""
        height, width = self.image_shape
        x1, y1, x2, y2 = self.frame
        low = np.where([x1 > 0, y1 > 0], [x1, y1], -np.inf)
        high = np.where([x2 < width, y2 < height], [x2, y2], np.inf)
        return np.any(np.hstack([boxes[:, :2] <= low, boxes[:, 2:] >= high]), axis=1)

    def around(self, box: tuple[int, int, int, int], halo: int) -> "Window | None":
        """The part of the core that a box meets, up to the grid, with a halo; None: they are apart."""
        x1, y1, x2, y2 = self.core
        low = max(x1, box[0] // PHASE * PHASE), max(y1, box[1] // PHASE * PHASE)
        high = min(x2, _round_up(box[2])), min(y2, _round_up(box[3]))
        if low[0] >= high[0] or low[1] >= high[1]:
            return None
        return _window((*low, *high), halo, self.image_shape)

    def widen(self, halo: int) -> "Window":
        """The same core in a frame that reaches `halo` pixels beyond it, as far as the image goes."""
        return _window(self.core, halo, self.image_shape)


def plan_windows(image_shape: tuple[int, int], *, core: int, halo: int) -> Iterator[Window]:
    """Windows over an image (H, W), row by row: as few cores of up to `core` pixels a side as cover it.

    They are about as large as one another, for a narrow one at the end would be mostly halo. Raises
    InputError when a frame would not start on a multiple of 64.
    """
    if core <= 0 or halo < 0 or core % PHASE or halo % PHASE:
        core, halo = max(PHASE, _round_up(core)), max(0, _round_up(halo))
        what = f"what a window owns (--window) and its halo must be multiples of {PHASE} px"
        raise InputError(f"{what}: use {core} and {halo}")
    rows, columns = (pairwise(_edges(length, core)) for length in image_shape)
    for (y1, y2), (x1, x2) in product(rows, columns):
        yield _window((x1, y1, x2, y2), halo, image_shape)


def _edges(length: int, core: int) -> list[int]:
    """Where cores begin and end along a side of `length` px."""
    side = _round_up(-(-length // -(-length // core)))
    return [*range(0, length, side), length]


def _window(core: tuple[int, int, int, int], halo: int, image_shape: tuple[int, int]) -> Window:
    height, width = image_shape
    x1, y1, x2, y2 = core
    frame = max(0, x1 - halo), max(0, y1 - halo), min(width, x2 + halo), min(height, y2 + halo)
    return Window(core, frame, image_shape)


def _round_up(length: int) -> int:
    return -(-length // PHASE) * PHASE
