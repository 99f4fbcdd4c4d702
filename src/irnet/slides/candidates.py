"""All candidates of a slide: places, scores and measures in memory, masks in their blocks until asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from irnet.progress import each
from irnet.slides.block import Block

ROW = 1024  # px: what lies in a row of the slide is looked at together
_BLOCKS = 64  # that are held at a time: about a row of windows

_Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """n candidates, as in `Block` but for their run lengths."""

    boxes: NDArray[np.int32]  # (n, 4)
    labels: NDArray[np.uint8]  # (n,)
    scores: NDArray[np.float32]  # (n,)
    areas: _Ints  # (n,) px
    measures: NDArray[np.float32]  # (n, k)
    cut: NDArray[np.uint8]  # (n,)
    windows: NDArray[np.int32]  # (n,) the number of the window that owns each
    places: NDArray[np.int32]  # (n,) in the block of that window
    read: Callable[[int], Block]  # the block of a window

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def gather(cls, windows: Iterable[int], read: Callable[[int], Block]) -> Self:
        """All candidates of windows, in order; `read` returns the block of one. Raises what it raises."""
        parts = [_without_masks(-1, Block.empty())]
        parts += [_without_masks(number, read(number)) for number in each(list(windows), "reading blocks")]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return cls(**columns, read=lru_cache(_BLOCKS)(read))

    @classmethod
    def of(cls, block: Block, windows: NDArray[np.integer] | None = None) -> Self:
        """The candidates of one block, owned by `windows` (n,)."""
        found = cls(**_without_masks(0, block), read=lambda _: block)
        return found if windows is None else replace(found, windows=windows.astype(np.int32))

    def select(self, index: _Ints) -> Self:
        """Some of the candidates (k,), in that order."""
        names = [field.name for field in fields(self) if field.name != "read"]
        return replace(self, **{name: getattr(self, name)[index] for name in names})

    def take(self, index: _Ints) -> Block:
        """Some of them (k,) with their masks, in that order."""
        order = np.argsort(self.windows[index], kind="stable")
        numbers, begins = np.unique(self.windows[index][order], return_index=True)
        parts = [Block.empty()]
        for number, mine in zip(numbers.tolist(), np.split(order, begins[1:]), strict=False):
            parts.append(self.read(number).select(self.places[index[mine]].astype(np.int64)))
        return Block.concat(parts).select(np.argsort(order))


def nearby(a: NDArray, b: NDArray, together: int) -> Iterator[tuple[_Ints, _Ints]]:
    """So many of the boxes `a` (n, 4) at a time, row by row, with those of `b` (m, 4) that may meet them.

    Both as indices, (k,) and (l,) ascending; any two boxes that share area are in one such pair.
    """
    if not len(a) or not len(b):
        return
    order = np.lexsort((a[:, 0], a[:, 1] // ROW))
    from_top = np.argsort(b[:, 1], kind="stable")
    tops, tallest = b[from_top, 1], (b[:, 3] - b[:, 1]).max()
    for start in range(0, len(a), together):
        some = order[start : start + together]
        (x1, y1), (x2, y2) = a[some, :2].min(axis=0), a[some, 2:].max(axis=0)
        near = from_top[slice(*np.searchsorted(tops, [y1 - tallest, y2]))]
        meets = (b[near, 3] > y1) & (b[near, 0] < x2) & (b[near, 2] > x1)
        yield np.sort(some), np.sort(near[meets])


def _without_masks(number: int, block: Block) -> dict[str, NDArray]:
    names = ("boxes", "labels", "scores", "areas", "measures", "cut")
    owned = {name: getattr(block, name) for name in names}
    places = np.arange(len(block), dtype=np.int32)
    return owned | {"windows": np.full_like(places, number), "places": places}
