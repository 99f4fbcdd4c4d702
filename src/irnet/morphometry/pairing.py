"""Which cell each nucleus belongs to: the links of an image that together cost least, and how sure each is.

A nucleus has one cell or none (it is bare), a cell any number of nuclei. A link pays a gain, that of a cell's
first nucleus the highest, and costs what speaks against it (`evidence`); to be bare neither costs nor pays.
Costs are in nats: chosen so that the true links of generated smears are the most likely ones where exp(-cost)
weighs one way to link an image against another (benchmarks/pairing.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from irnet.cells import NO_PARENT, NUCLEUS, Cells
from irnet.morphometry.evidence import Candidates, find_candidates

Costs = NDArray[np.float64]

FIRST, FURTHER = 7.9, 3.6  # gain of a cell's first nucleus, and of each one more
WEIGHTS = np.array([9.3, 2.2, 5.4, 0.33, 2.9])  # of evidence.TERMS
FORBIDDEN = 1e6


def pair_nuclei(cells: Cells, among: NDArray[np.bool_] | None = None) -> Cells:
    """`cells` with each nucleus linked to its cell, whatever the links before.

    All nuclei and cells that could belong together are solved together: the cell that a nucleus leaves empty
    counts as well. A nucleus with less than half of its area inside every cell keeps no parent. Where `among`
    (n,) says which instances take part, the others get no link and no nucleus.
    """
    chosen = np.arange(len(cells)) if among is None else np.flatnonzero(among)
    parents = np.full(len(cells), NO_PARENT)
    for group in _groups(find_candidates(cells.select(chosen))):
        _, options = group.solve(group.costs)
        parents[chosen[group.nuclei]] = np.append(chosen[group.cells], NO_PARENT)[options]
    return dataclasses.replace(cells, parents=parents)


def pairing_confidence(cells: Cells) -> NDArray[np.float64]:
    """How sure the links of `cells` are, (n,), each from 0 to 1; nan for a cell.

    1 / (1 + exp(-margin)): margin is what the image's best links cost more without this nucleus's link (or
    without its being bare) than with it. Links that `pair_nuclei` made have 0.5 at least, those by hand may
    have less; one to a cell that holds less than half of the nucleus has 0.
    """
    confidence = np.where(cells.labels == NUCLEUS, (cells.parents == NO_PARENT).astype(float), np.nan)
    for group in _groups(find_candidates(cells)):
        for row, nucleus in enumerate(group.nuclei):
            confidence[nucleus] = group.confidence(row, int(cells.parents[nucleus]))
    return confidence


@dataclasses.dataclass(frozen=True)
class _Group:
    """m nuclei and k cells that no possible link joins to any other. The last option is to be bare."""

    nuclei: NDArray[np.int64]  # (m,)
    cells: NDArray[np.int64]  # (k,)
    costs: Costs  # (m, k + 1) of each link, its gain left aside; FORBIDDEN where there is none

    def solve(self, costs: Costs) -> tuple[float, NDArray[np.int64]]:
        """Least cost of all the nuclei together, and the option (m,) that each takes in it."""
        m, k = len(self.nuclei), len(self.cells)
        places = np.append(np.repeat(np.arange(k), m), np.full(m, k))  # room for all nuclei everywhere
        gains = np.append(np.tile([FIRST] + [FURTHER] * (m - 1), k), np.zeros(m))
        rows, columns = linear_sum_assignment(costs[:, places] - gains)
        return float((costs[:, places] - gains)[rows, columns].sum()), places[columns]

    def confidence(self, row: int, parent: int) -> float:
        """Of one nucleus being linked to `parent`."""
        options = np.append(self.cells, NO_PARENT)
        if parent not in options[self.costs[row] < FORBIDDEN]:
            return 0.0
        taken = options == parent
        best = [self.solve(self._without(row, closed))[0] for closed in (taken, ~taken)]
        return float(1 / (1 + np.exp(best[1] - best[0])))

    def _without(self, row: int, closed: NDArray[np.bool_]) -> Costs:
        costs = self.costs.copy()
        costs[row, closed] = FORBIDDEN
        return costs


def _groups(candidates: Candidates) -> Iterator[_Group]:
    """The parts of an image that can be solved one by one."""
    if not len(candidates.nuclei):
        return
    size = int(max(candidates.nuclei.max(), candidates.cells.max())) + 1
    links = coo_array(
        (np.ones(len(candidates.nuclei)), (candidates.nuclei, candidates.cells)), shape=(size, size)
    )
    parts = connected_components(links, directed=False)[1][candidates.nuclei]
    costs = candidates.terms @ WEIGHTS
    for part in np.unique(parts):
        mine = np.flatnonzero(parts == part)
        nuclei, rows = np.unique(candidates.nuclei[mine], return_inverse=True)
        cells, columns = np.unique(candidates.cells[mine], return_inverse=True)
        table = np.full((len(nuclei), len(cells) + 1), FORBIDDEN)
        table[rows, columns] = costs[mine]
        table[:, -1] = 0.0
        yield _Group(nuclei, cells, table)
