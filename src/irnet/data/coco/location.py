"""Which file a user means who names a data set."""

import os
from pathlib import Path

from irnet.data.file_names import ANNOTATIONS, CELLS_DB, ERRORS, PLAN, PREDICTIONS, RUN, SLIDES, SLIDES_RUN
from irnet.data.listing import IMAGE_SUFFIXES
from irnet.errors import InputError

_HELD = (ANNOTATIONS, PREDICTIONS)  # by folders that a verb may be given
_BESIDE = (RUN, ERRORS)  # what predict writes besides


def locate(path: str | os.PathLike) -> Path:
    """The json of a data set: the file named, or annotations.json of the folder named. InputError."""
    path = Path(path)
    if is_of_slides(path):
        raise InputError(
            f"{path}: what was found on whole slides, which this command does not read: irnet view, "
            "report, export and measure do, or take slides.csv and slides/NAME/cells.db (SQLite) as they are"
        )
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            raise InputError(
                f"{path}: a picture; 'irnet predict' finds its cells: name the folder that it writes"
            )
        return path
    if (path / ANNOTATIONS).is_file():
        return path / ANNOTATIONS
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    others = sorted(file.name for file in path.glob("*.json") if file.name not in _BESIDE)
    inner = sorted({str(file.parent) for name in _HELD for file in path.glob(f"*/{name}")})
    remedy = "'irnet predict' finds the cells of images, 'irnet data convert' reads annotations"
    if others or inner:
        remedy = f"name one of {', '.join(others or inner)}"
    raise InputError(f"{path}: no {ANNOTATIONS} in it; {remedy}")


def is_of_slides(path: Path) -> bool:
    """Whether `irnet slide` wrote a file, or a folder that holds no images' cells beside."""
    if path.is_file():
        return path.name == CELLS_DB
    if any((path / name).is_file() for name in _HELD):
        return False
    if (path / CELLS_DB).is_file() or (path / PLAN).is_file():  # of one slide
        return True
    planned = (path / SLIDES_RUN).is_file() and (path / SLIDES).is_dir()
    return planned or any(path.glob(f"{SLIDES}/*/{CELLS_DB}"))
