"""What was found, and in which images: the output of `irnet predict`, a data set or a COCO file."""

import json
import os
from dataclasses import replace
from pathlib import Path

from irnet.data.formats.coco import read_coco
from irnet.data.sample import Entry
from irnet.errors import InputError

PREDICTIONS, RUN = "predictions.json", "run.json"


def read_found(path: str | os.PathLike) -> list[Entry]:
    """The images of a folder of `irnet predict`, of a data set or of a COCO file, with their cells.

    The output of `irnet predict` holds no images: run.json says where they were. Raises InputError.
    """
    folder = Path(path)
    if not (folder / PREDICTIONS).is_file():
        return read_coco(path)
    places, page = _read_places(folder / RUN)
    entries = read_coco(folder / PREDICTIONS)
    return [replace(entry, path=places.get(entry.name, entry.path), page=page) for entry in entries]


def _read_places(file: Path) -> tuple[dict[str, Path], int | None]:
    """Paths of images by name, and which page of them was read; none where there is no record."""
    if not file.is_file():
        return {}, None
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
        return {str(image["name"]): Path(image["path"]) for image in run["images"]}, run.get("page")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{file}: no record of a run ({error!r}): remove it, or run predict again") from None
