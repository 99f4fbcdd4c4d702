"""SIPaKMeD (Plissiti et al. 2018): fields of cell clusters, NNN.bmp, with outlines of cells beside them.

NNN_cytMM.dat and NNN_nucMM.dat hold the outline of cell MM and of its nucleus, one x,y a line, in px. The
folder (im_CLASS) is the kind. Only cells of that kind were outlined: what lies between them is not known. The
copies of single cells in the folders CROPPED are left alone. Neither patients nor um per pixel are known.
"""

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.data.coco.document import naming
from irnet.data.formats.gathering import Gathering
from irnet.data.image import read_image
from irnet.data.listing import walk, warn_of_unread
from irnet.data.sample import Entry
from irnet.errors import InputError

MAX_BYTES = 2**22  # of an outline
_OUTLINE = re.compile(r"(?P<image>.+)_(?P<part>cyt|nuc)(?P<cell>\d+)\.dat", re.IGNORECASE)
_COPIES = "CROPPED"  # folders of single cells
_LABELS = {"cyt": CYTOPLASM, "nuc": NUCLEUS}


def read(path: str | os.PathLike) -> list[Entry]:
    """The fields in a folder and its folders. Raises InputError that names the file."""
    folder = Path(path)
    files = sorted(file for file in walk(folder) if file.suffix.lower() in (".dat", ".bmp"))
    images = {(file.parent, file.stem): file for file in files if file.suffix.lower() == ".bmp"}
    outlines: dict[Path, list[tuple[Path, re.Match[str]]]] = {}
    for file in files:
        if match := _OUTLINE.fullmatch(file.name):
            if (file.parent, match["image"]) not in images:
                raise InputError(f"{file}: the image it belongs to, {match['image']}.bmp, is not beside it")
            outlines.setdefault(images[file.parent, match["image"]], []).append((file, match))
    if not outlines:
        raise InputError(f"{folder}: no NNN_cytMM.dat in it or its folders")
    read = {*outlines, *(file for parts in outlines.values() for file, _ in parts)}
    warn_of_unread(folder, (file for file in walk(folder) if _COPIES not in file.parts), read)
    return [_entry(image, parts) for image, parts in outlines.items()]


def _entry(image: Path, parts: list[tuple[Path, re.Match[str]]]) -> Entry:
    picture = read_image(image)
    height, width, _ = picture.pixels.shape
    gathering = Gathering((height, width), picture.mpp)
    kind = image.parent.name.removeprefix("im_")
    for file, match in parts:
        with naming(str(file)):
            mask = gathering.draw([_outline(file)])
            gathering.add(*mask, _LABELS[match["part"].lower()], group=int(match["cell"]), kind=kind)
    return Entry(name=f"{kind}__{image.name}", path=image, content=gathering.content(image))


def _outline(file: Path) -> NDArray[np.float64]:
    if file.stat().st_size > MAX_BYTES:
        raise InputError(f"an outline of more than {MAX_BYTES:,} bytes: take the original file")
    try:
        lines = file.read_text(encoding="ascii").split("\n")
        return np.array([list(map(float, line.split(","))) for line in lines if line.strip()])
    except ValueError as error:  # no number, no ASCII, lines of different lengths
        raise InputError(f"every line must be x,y ({error}): take the original file") from None
