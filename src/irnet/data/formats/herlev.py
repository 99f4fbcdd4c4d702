"""The Herlev database of single cells (Jantzen et al. 2005): CLASS/NAME.BMP with colours in NAME-d.bmp.

One cell an image: its cytoplasm is the cytoplasm's colour and the nucleus's. What is painted as unknown is
ignored. The class folder is the kind. Cells of one capture (the first number of the name) share a slide, so
the capture stands for the patient.
"""

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, EVERY_CLASS, NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.listing import walk, warn_of_unread
from irnet.data.mask_image import read_colours
from irnet.data.sample import Entry
from irnet.errors import InputError

MPP = 0.201
_PAINTED = "-d"
_BACKGROUND, _CYTOPLASM, _NUCLEUS = (255, 0, 0), (0, 0, 128), (0, 0, 255)
_UNKNOWN = (128, 128, 128), (0, 0, 0)


def read(path: str | os.PathLike) -> list[Entry]:
    """The cells in a folder and its folders. Raises InputError that names the file."""
    folder = Path(path)
    files = [file for file in walk(folder) if file.suffix.lower() == ".bmp"]
    painted = sorted(file for file in files if file.stem.endswith(_PAINTED))
    if not painted:
        raise InputError(f"{folder}: no NAME{_PAINTED}.bmp in it or its folders")
    images = {(file.parent, file.stem): file for file in files}
    entries = [_entry(file, images.get((file.parent, file.stem.removesuffix(_PAINTED)))) for file in painted]
    warn_of_unread(folder, walk(folder), {*painted, *(entry.path for entry in entries)})
    return entries


def _entry(painted: Path, image: Path | None) -> Entry:
    if image is None:
        raise InputError(
            f"{painted}: the image it belongs to, {painted.stem.removesuffix(_PAINTED)}.BMP, is not beside it"
        )
    colours = read_colours(painted)
    nucleus, background = _where(colours, _NUCLEUS), _where(colours, _BACKGROUND)
    cytoplasm = _where(colours, _CYTOPLASM) | nucleus
    unknown = _where(colours, _UNKNOWN[0]) | _where(colours, _UNKNOWN[1])
    if not (nucleus | cytoplasm | background | unknown).all():
        raise InputError(f"{painted}: it has colours that the database does not use: take the original file")
    masks = [(CYTOPLASM, cytoplasm), (NUCLEUS, nucleus)]
    masks = [(label, mask) for label, mask in masks if mask.any()]
    if not masks:
        raise InputError(f"{painted}: no cell is painted in it")
    labels = [label for label, _ in masks]
    parents = [0 if label == NUCLEUS else NO_PARENT for label in labels]
    cells = Cells.from_dense(np.stack([mask for _, mask in masks]), labels, parents=parents, mpp=MPP)
    ignore = Cells.from_dense(unknown[None], [EVERY_CLASS], mpp=MPP) if unknown.any() else None
    capture = re.match(r"\d+", image.stem)
    return Entry(
        name=f"{image.parent.name}__{image.name}",
        path=image,
        content=Content(cells=cells, kinds=(image.parent.name,) * len(cells), ignore=ignore),
        patient=capture[0] if capture else None,
    )


def _where(colours: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return (colours == colour).all(axis=2)
