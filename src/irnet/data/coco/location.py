"""Which file a user means who names a data set."""

import os
from pathlib import Path

from irnet.data.listing import IMAGE_SUFFIXES
from irnet.errors import InputError

_HELD = ("annotations.json", "predictions.json")  # by folders that a verb may be given
_BESIDE = ("run.json", "errors.json")  # what predict writes besides
_CELLS_DB = "cells.db"  # of irnet slide


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
    if (path / "annotations.json").is_file():
        return path / "annotations.json"
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    others = sorted(file.name for file in path.glob("*.json") if file.name not in _BESIDE)
    inner = sorted({str(file.parent) for name in _HELD for file in path.glob(f"*/{name}")})
    remedy = "'irnet predict' finds the cells of images, 'irnet data convert' reads annotations"
    if others or inner:
        remedy = f"name one of {', '.join(others or inner)}"
    raise InputError(f"{path}: no annotations.json in it; {remedy}")


def is_of_slides(path: Path) -> bool:
    """Whether `irnet slide` wrote a file, or a folder that holds no images' cells beside."""
    if path.is_file():
        return path.name == _CELLS_DB
    if any((path / name).is_file() for name in _HELD):
        return False
    if (path / _CELLS_DB).is_file() or (path / "plan.json").is_file():  # of one slide
        return True
    planned = (path / "slides.json").is_file() and (path / "slides").is_dir()
    return planned or any(path.glob(f"slides/*/{_CELLS_DB}"))
