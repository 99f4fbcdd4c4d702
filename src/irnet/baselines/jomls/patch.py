"""A mask crop in its frame: what the steps of JOMLS hand to one another."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from irnet.geometry import masks as geometry

Mask = NDArray[np.bool_]


class Rectangle(NamedTuple):
    """Rows top ... bottom - 1 and columns left ... right - 1 of a frame; it may reach beyond the frame."""

    top: int
    bottom: int
    left: int
    right: int

    def grow(self, margin: int) -> "Rectangle":
        """The window with a margin on every side."""
        return Rectangle(self.top - margin, self.bottom + margin, self.left - margin, self.right + margin)

    def clip(self, shape: tuple[int, int]) -> "Rectangle":
        """The part inside a frame of `shape` (h, w)."""
        (top, left), (bottom, right) = np.clip(
            [(self.top, self.left), (self.bottom, self.right)], 0, shape
        ).tolist()
        return Rectangle(top, bottom, left, right)

    def shift(self, dx: int, dy: int) -> "Rectangle":
        """The window moved."""
        return Rectangle(self.top + dy, self.bottom + dy, self.left + dx, self.right + dx)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window's pixels in its frame."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Patch(NamedTuple):
    """A boolean crop (h, w) and the x, y of its top-left pixel."""

    mask: Mask
    x: int
    y: int

    @classmethod
    def cut(cls, mask: Mask, x: int = 0, y: int = 0) -> Self:
        """The tight patch of a mask whose top-left pixel lies at x, y."""
        crop, (left, top) = geometry.trim(mask)
        return cls(crop, x + left, y + top)

    @property
    def window(self) -> Rectangle:
        """The pixels of the crop."""
        height, width = self.mask.shape
        return Rectangle(self.y, self.y + height, self.x, self.x + width)

    def within(self, window: Rectangle) -> Mask:
        """The mask in another window, False beyond the crop."""
        seen = np.zeros((window.bottom - window.top, window.right - window.left), dtype=bool)
        shared = self.window.shift(-window.left, -window.top).clip(seen.shape)
        inner = shared.shift(window.left - self.x, window.top - self.y)
        seen[shared.slices] = self.mask[inner.slices]
        return seen

    def shift(self, dx: int, dy: int) -> "Patch":
        """The patch moved."""
        return Patch(self.mask, self.x + dx, self.y + dy)


def number_pieces(mask: Mask) -> NDArray[np.int64]:
    """Label image (h, w) of the connected pieces of a mask, corners counted, 0 where it is False."""
    return np.asarray(label(mask), dtype=np.int64)
