"""Cx22 (Liu et al. 2022): fields of 512 x 512 px in MATLAB 7.3 files, which are HDF5.

    DIR/cyto/cyto_ins.mat             a cell array of cell arrays: the masks of the cells of each field
    DIR/nuc/nuc_ins.mat               those of the nuclei
    DIR/generator/ImageDataSet.mat    the fields, which the set's own ImageDataGenerator.m makes

Nuclei belong to the only cell that holds more than half of them.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.components import link_to_only_holder
from irnet.data.copies import warn_of_copies
from irnet.data.listing import walk, warn_of_unread
from irnet.data.matlab import Value, items_of, open_hdf5
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.wording import install_extra

_Array = tuple[int, Iterator[Value]]  # how many items, and these
_IMAGES, _CELLS, _NUCLEI = "generator/ImageDataSet.mat", "cyto/cyto_ins.mat", "nuc/nuc_ins.mat"


def read(path: str | os.PathLike) -> list[Entry]:
    """The fields of a folder Cx22-Pair, Cx22-Multi-Train or Cx22-Multi-Test. Raises InputError."""
    folder = Path(path)
    files = [folder / name for name in (_IMAGES, _CELLS, _NUCLEI)]
    with ExitStack() as stack:
        entries = _read(folder, *(_open(file, stack) for file in files))
    warn_of_unread(folder, walk(folder), files)
    return entries


def _read(folder: Path, images: _Array, cells: _Array, nuclei: _Array) -> list[Entry]:
    if not images[0] == cells[0] == nuclei[0]:
        counts = f"{images[0]} images, cells of {cells[0]} and nuclei of {nuclei[0]}"
        raise InputError(f"{folder}: {counts}: put files of one set together")
    parts = zip(images[1], cells[1], nuclei[1], strict=True)
    return [_entry(folder, number, *part) for number, part in enumerate(parts, start=1)]


def _entry(folder: Path, number: int, image: Value, cells: Value, nuclei: Value) -> Entry:
    place = f"{folder}, field {number}"
    pixels = _array(image, place)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(f"{place}: an image of {pixels.shape} {pixels.dtype}, not of 8-bit RGB")
    masks = [(CYTOPLASM, _array(mask, place)) for mask in items_of(cells)]
    masks += [(NUCLEUS, _array(mask, place)) for mask in items_of(nuclei)]
    if any(mask.shape != pixels.shape[:2] for _, mask in masks):
        raise InputError(f"{place}: a mask that is not of the image's size {pixels.shape[:2]}")
    solid = [(label, mask != 0) for label, mask in masks if mask.any()]
    origins = [(0, 0)] * len(solid)
    labels = [label for label, _ in solid]
    whole = Cells.build([mask for _, mask in solid], origins, labels, (pixels.shape[0], pixels.shape[1]))
    warn_of_copies(place, whole)
    return Entry(
        name=f"{folder.name}_{number:04}.png",
        path=folder / _IMAGES,
        content=Content(cells=link_to_only_holder(whole)),
        pixels=pixels,
    )


def _open(file: Path, stack: ExitStack) -> _Array:
    """The one cell array of a file. Raises InputError."""
    if importlib.util.find_spec("h5py") is None:
        raise InputError(f"MATLAB 7.3 files need h5py: {install_extra('cx22')}")
    if not file.is_file():
        made = ": run generator/ImageDataGenerator.m of the set in MATLAB" if file.match(_IMAGES) else ""
        raise InputError(f"{file}: no such file{made}")
    return stack.enter_context(open_hdf5(file, file.stem))


def _array(value: Value, place: str) -> NDArray:
    """An array of whole numbers. Raises InputError for anything else, also for what lies in other files."""
    if not isinstance(value, np.ndarray):
        raise InputError(f"{place}: no array of whole numbers in this file")
    return value
