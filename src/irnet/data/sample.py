"""Entry and Sample: an image of a data set before and after its pixels are read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import EVERY_CLASS, Content
from irnet.data.files import sha256
from irnet.data.image import Image, read_image
from irnet.errors import InputError

UNRECORDED = ""  # instead of a hash: a run says where the image lay, and not which one it was


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """An image with its content, annotated or found."""

    name: str
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    content: Content
    patient: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """An image of a data set with its content, annotated or found; its pixels are read when asked for."""

    name: str  # file_name, relative to the data set's images
    path: Path
    content: Content
    patient: str | None = None
    pixels: NDArray[np.uint8] | None = None  # (H, W, 3), of formats that keep images inside a container
    page: int | None = None  # of a multi-page TIFF, from 0
    sha256: str | None = None  # of the file that was segmented; None of a set, whose images are what they are

    def __post_init__(self) -> None:
        for text in (self.name, self.patient or ""):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise InputError(f"{text!a} holds half of a character: rename it") from None

    @property
    def scored(self) -> bool:
        """Whether finds in it can be right or wrong: a class was annotated, and not all of it is ignored."""
        height, width = self.content.cells.image_shape
        regions = self.content.ignore
        areas = [] if regions is None else regions.of(EVERY_CLASS).areas
        return bool(self.content.annotated) and height * width not in areas

    def read(self) -> Sample:
        """The sample. Raises InputError when the image cannot be read or is not the annotated one."""
        image = self.pixels
        if image is None:
            image = read_recorded(self.path, self.page, self.sha256).pixels
        annotated = self.content.cells.image_shape
        if image.shape[:2] != annotated:
            found = " x ".join(map(str, image.shape[:2]))
            raise InputError(
                f"{self.path}: {found} pixels (height x width), but annotated as "
                f"{annotated[0]} x {annotated[1]}: find the image that was annotated"
            )
        return Sample(name=self.name, image=image, content=self.content, patient=self.patient)

    def copy(self) -> bytes:
        """The content of the image's file, for a set that others may get. Raises InputError.

        A record of a run may name any file of this machine: only the one that was segmented is given away.
        """
        refuse_unrecorded(self.path, self.sha256)
        self.read()
        content = self.path.read_bytes()
        if self.sha256 is not None:
            _check_hash(self.path, hashlib.sha256(content).hexdigest(), self.sha256)
        return content


def digest_of_images(entries: Sequence[Entry]) -> str:
    """SHA-256 of the names and files of all images: what tells them from other pictures of these names."""
    files = [entry for entry in entries if entry.path.is_file()]
    lines = [f"{entry.name} {sha256(entry.path)}" for entry in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_recorded(path: Path, page: int | None, recorded: str | None) -> Image:
    """The image of a file. Raises InputError when it cannot be read, or has not the hash recorded of it."""
    image = read_image(path, page, hashed=bool(recorded))
    if recorded:
        _check_hash(path, image.sha256, recorded)
    return image


def refuse_unrecorded(path: Path, recorded: str | None) -> None:
    """Raise InputError for a file that a run names without its hash."""
    if recorded == UNRECORDED:
        raise InputError(f"{path}: not copied, for run.json has no SHA-256 of it: make its folder again")


def _check_hash(path: Path, found: str | None, recorded: str) -> None:
    if found != recorded:
        raise InputError(
            f"{path}: not the image that was segmented, its SHA-256 is not the one in run.json: put that one "
            "back, or run predict again"
        )
