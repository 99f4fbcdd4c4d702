"""What was found, and in which images: the output of `irnet predict`, a data set or a COCO file."""

import os
from dataclasses import replace

from irnet.data.coco.coco import entries_of
from irnet.data.coco.run_record import load_checked
from irnet.data.sample import UNRECORDED, Entry


def read_found(path: str | os.PathLike) -> list[Entry]:
    """The images of a folder of `irnet predict`, of a data set or of a COCO file, with their cells.

    The output of `irnet predict` holds no images: run.json, beside predictions.json, says where they were.
    Raises InputError, also where the two are not of one run.
    """
    document, run = load_checked(path)
    paths, hashes = run.paths, run.hashes
    return [
        replace(entry, path=paths[entry.name], sha256=hashes[entry.name] or UNRECORDED, page=run.page)
        if entry.name in paths
        else replace(entry, page=run.page)
        for entry in entries_of(document, unreviewed="take")
    ]
