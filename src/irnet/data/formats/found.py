"""What was found, and in which images: the output of `irnet predict`, a data set or a COCO file."""

import os
from dataclasses import replace
from pathlib import Path

from irnet.data.formats.coco import read_coco
from irnet.data.formats.run_record import PREDICTIONS, RunRecord
from irnet.data.sample import Entry


def read_found(path: str | os.PathLike) -> list[Entry]:
    """The images of a folder of `irnet predict`, of a data set or of a COCO file, with their cells.

    The output of `irnet predict` holds no images: run.json, beside predictions.json, says where they were.
    Raises InputError.
    """
    path = Path(path)
    file = path / PREDICTIONS if (path / PREDICTIONS).is_file() else path
    entries = read_coco(file)
    if file.name != PREDICTIONS:
        return entries
    run = RunRecord.read(file.parent)
    paths = run.paths
    return [replace(entry, path=paths.get(entry.name, entry.path), page=run.page) for entry in entries]
