"""Cx22 (Liu et al. 2022): fields of 512 x 512 px in MATLAB 7.3 files, which are HDF5.

    DIR/cyto/cyto_ins.mat             a cell array of cell arrays: the masks of the cells of each field
    DIR/nuc/nuc_ins.mat               those of the nuclei
    DIR/generator/ImageDataSet.mat    the fields, which the set's own ImageDataGenerator.m makes

HDF5 stores MATLAB's arrays transposed. Nuclei belong to the only cell that holds more than half of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Truth
from irnet.data.components import link_nuclei
from irnet.data.image import MAX_PIXELS
from irnet.data.sample import Entry
from irnet.errors import InputError

if TYPE_CHECKING:
    import h5py

_IMAGES, _CELLS, _NUCLEI = "generator/ImageDataSet.mat", "cyto/cyto_ins.mat", "nuc/nuc_ins.mat"


def read(path: str | os.PathLike) -> list[Entry]:
    """The fields of a folder Cx22-Pair, Cx22-Multi-Train or Cx22-Multi-Test. Raises InputError."""
    folder = Path(path)
    try:
        with ExitStack() as stack:
            return _read(folder, *(_open(folder / name, stack) for name in (_IMAGES, _CELLS, _NUCLEI)))
    except InputError:
        raise
    except Exception as error:  # whatever a broken file makes the library meet
        raise InputError(f"{folder}: a damaged MATLAB 7.3 file ({error}): unpack it again") from error


def _read(folder: Path, *arrays: h5py.Dataset) -> list[Entry]:
    images, cells, nuclei = (list(_items(array)) for array in arrays)
    if not len(images) == len(cells) == len(nuclei):
        counts = f"{len(images)} images, cells of {len(cells)} and nuclei of {len(nuclei)}"
        raise InputError(f"{folder}: {counts}: put files of one set together")
    parts = zip(images, cells, nuclei, strict=True)
    return [_entry(folder, number, *part) for number, part in enumerate(parts, start=1)]


def _entry(folder: Path, number: int, image: Any, cells: Any, nuclei: Any) -> Entry:
    place = f"{folder}, field {number}"
    pixels = _array(image, place)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(f"{place}: an image of {pixels.shape} {pixels.dtype}, not of 8-bit RGB")
    masks = [(CYTOPLASM, _array(mask, place)) for mask in _items(cells)]
    masks += [(NUCLEUS, _array(mask, place)) for mask in _items(nuclei)]
    if any(mask.shape != pixels.shape[:2] for _, mask in masks):
        raise InputError(f"{place}: a mask that is not of the image's size {pixels.shape[:2]}")
    solid = [(label, mask != 0) for label, mask in masks if mask.any()]
    origins = [(0, 0)] * len(solid)
    labels = [label for label, _ in solid]
    truth = Cells.build([mask for _, mask in solid], origins, labels, (pixels.shape[0], pixels.shape[1]))
    return Entry(
        name=f"{folder.name}_{number:04}.png",
        path=folder / _IMAGES,
        truth=Truth(cells=link_nuclei(truth)),
        pixels=pixels,
    )


def _open(file: Path, stack: ExitStack) -> h5py.Dataset:
    """The one cell array of a file. Raises InputError."""
    try:
        import h5py
    except ImportError as error:
        raise InputError("MATLAB 7.3 files need h5py: pip install 'irnet[cx22]'") from error
    if not file.is_file():
        made = ": run generator/ImageDataGenerator.m of the set in MATLAB" if file.match(_IMAGES) else ""
        raise InputError(f"{file}: no such file{made}")
    data = stack.enter_context(h5py.File(file, "r"))
    found = data[file.stem] if isinstance(data.get(file.stem, getlink=True), h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.dtype != h5py.ref_dtype:
        raise InputError(f"{file}: it must hold one cell array named {file.stem}")
    return found


def _items(array: Any) -> Iterator[Any]:
    """What a cell array holds, nothing if it is empty; whatever else as its only item."""
    if "MATLAB_empty" in array.attrs:
        return
    if array.dtype != object:
        yield array
        return
    for reference in array[()].ravel():
        yield array.file[reference]


def _array(dataset: Any, place: str) -> NDArray:
    """The values as MATLAB has them. Raises InputError for what lies in other files or is no array."""
    shape = getattr(dataset, "shape", None)
    if shape is None or dataset.is_virtual or dataset.external or dataset.dtype.kind not in "bui":
        raise InputError(f"{place}: no array of whole numbers in this file")
    if not shape or np.prod(shape, dtype=float) > 3 * MAX_PIXELS:
        raise InputError(f"{place}: an array of {shape} is no field")
    return np.ascontiguousarray(np.asarray(dataset[()]).T)
