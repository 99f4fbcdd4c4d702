"""What the page receives of a slide: counts, what lies in a box, rows of the table, an instance and its kin.

Places are px of the slide's finest level.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.errors import InputError
from irnet.report.colours import PALETTE
from irnet.slides.reading import FloatBox, Instance, Store
from irnet.slides.store import SORTED_BY, TILE

BOXED, OUTLINED = 1500, 500  # instances in a box up to which they are sent at all, and with outlines
PAGE = 100  # rows of the table
OF_CELLS = ("nuclei", "nc_ratio")  # nuclei have none
SORTS = {CYTOPLASM: SORTED_BY, NUCLEUS: tuple(name for name in SORTED_BY if name not in OF_CELLS)}
_COLOURS = ["#" + bytes(colour.tolist()).hex() for colour in PALETTE]

Row = dict[str, Any]


class SlideScene:
    """A slide whose cells.db is open."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.known = lru_cache(store.count)

    @property
    def px(self) -> float:
        """Px of the slide per px of the store."""
        return self.store.meta.px

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Column, row, cells and nuclei of each square with any, (t, 4)."""
        return self.store.tiles()

    def within(self, box: FloatBox) -> list[Row] | None:
        """What meets a box: with outlines, where that is much without, None where it is too much."""
        x1, y1, x2, y2 = (value / self.px for value in box)
        if self._expected((x1, y1, x2, y2)) > 2 * BOXED:
            return None
        found = self.store.within((x1, y1, x2, y2), limit=BOXED)
        if found.more:
            return None
        outlined = len(found.instances) <= OUTLINED
        return [self._describe(one, outlined=outlined) for one in found.instances]

    def family(self, number: int) -> list[Row]:
        """An instance with its cell, or its nuclei, all that is known of them. Raises InputError for none."""
        one = self.store.get(number)
        if one is None:
            raise InputError(f"no cell or nucleus #{number} on {self.store.meta.name}")
        root = one if one.parent is None else self.store.get(one.parent)
        family = [one] if root is None else [root, *self.store.nuclei_of(root.id)]
        return [self._describe(each, outlined=True, measured=True) for each in family]

    def rows(self, label: int, sort: str, falling: bool, offset: int) -> list[Row]:
        """A page of the table. Raises InputError for what has no index: it would take seconds."""
        if sort not in SORTS[label]:
            raise InputError(f"the table is not sorted by {sort}: choose one of {', '.join(SORTS[label])}")
        found = self.store.ranked(sort, label=label, limit=PAGE, offset=offset, highest=falling)
        return [self._describe(one, outlined=False, measured=True) for one in found]

    def _expected(self, box: FloatBox) -> float:
        """How many instances lie in a box, as if they were spread evenly over each square."""
        x1, y1, x2, y2 = box
        left, top = self.counts[:, :2].T * TILE
        wide = np.clip(np.minimum(left + TILE, x2) - np.maximum(left, x1), 0, None)
        high = np.clip(np.minimum(top + TILE, y2) - np.maximum(top, y1), 0, None)
        return float((wide * high * self.counts[:, 2:].sum(axis=1)).sum()) / TILE**2

    def _describe(self, one: Instance, *, outlined: bool, measured: bool = False) -> Row:
        root = one.id if one.label == CYTOPLASM else one.parent
        return {
            "id": one.id,
            "label": one.label,
            "score": round(one.score, 4),
            "cell": one.parent,
            "box": [round(value * self.px, 1) for value in one.box],
            "colour": None if root is None else _COLOURS[root % len(_COLOURS)],
            "rings": [_flat(ring) for ring in one.rings(self.px)] if outlined else None,
            "measures": _measures(one) if measured else None,
        }


def _flat(ring: NDArray[np.float64]) -> list[float]:
    """The open ring as x, y, x, y ..., to a tenth of a px."""
    return np.round(ring[:-1], 1).ravel().tolist()


def _measures(one: Instance) -> Row:
    """What is known of an instance, to four digits."""
    said: Iterable[tuple[str, float | None]] = [
        ("nuclei", one.nuclei),
        ("pairing_confidence", one.confidence),
        *one.measures.items(),
    ]
    return {name: float(f"{value:.4g}") for name, value in said if value is not None}
