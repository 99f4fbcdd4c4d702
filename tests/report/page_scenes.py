"""Small fields of discs, and folders like those of `irnet predict`."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry

SHAPE = (120, 160)
HOSTILE = "<img src=x onerror=alert(1)>.png"
# (x, y, radius, label, parent, score): two cells that overlap, the nucleus of each, a bare nucleus
DISCS = (
    (50, 60, 30, CYTOPLASM, -1, 0.9),
    (50, 60, 8, NUCLEUS, 0, 0.8),
    (80, 60, 28, CYTOPLASM, -1, 0.6),
    (85, 60, 7, NUCLEUS, 2, 0.3),
    (140, 20, 6, NUCLEUS, -1, 0.7),
)


def draw_discs(mpp: float | None = 0.25, shift: int = 0) -> Cells:
    """The cells of DISCS, moved to the right by `shift` px."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    masks = np.array([np.hypot(columns - x - shift, rows - y) < radius for x, y, radius, *_ in DISCS])
    labels, parents, scores = zip(*(row[3:] for row in DISCS), strict=True)
    return Cells.from_dense(masks, labels, parents=parents, scores=scores, mpp=mpp)


def write_found(folder: Path, fields: dict[str, Cells], patients: bool = False, **record: Any) -> Path:
    """Images that show each name's cells, predictions.json of them, and run.json."""
    entries = []
    for number, (name, cells) in enumerate(fields.items()):
        path = folder.parent / "smears" / f"{number}.png"
        image = np.full((*cells.image_shape, 3), 230, np.uint8)
        image[cells.of(CYTOPLASM).to_dense().any(axis=0)] -= 60
        write_atomic(path, to_png(image))
        patient = f"p{number}" if patients else None
        entries.append(Entry(name=name, path=path, content=Content(cells=cells), patient=patient))
    write_coco(folder / "predictions.json", entries, scores=True, info={"method": "irnet"})
    images = [{"name": entry.name, "path": str(entry.path), "notes": ["a note"]} for entry in entries]
    run = {"date": "2026-01-02 03:04:05+00:00", "method": "irnet", "scores": {"cytoplasm": 0.5}, **record}
    write_atomic(folder / "run.json", json.dumps({**run, "images": images}).encode())
    return folder
