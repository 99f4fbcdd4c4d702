"""What every reader of slides gives: sizes, um per pixel, focal planes and the pixels of a box. Nothing else.

Names, labels, overview pictures and tags of a slide stay inside its file: nothing here can ask for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from irnet.errors import InputError

Pixels = NDArray[np.uint8]  # (h, w, 3) RGB
Shape = tuple[int, int]  # H, W
Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in px of a level, x2 and y2 exclusive


class Slide(ABC):
    """A slide that is open for reading; a context manager."""

    reader: str  # what reads it, and its version: readers differ by some grey levels
    files: Sequence[Path]  # of which it consists, the one that was named first
    levels: Sequence[Shape] = ()  # the finest first
    mpp: float | None = None  # um per pixel of the finest level, None where the file does not say
    planes: int = 1  # focal planes
    notes: Sequence[str] = ()  # what a user should know of how it is read

    @property
    def path(self) -> Path:
        """The file that was named."""
        return self.files[0]

    @property
    def shape(self) -> Shape:
        """(H, W) of the finest level."""
        return self.levels[0]

    def downsample(self, level: int) -> float:
        """How many pixels of the finest level a pixel of this one is wide."""
        return self.levels[0][1] / self.levels[level][1]

    def level_for(self, factor: float) -> int:
        """The coarsest level whose pixels are at most `factor` pixels of the finest level wide."""
        fine = (level for level in range(len(self.levels)) if self.downsample(level) <= factor)
        return max(fine, key=self.downsample, default=0)

    def read(self, plane: int, level: int, box: Box) -> Pixels:
        """The pixels (h, w, 3) of a box of a level, in one focal plane; white where nothing was scanned.

        Raises ValueError for a box that does not lie in the level, InputError for a damaged place and
        MemoryError.
        """
        height, width = self.levels[level]
        x1, y1, x2, y2 = box
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height and 0 <= plane < self.planes):
            raise ValueError(f"box {box} of plane {plane} is not in a level of {width} x {height} px")
        try:
            return self._read(plane, level, box)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise any exception on a broken file
            reason = f"damaged at {x1}, {y1} of level {level} ({type(error).__name__})"
            raise InputError(f"{self.path}: {reason}: copy or export it again") from error

    @abstractmethod
    def _read(self, plane: int, level: int, box: Box) -> Pixels:
        """`read` of what is known to lie inside."""

    def close(self) -> None:  # noqa: B027 (what is in memory has nothing to close)
        """Close its files; nothing can be read any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
