"""What was found, and in which images: the output of `irnet predict`, a data set or a COCO file."""

import os
from dataclasses import replace
from pathlib import Path

from irnet.data.formats.coco import read_coco
from irnet.data.formats.run_record import PREDICTIONS, RunRecord
from irnet.data.sample import Entry


def read_found(path: str | os.PathLike) -> list[Entry]:
    """The images of a folder of `irnet predict`, of a data set or of a COCO file, with their cells.

    The output of `irnet predict` holds no images: run.json says where they were. Raises InputError.
    """
    folder = Path(path)
    if not (folder / PREDICTIONS).is_file():
        return read_coco(path)
    run = RunRecord.read(folder)
    paths = run.paths
    entries = read_coco(folder / PREDICTIONS)
    return [replace(entry, path=paths.get(entry.name, entry.path), page=run.page) for entry in entries]
