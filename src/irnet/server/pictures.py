"""Pictures for the screen: tiles of images at halved scales, a few images kept in memory."""

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.data.image import read_image
from irnet.errors import InputError

TILE = 512  # px
QUALITY = 92
BUDGET = 2**29  # bytes of pixels kept
Pyramid = list[NDArray[np.uint8]]  # full size first, each next level half of it


class ImageTiles:
    """Tiles of the images at `paths`. Raises InputError when an image cannot be read or a tile is outside."""

    def __init__(self, paths: Sequence[Path], shapes: Sequence[tuple[int, int]], *, page: int | None) -> None:
        self._paths, self._shapes, self._page = paths, shapes, page
        self._kept: OrderedDict[int, Pyramid] = OrderedDict()
        self._lock = threading.Lock()

    def pixels(self, index: int) -> NDArray[np.uint8]:
        """The whole image, (H, W, 3)."""
        return self._pyramid(index)[0]

    def tile(self, index: int, halvings: int, column: int, row: int) -> bytes:
        """A tile as JPEG: column and row count tiles of TILE px of the image halved `halvings` times."""
        pyramid = self._pyramid(index)
        if not 0 <= halvings < len(pyramid) or column < 0 or row < 0:
            raise InputError("no such tile")
        x, y = column * TILE, row * TILE
        part = pyramid[halvings][y : y + TILE, x : x + TILE]
        if not part.size:
            raise InputError("no such tile")
        buffer = io.BytesIO()
        PIL.Image.fromarray(part).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
        return buffer.getvalue()

    def _pyramid(self, index: int) -> Pyramid:
        with self._lock:  # one decoder at a time: tiles of one image are asked for together
            if index not in self._kept:
                self._kept[index] = self._build(index)
            self._kept.move_to_end(index)
            while len(self._kept) > 1 and self._bytes() > BUDGET:
                self._kept.popitem(last=False)
            return self._kept[index]

    def _build(self, index: int) -> Pyramid:
        path, shape = self._paths[index], self._shapes[index]
        full = read_image(path, self._page).pixels
        if full.shape[:2] != shape:
            found, wanted = ("{} x {}".format(*size) for size in (full.shape, shape))
            raise InputError(f"{path}: {found} pixels (height x width), but {wanted} when it was segmented")
        return [full, *(np.asarray(level) for level in _halved(PIL.Image.fromarray(full)))]

    def _bytes(self) -> int:
        return sum(level.nbytes for pyramid in self._kept.values() for level in pyramid)


def levels(shape: tuple[int, int]) -> int:
    """How often an image is halved until it fits one tile."""
    return max(0, (-(-max(shape) // TILE) - 1).bit_length())


def _halved(picture: PIL.Image.Image) -> list[PIL.Image.Image]:
    smaller = []
    for _ in range(levels((picture.height, picture.width))):
        picture = picture.reduce(2)
        smaller.append(picture)
    return smaller
