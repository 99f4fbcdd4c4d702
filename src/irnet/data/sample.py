"""Entry and Sample: an image of a data set before and after its pixels are read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Truth
from irnet.data.image import read_image
from irnet.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """An image with what is known of it."""

    name: str
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    truth: Truth
    patient: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """An image of a data set with what is known of it; its pixels are read when asked for."""

    name: str  # file_name, relative to the data set's images
    path: Path
    truth: Truth
    patient: str | None = None
    pixels: NDArray[np.uint8] | None = None  # (H, W, 3), of formats that keep images inside a container
    page: int | None = None  # of a multi-page TIFF, from 0

    def read(self) -> Sample:
        """The sample. Raises InputError when the image cannot be read or is not of the annotated size."""
        image = read_image(self.path, self.page).pixels if self.pixels is None else self.pixels
        annotated = self.truth.cells.image_shape
        if image.shape[:2] != annotated:
            found = " x ".join(map(str, image.shape[:2]))
            raise InputError(
                f"{self.path}: {found} pixels (height x width), but annotated as "
                f"{annotated[0]} x {annotated[1]}: find the image that was annotated"
            )
        return Sample(name=self.name, image=image, truth=self.truth, patient=self.patient)
