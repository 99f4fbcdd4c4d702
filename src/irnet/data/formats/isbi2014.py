"""The Overlapping Cervical Cytology Image Segmentation Challenge of ISBI 2014 (Lu et al. 2015, 2017).

Composed fields, MATLAB 5 files: NAME_GT.mat holds `*_Cytoplasm` (a cell array of cell arrays, one mask an
instance) and `*_Nuclei` (one binary map an image); NAME.mat beside it the images, or else the folder holds
1.tif, 2.tif, ... Real fields (EDF): N.png with a binary map of its nuclei in N_GT.png beside it, or in N.png
or N_GT.png of a folder whose name ends in GT.

The composed fields re-use few distinct cells: 12 in the 45 training images. Never split them by image.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.components import link_to_only_holder, split_components
from irnet.data.copies import warn_of_copies
from irnet.data.image import read_image
from irnet.data.listing import IMAGE_SUFFIXES, is_litter, list_images, warn_of_unread
from irnet.data.mask_image import read_mask
from irnet.data.matlab import Value, items_of, read_mat
from irnet.data.sample import Entry
from irnet.errors import InputError

_TRUTH = "_GT"


def read(path: str | os.PathLike) -> list[Entry]:
    """The fields of a NAME.mat, or of all in a folder, or of a folder of EDF images. InputError."""
    path = Path(path)
    if path.is_file():
        truth = path.with_name(f"{path.stem}{_TRUTH}.mat")
        return _composed(truth if truth.is_file() else path)
    if files := sorted(file for file in path.glob(f"*{_TRUTH}.mat") if not is_litter(file.relative_to(path))):
        read = {*files, *(_container(file) for file in files), *_numbered(path)}
        warn_of_unread(path, path.iterdir(), read)
        return [entry for file in files for entry in _composed(file)]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    return [_real(file) for file in list_images([path], beside=(".mat",)) if not file.stem.endswith(_TRUTH)]


def _composed(file: Path) -> list[Entry]:
    truth = read_mat(file)
    cytoplasms, nuclei = _variable(file, truth, "_Cytoplasm"), _variable(file, truth, "_Nuclei")
    images = _images(file)
    if not len(images) == len(cytoplasms) == len(nuclei):
        raise InputError(
            f"{file}: {len(cytoplasms)} images with cytoplasm and {len(nuclei)} with nuclei for "
            f"{len(images)} images: put the images that belong to it beside it"
        )
    stem = file.stem.removesuffix(_TRUTH)
    width = len(str(len(images)))
    return [
        Entry(
            name=f"{stem}_{number:0{width}}.png",
            path=file,
            content=Content(
                cells=_cells(f"{file}, image {number}", image.shape[:2], items_of(masks), nucleus_map)
            ),
            pixels=image,
        )
        for number, (image, masks, nucleus_map) in enumerate(
            zip(images, cytoplasms, nuclei, strict=True), start=1
        )
    ]


def _cells(place: str, shape: tuple[int, ...], masks: Sequence[Any], nucleus_map: Any) -> Cells:
    for mask in (*masks, nucleus_map):
        if not isinstance(mask, np.ndarray) or mask.shape != shape:
            raise InputError(f"{place}: a mask that is not of the image's size {shape}")
    crops, offsets = split_components(nucleus_map)
    labels = [CYTOPLASM] * len(masks) + [NUCLEUS] * len(crops)
    origins = [(0, 0)] * len(masks)
    size = shape[0], shape[1]
    cells = Cells.build([mask != 0 for mask in masks] + crops, origins + offsets, labels, size)
    warn_of_copies(place, cells)
    return link_to_only_holder(cells.select(cells.areas > 0))


def _images(file: Path) -> list[NDArray[np.uint8]]:
    """RGB images of NAME.mat, or the numbered files of the folder."""
    container = _container(file)
    if container != file and container.is_file():
        arrays = [*read_mat(container).values()]
        grey: list[Any] = arrays[0] if len(arrays) == 1 else []
        if not grey or not all(_is_grey(image) for image in grey):
            raise InputError(f"{container}: it must hold one cell array of 8-bit grey images")
        return [np.repeat(image[..., None], 3, axis=2) for image in grey]
    return [read_image(image).pixels for image in _numbered(file.parent)]


def _container(truth: Path) -> Path:
    """The file of the images that belong to NAME_GT.mat."""
    return truth.with_name(truth.name.replace(f"{_TRUTH}.mat", ".mat"))


def _numbered(folder: Path) -> list[Path]:
    """1.tif, 2.tif, ... in the order of their numbers."""
    files = [f for f in folder.iterdir() if f.stem.isdecimal() and f.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(files, key=lambda image: int(image.stem))


def _real(file: Path) -> Entry:
    """An EDF field; only its nuclei were annotated."""
    folders = [file.parent, *(p for p in sorted(file.parent.parent.iterdir()) if p.name.endswith("GT"))]
    folders += [place for place in sorted(file.parent.iterdir()) if place.is_dir()]
    candidates = [folder / f"{file.stem}{_TRUTH}{file.suffix}" for folder in folders]
    candidates += [folder / file.name for folder in folders[1:]]
    annotated = next((candidate for candidate in candidates if candidate.is_file()), None)
    if annotated is None:
        raise InputError(f"{file}: no map of its nuclei: put {candidates[0].name} beside it")
    height, width, _ = read_image(file).pixels.shape
    cells = _cells(str(annotated), (height, width), [], read_mask(annotated, (height, width)))
    return Entry(name=file.name, path=file, content=Content(cells=cells, annotated=frozenset({NUCLEUS})))


def _variable(file: Path, data: dict[str, list[Value]], ending: str) -> list[Any]:
    found = [value for name, value in data.items() if name.endswith(ending)]
    if len(found) != 1:
        raise InputError(
            f"{file}: it must hold one cell array named *{ending}: is it the challenge's *_GT.mat?"
        )
    return found[0]


def _is_grey(image: Any) -> bool:
    return isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 2
