"""What cells.db holds, read for viewers, galleries and exports.

    with open_store("OUT/slides/NAME") as store:          # or the path of the file itself
        store.meta                                        # name, mpp, px, shape, cells, nuclei ...
        store.within((x1, y1, x2, y2), limit=2000)        # what meets a rectangle: .instances, .more
        store.ranked("nc_ratio", label=CYTOPLASM, limit=50, offset=0, highest=True)
        store.get(id), store.nuclei_of(id)                # one by its id, and the nuclei of a cell
        store.tiles()                                     # (t, 4): column, row, cells, nuclei
        store.in_tile(column, row)                        # what has its middle there
        for instances in store.by_tile(): ...             # all of them, a tile at a time

Each `Instance` has its place, links, measures by name, `mask()` and `rings(scale)`. Places are px at the
network's scale, in the whole slide: times `meta.px` they are px of the slide's finest level, `meta.mpp` um
long. Nothing is written. All raise InputError where the file is damaged; a store may be used by several
threads.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM
from irnet.data.file_names import CELLS_DB, SLIDES, SLIDES_RUN
from irnet.errors import InputError
from irnet.slides.block import MEASURES
from irnet.slides.instance import AGAIN, SELECTED, Instance, StoreMeta, damaged
from irnet.slides.nesting import NESTED
from irnet.slides.plan import Plan
from irnet.slides.store import FORMAT, SORTED_BY, TILE
from irnet.wording import command

RANKED_BY = ("score", "confidence", "nuclei", *NESTED, *MEASURES)
FloatBox = tuple[float, float, float, float]  # x1, y1, x2, y2 in px of the network's scale

# A parent that is not there, or is no cell, is none: whoever reads gets a nucleus without a cell.
_CELL = f"(SELECT owner.id FROM cell owner WHERE owner.id = cell.parent AND owner.label = {CYTOPLASM})"
_READ = {"parent": _CELL, "confidence": f"iif(parent IS NULL OR {_CELL} NOT NULL, confidence, NULL)"}
_SELECTED = ", ".join(_READ.get(name, name) for name in SELECTED)


class Found(NamedTuple):
    """What a rectangle holds."""

    instances: list[Instance]
    more: bool  # whether the limit left any out


class Store:
    """A cells.db that is open; made by `open_store`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection, self._lock = connection, Lock()
        self.meta = self._read_meta()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def within(self, box: FloatBox, *, label: int | None = None, limit: int = 5000) -> Found:
        """The instances whose boxes meet a rectangle x1, y1, x2, y2, by tile and id; at most `limit`."""
        x1, y1, x2, y2 = box
        wide, high = self.meta.largest
        columns = (int(x1 - wide / 2) // TILE, int(x2 + wide / 2) // TILE)
        rows = (int(y1 - high / 2) // TILE, int(y2 + high / 2) // TILE)
        most_rows, most_columns = (side // TILE for side in self.meta.shape)

        asked = "tile BETWEEN ? AND ? AND x1 < ? AND x2 > ? AND y1 < ? AND y2 > ?"
        asked += "" if label is None else " AND label = ?"
        left, right = max(columns[0], 0), min(columns[1], most_columns)
        found: list[Instance] = []
        for row in range(max(rows[0], 0), min(rows[1], most_rows) + 1):
            given = [row << 16 | left, row << 16 | max(left, right), x2, x1, y2, y1]
            given += [] if label is None else [label]
            found += self._instances(f"{asked} ORDER BY tile, id LIMIT ?", [*given, limit + 1 - len(found)])
            if len(found) > limit:
                return Found(found[:limit], True)
        return Found(found, False)

    def ranked(
        self, measure: str, *, label: int, limit: int = 50, offset: int = 0, highest: bool = True
    ) -> list[Instance]:
        """Instances of a class by a measure of RANKED_BY, the highest first or the lowest.

        Those of which it is not known are left out. Ties go by id. Raises InputError for another measure.
        """
        if measure not in RANKED_BY:
            raise InputError(f"no measure {measure!r}: choose one of {', '.join(RANKED_BY)}")
        order = ", ".join(f"{name} {'DESC' if highest else 'ASC'}" for name in (measure, "tile", "id"))
        # Without an index of the measure all rows are gone through in their order, which + makes sure of.
        kind = "label" if measure in SORTED_BY else "+label"
        known = f"{kind} = ? AND {measure} IS NOT NULL ORDER BY {order}"
        ids = self._ask(
            f"SELECT id FROM cell WHERE {known} LIMIT ? OFFSET ?", (label, max(limit, 0), max(offset, 0))
        )
        return [one for (number,) in ids for one in self._instances("id = ?", (number,))]

    def count(self, measure: str, *, label: int) -> int:
        """How many instances of a class a measure of RANKED_BY is known of: how far `ranked` goes."""
        if measure not in RANKED_BY:
            raise InputError(f"no measure {measure!r}: choose one of {', '.join(RANKED_BY)}")
        return self._ask(f"SELECT count({measure}) FROM cell WHERE label = ?", (label,))[0][0]

    def get(self, number: int) -> Instance | None:
        """The instance of an id, None where there is none."""
        if not 0 <= number < 2**63:  # SQLite has no larger numbers
            return None
        return next(iter(self._instances("id = ?", (number,))), None)

    def nuclei_of(self, first: int, last: int | None = None) -> list[Instance]:
        """The nuclei of a cell, or of all cells with ids from `first` to `last`."""
        given = (first, first if last is None else last)
        found = self._instances("parent BETWEEN ? AND ? ORDER BY tile, id", given)
        return [one for one in found if one.parent is not None]

    def lost(self) -> int:
        """How many nuclei name a cell that is not there, and are read as nuclei without one."""
        return self._ask(f"SELECT count(*) FROM cell WHERE parent IS NOT NULL AND {_CELL} IS NULL")[0][0]

    def tiles(self) -> NDArray[np.int64]:
        """Column, row, cells and nuclei of each tile of TILE px with any, row by row, (t, 4)."""
        rows = self._ask("SELECT tile & 65535, tile >> 16, cells, nuclei FROM tile ORDER BY tile")
        try:
            tiles = np.array(rows, dtype=np.int64).reshape(-1, 4)
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged(self.path, error) from None
        counts = tiles[:, 2:]
        if not counts.any(axis=1).all() or counts.sum(axis=0).tolist() != [self.meta.cells, self.meta.nuclei]:
            raise damaged(self.path, "its tables do not agree on how many cells there are")
        return tiles

    def in_tile(self, column: int, row: int) -> list[Instance]:
        """The instances of a tile, in the order of their ids: those whose boxes have their middles in it."""
        tile = (row << 16 | column,)
        found = self._instances("tile = ? ORDER BY id", tile)
        counted = self._ask("SELECT cells + nuclei FROM tile WHERE tile = ?", tile) or [(0,)]
        if counted[0][0] != len(found):
            raise damaged(self.path, "its tables do not agree on how many cells there are")
        return found

    def by_tile(self) -> Iterator[list[Instance]]:
        """All instances in the order of their ids, those of a tile at a time."""
        for column, row, *_ in self.tiles().tolist():
            yield self.in_tile(column, row)

    def _instances(self, condition: str, given: Sequence[Any]) -> list[Instance]:
        rows = self._ask(f"SELECT {_SELECTED} FROM cell WHERE {condition}", given)
        try:
            return [Instance.of(row, self.path, self.meta.shape) for row in rows]
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged(self.path, error) from None

    def _ask(self, query: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._connection.execute(query, given).fetchall()
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, error) from None

    def _read_meta(self) -> StoreMeta:
        try:
            said = {key: json.loads(value) for key, value in self._ask("SELECT key, value FROM meta")}
            version = said["format"]
            newer, older = version > FORMAT, version < FORMAT
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(self.path, error) from None
        if newer:
            raise InputError(f"{self.path}: format {version} of a newer irnet: update irnet")
        if older:
            raise InputError(f"{self.path}: format {version} of an earlier irnet: {AGAIN}")
        try:
            return StoreMeta.of(said)
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise damaged(self.path, error) from None


def open_store(path: str | Path) -> Store:
    """The cells.db at a path, or of the slide's folder at it, to be read.

    Raises InputError for one that is missing, of another kind, damaged or of another version.
    """
    path = Path(path)
    path = path / CELLS_DB if path.is_dir() else path
    if not path.is_file():
        out = path.parent.parent.parent
        raise InputError(f"{path}: no such file: {command('slide', 'finish', out)} writes it")
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    try:
        return Store(path, connection)
    except BaseException:
        connection.close()
        raise


def find_stores(path: str | Path) -> list[Path]:
    """The cells.db that a user means: the file, that of a slide's folder, or those of all slides of a plan.

    In the order of the plan; those of slides that are not finished are not there. Raises InputError where no
    slide is.
    """
    path = Path(path)
    if path.is_file() or (path / CELLS_DB).is_file():
        return [path / CELLS_DB if path.is_dir() else path]
    if (path / SLIDES_RUN).is_file():
        names: Iterable[str] = Plan.read(path).names
    else:  # given away without the plan
        names = sorted(folder.name for folder in (path / SLIDES).glob("*") if folder.is_dir())
    stores = [path / SLIDES / name / CELLS_DB for name in names]
    if not stores:
        raise InputError(f"{path}: no {CELLS_DB} in it: irnet slide finish writes it")
    return stores
