"""cells.db: every cell and nucleus of a slide in one SQLite file, near ones side by side."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS
from irnet.data.files import move, unwritable
from irnet.geometry.masks import pack
from irnet.slides.block import MEASURES
from irnet.slides.candidates import Candidates
from irnet.slides.nesting import NESTED, Part

TILE = 1024  # px at the network's scale
SORTED_BY = (  # what a gallery sorts by: each has an index
    *("score", "area_um2", "circularity", "od_mean", "od_entropy", "nuclei", "nc_ratio"),
)
FORMAT = 2

_COLUMNS = {
    "tile": "INTEGER NOT NULL",  # row << 16 | column of the centre
    "id": "INTEGER NOT NULL",
    "label": "INTEGER NOT NULL",  # 1 cytoplasm, 2 nucleus
    "parent": "INTEGER",  # id of a nucleus's cell
    "confidence": "REAL",  # of that link
    "score": "REAL NOT NULL",
    **dict.fromkeys(("x1", "y1", "x2", "y2"), "INTEGER NOT NULL"),  # px at the network's scale
    "cut": "INTEGER NOT NULL",  # 1: the edge of its window cuts it
    "nuclei": "INTEGER",  # of a cytoplasm
    **dict.fromkeys((*NESTED, *MEASURES), "REAL"),
    "mask": "BLOB NOT NULL",  # COCO's compressed run lengths inside the box; long, so after what is searched
    "outline": "BLOB NOT NULL",  # see `outlines`
}


def tiles_of(boxes: NDArray[np.int32]) -> NDArray[np.int64]:
    """The tile of each box (n, 4), by its centre, (n,)."""
    columns, rows = ((boxes[:, :2] + boxes[:, 2:]).astype(np.int64) // 2 // TILE).T
    return rows << 16 | columns


def order_of(found: Candidates) -> NDArray[np.int64]:
    """The order of ids, (n,): by tile, then by place; the same whoever computed what."""
    x1, y1, x2, y2 = found.boxes.T
    return np.lexsort((-found.scores, found.labels, y2, x2, x1, y1, tiles_of(found.boxes)))


def write_store(path: Path, parts: Iterable[Part], meta: Mapping[str, Any]) -> None:
    """Write instances in the order of their ids, whole or not at all. `meta` is any JSON by name.

    Raises InputError where the system refuses.
    """
    draft = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(draft)) as store, store:
            store.execute("PRAGMA journal_mode = OFF")  # a draft: what goes wrong removes it
            columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
            store.execute(f"CREATE TABLE cell ({columns}, PRIMARY KEY (tile, id)) WITHOUT ROWID")
            store.execute("CREATE TABLE tile (tile INTEGER PRIMARY KEY, cells INTEGER, nuclei INTEGER)")
            store.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            said = {"format": FORMAT, **meta, **_insert(store, parts)}
            store.executemany(
                "INSERT INTO meta VALUES (?, ?)", [(key, json.dumps(value)) for key, value in said.items()]
            )
            store.execute("CREATE UNIQUE INDEX by_id ON cell (id)")
            store.execute("CREATE INDEX by_parent ON cell (parent) WHERE parent IS NOT NULL")
            for name in SORTED_BY:
                store.execute(f"CREATE INDEX by_{name} ON cell (label, {name})")
        move(draft, path)
    except (OSError, sqlite3.OperationalError) as error:
        raise unwritable(path, error if isinstance(error, OSError) else OSError(0, str(error))) from error
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _insert(store: sqlite3.Connection, parts: Iterable[Part]) -> dict[str, Any]:
    """Fill both tables; what meta says of all instances."""
    marks = ", ".join("?" * len(_COLUMNS))
    counts: Counter[tuple[int, int]] = Counter()  # of tile and label
    largest = np.zeros(2, dtype=np.int64)
    for part in parts:
        store.executemany(f"INSERT INTO cell VALUES ({marks})", _rows(part))
        boxes = part.block.boxes
        counts.update(zip(tiles_of(boxes).tolist(), part.block.labels.tolist(), strict=True))
        largest = np.maximum(largest, (boxes[:, 2:] - boxes[:, :2]).max(axis=0, initial=0))

    seen = sorted({tile for tile, _ in counts})
    tiles = [(tile, counts[tile, CYTOPLASM], counts[tile, NUCLEUS]) for tile in seen]
    store.executemany("INSERT INTO tile VALUES (?, ?, ?)", tiles)
    cells, nuclei = sum(row[1] for row in tiles), sum(row[2] for row in tiles)
    return {"cells": cells, "nuclei": nuclei, "largest": largest.tolist()}


def _rows(part: Part) -> Iterator[tuple[Any, ...]]:
    block, tiles = part.block, tiles_of(part.block.boxes).tolist()
    for number, tile in enumerate(tiles):
        parent, sure = int(part.parents[number]), float(part.confidence[number])
        values = [*part.nested[number].tolist(), *block.measures[number].tolist()]
        yield (
            tile,
            part.first + number,
            int(block.labels[number]),
            None if parent == NO_PARENT else parent,
            None if isnan(sure) else sure,
            float(block.scores[number]),
            *block.boxes[number].tolist(),
            int(block.cut[number]),
            int(part.nuclei[number]) if block.labels[number] == CYTOPLASM else None,
            *(None if isnan(value) else value for value in values),
            pack(block.counts(number)).encode("ascii"),
            part.outlines[number],
        )
