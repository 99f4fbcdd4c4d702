"""Files of annotations and the images that they belong to: named alike, or naming them."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from irnet.data.coco.found import read_found
from irnet.data.coco.location import locate
from irnet.data.file_names import PREDICTIONS
from irnet.data.files import safe_join
from irnet.data.listing import IMAGE_SUFFIXES, walk
from irnet.data.lookup import ImageFolder, Names
from irnet.data.sample import Entry, read_recorded, refuse_unrecorded
from irnet.errors import InputError
from irnet.geometry.masks import Shape


def name_files(names: Sequence[str], suffix: str) -> list[str]:
    """A file name for each image: its STEM and `suffix`, or its whole name where another image has the stem.

    >>> name_files(["a.png", "1/b.png", "1/b.tif"], ".zip")
    ['a.zip', '1/b.png.zip', '1/b.tif.zip']
    """
    stems = [PurePosixPath(name).with_suffix("").as_posix() for name in names]
    count = Counter(stem.lower() for stem in stems)  # some file systems know no case
    return [
        f"{stem if count[stem.lower()] == 1 else name}{suffix}"
        for name, stem in zip(names, stems, strict=True)
    ]


def list_files(source: str | os.PathLike, suffix: str | tuple[str, ...]) -> list[Path]:
    """The file named, or those of a folder and its folders that end in `suffix`, sorted. InputError."""
    source = Path(source)
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder")
    files = sorted(file for file in walk(source) if file.name.lower().endswith(suffix))
    if not files:
        endings = suffix if isinstance(suffix, str) else " or ".join(suffix)
        raise InputError(f"{source}: no file in it that ends in {endings}")
    return files


@dataclass(frozen=True, kw_only=True)
class FoundImage:
    """The image that annotations belong to."""

    name: str  # in the data set
    path: Path
    mpp: float | None = None  # um per pixel, where a data set or a run says so
    patient: str | None = None
    page: int | None = None  # of a multi-page TIFF, from 0
    sha256: str | None = None  # as that of an `Entry`

    def measure(self) -> tuple[Shape, float | None]:
        """Height and width, and um per pixel. Raises InputError when the image cannot be read."""
        refuse_unrecorded(self.path, self.sha256)
        image = read_recorded(self.path, self.page, self.sha256)
        height, width, _ = image.pixels.shape
        return (height, width), self.mpp if self.mpp is not None else image.mpp


class ImageFinder:
    """Finds images: beside the annotations of `source`, or in `images`.

    `images` is a folder of images, or else a data set or the output of `irnet predict`, which also give um
    per pixel and patients. Raises InputError when it is none of these.
    """

    def __init__(self, source: str | os.PathLike, images: str | os.PathLike | None = None) -> None:
        source = Path(source)
        self.root = source if source.is_dir() else source.parent
        self.images = None if images is None else Path(images)
        self.known: dict[str, Entry] = {}
        if self.images and (self.images.is_file() or _is_set(self.images)):
            self.known = {entry.name: entry for entry in read_found(self.images)}
        self._names = Names(self.known)
        folder = self.root if self.images is None else self.images
        within = self.images is not None  # a folder of images: they may lie in folders of it
        self._folders = [ImageFolder(folder, deep=within), ImageFolder(folder / "images", deep=True)]

    def of_file(self, file: Path, suffix: str) -> FoundImage:
        """The image whose name is that of `file`, with or without the image's own suffix."""
        stem = file.relative_to(self.root).as_posix()[: -len(suffix)]
        candidates = [stem, *(stem + ending for ending in IMAGE_SUFFIXES)]
        candidates += [stem + ending.upper() for ending in IMAGE_SUFFIXES]
        found = {picture.path: picture for name in candidates if (picture := self._find(name))}
        if len(found) > 1:
            names = ", ".join(str(path) for path in found)
            raise InputError(f"{file}: it may belong to {names}: call it like one of them, suffix included")
        if not found:
            raise InputError(f"{file}: no image of its name: {self._remedy()}")
        return next(iter(found.values()))

    def of_name(self, name: str, file: Path) -> FoundImage:
        """The image that `file` names, relative to itself or as it was called elsewhere (`lookup`).

        Raises InputError, which leaves it to the caller to name the file.
        """
        folder = file.parent.relative_to(self.root).as_posix()
        asked = name if folder == "." else f"{folder}/{name}"
        if self.known:
            picture = self._find(self._names.find(asked) or asked)
        else:
            found = (files.find(asked) for files in self._folders)
            picture = next((picture for name in found if name and (picture := self._find(name))), None)
        if picture is None:
            raise InputError(f"no image {name}: {self._remedy()}")
        return picture

    def _find(self, name: str) -> FoundImage | None:
        """The image that has this very name here."""
        if self.known:
            entry = self.known.get(name)
            return entry and FoundImage(
                name=name,
                path=entry.path,
                mpp=entry.content.cells.mpp,
                patient=entry.patient,
                page=entry.page,
                sha256=entry.sha256,
            )
        for files in self._folders:
            if files.holds(name) and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                return FoundImage(name=name.removeprefix("images/"), path=safe_join(files.root, name))
        return None

    def _remedy(self) -> str:
        if self.images is None:
            return "put it beside, or name the folder it is in with --images"
        return f"put it into {self.images}"


def _is_set(folder: Path) -> bool:
    try:
        return (folder / PREDICTIONS).is_file() or locate(folder).is_file()
    except InputError:
        return False
