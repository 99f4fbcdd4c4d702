"""Folders of binary masks, one file an instance.

    DIR/images/NAME.png               an image
    DIR/masks/NAME/CLASS_ID.png       an instance of it, as large as the image (see `read_mask`)
    DIR/masks/NAME/nucleus_ID-2.png   a second nucleus of the cell ID

CLASS is cytoplasm, nucleus or ignore, or a name that is mapped to one. A nucleus belongs to the cytoplasm of
the same ID. Where two images have one NAME, their folders are called with the suffix: DIR/masks/NAME.png.
Masks may overlap. An image without cells has an empty folder. A class without any mask in the whole data set
counts as not annotated.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from irnet.cells import CYTOPLASM, EVERY_CLASS, NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.beside import name_files
from irnet.data.categories import DROPPED, label_of
from irnet.data.copies import warn_of_copies
from irnet.data.formats.gathering import mark_annotated
from irnet.data.image import read_image
from irnet.data.listing import IMAGE_SUFFIXES, is_litter, list_images, warn_of_unread
from irnet.data.mask_image import read_mask
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry.masks import Mask, Offset, Shape, trim

_BLURRED = (".jpg", ".jpeg", ".jpe", ".jfif")


class _Instance(NamedTuple):
    label: int
    cell: str  # ID
    crop: Mask
    offset: Offset


def read(path: str | os.PathLike, *, mapping: Mapping[str, str] | None = None) -> list[Entry]:
    """The images of DIR with the masks in their folders. Raises InputError that names the file."""
    folder = Path(path)
    if not (folder / "images").is_dir() or not (folder / "masks").is_dir():
        raise InputError(f"{folder}: it must hold the folders images and masks")
    images = list_images([folder / "images"])
    names = name_files([image.name for image in images], "")
    for orphan in sorted(
        place
        for place in (folder / "masks").iterdir()
        if place.name not in names and not is_litter(Path(place.name))
    ):
        raise InputError(
            f"{orphan}: masks without an image: name it like an image, with the suffix where another has "
            "its name"
        )
    return mark_annotated(
        [_entry(image, folder / "masks" / name, mapping) for image, name in zip(images, names, strict=True)]
    )


def _entry(image: Path, folder: Path, mapping: Mapping[str, str] | None) -> Entry:
    if not folder.is_dir():
        raise InputError(f"{image}: no folder {folder}: make one, empty if the image has no cells")
    picture = read_image(image)
    shape = picture.pixels.shape[0], picture.pixels.shape[1]
    inside = [file for file in folder.iterdir() if not is_litter(Path(file.name))]
    files = sorted(file for file in inside if file.suffix.lower() in IMAGE_SUFFIXES)
    warn_of_unread(folder, inside, files)
    instances = [instance for file in files if (instance := _read_mask(file, shape, mapping))]
    solid = [instance for instance in instances if instance.label != EVERY_CLASS]
    regions = [instance for instance in instances if instance.label == EVERY_CLASS]
    content = Content(
        cells=_cells(solid, shape, picture.mpp),
        ignore=_cells(regions, shape, picture.mpp) if regions else None,
    )
    warn_of_copies(folder, content.cells)
    return Entry(name=image.name, path=image, content=content)


def _cells(instances: list[_Instance], shape: Shape, mpp: float | None) -> Cells:
    places = {instance.cell: i for i, instance in enumerate(instances) if instance.label == CYTOPLASM}
    return Cells.build(
        [instance.crop for instance in instances],
        [instance.offset for instance in instances],
        [instance.label for instance in instances],
        shape,
        parents=[places.get(i.cell, NO_PARENT) if i.label == NUCLEUS else NO_PARENT for i in instances],
        mpp=mpp,
    )


def _read_mask(file: Path, shape: Shape, mapping: Mapping[str, str] | None) -> _Instance | None:
    name, underscore, number = file.stem.rpartition("_")
    if not underscore or file.suffix.lower() in _BLURRED:
        raise InputError(f"{file}: a mask is a file CLASS_ID.png, for example cytoplasm_07.png")
    try:
        label = label_of(name, mapping)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    if label == DROPPED:
        return None
    mask = read_mask(file, shape)
    if not mask.any():
        raise InputError(f"{file}: an empty mask: remove the file, or draw it again")
    crop, offset = trim(mask)
    return _Instance(label, number.partition("-")[0], crop, offset)
