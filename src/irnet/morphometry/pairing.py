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

FIRST, FURTHER = 7.9, 4.5  # gain of a cell's first nucleus, and of each one more
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
        _, options = _solve(group.costs, np.zeros(group.costs.shape[1]))
        parents[chosen[group.nuclei]] = np.append(chosen[group.cells], NO_PARENT)[options]
    return dataclasses.replace(cells, parents=parents)


def pairing_confidence(cells: Cells) -> NDArray[np.float64]:
    """How sure the links of `cells` are, (n,), each from 0 to 1; nan for a cell.

    1 / (1 + exp(-margin)): margin is what the best links cost more without this nucleus's link (or without
    its being bare) than with it, while nuclei that could share no cell with it keep theirs. Links that
    `pair_nuclei` made have 0.5 at least, those by hand may have less; one to a cell that holds less than half
    of the nucleus has 0.
    """
    confidence = np.where(cells.labels == NUCLEUS, (cells.parents == NO_PARENT).astype(float), np.nan)
    for group in _groups(find_candidates(cells)):
        confidence[group.nuclei] = group.confidence(cells.parents[group.nuclei])
    return confidence


@dataclasses.dataclass(frozen=True)
class _Group:
    """m nuclei and k cells that no possible link joins to any other."""

    nuclei: NDArray[np.int64]  # (m,)
    cells: NDArray[np.int64]  # (k,)
    costs: Costs  # (m, k + 1) of each link, gains aside, and of being bare; FORBIDDEN: none

    def confidence(self, parents: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each nucleus's link to its parent, (m,)."""
        linked = parents[:, None] == np.append(self.cells, NO_PARENT)  # (m, k + 1)
        possible = self.costs < FORBIDDEN
        confidence = np.zeros(len(parents))
        for row in np.flatnonzero((linked & possible).any(axis=1)):
            near = possible[:, :-1] @ possible[row, :-1]
            taken, costs = linked[~near].sum(axis=0), self.costs[near]
            mine, link = np.arange(len(near))[near] == row, linked[row]
            margin = _least(costs, taken, mine, link) - _least(costs, taken, mine, ~link)
            confidence[row] = 1 / (1 + np.exp(-margin))
        return confidence


def _least(costs: Costs, taken: NDArray, row: NDArray[np.bool_], closed: NDArray[np.bool_]) -> float:
    """Least cost where one nucleus may not have the options `closed`."""
    return _solve(np.where(row[:, None] & closed, FORBIDDEN, costs), taken)[0]


def _solve(costs: Costs, taken: NDArray) -> tuple[float, NDArray[np.int64]]:
    """Least cost of all nuclei together, and the option (m,) of each in it.

    `taken` (k + 1,) says how many nuclei beside these each option has. An option stands there once for every
    nucleus that could take it, the first time with the gain of a first nucleus.
    """
    room = (costs < FORBIDDEN).sum(axis=0)
    places = np.repeat(np.arange(len(room)), room)
    gains = np.full(len(places), FURTHER)
    gains[(np.cumsum(room) - room)[(room > 0) & (taken == 0)]] = FIRST
    gains[places == len(room) - 1] = 0.0  # bare
    price = costs[:, places] - gains
    rows, columns = linear_sum_assignment(price)
    return float(price[rows, columns].sum()), places[columns]


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
    order = np.argsort(parts, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(parts[order])) + 1):
        nuclei, rows = np.unique(candidates.nuclei[mine], return_inverse=True)
        cells, columns = np.unique(candidates.cells[mine], return_inverse=True)
        table = np.full((len(nuclei), len(cells) + 1), FORBIDDEN)
        table[rows, columns] = costs[mine]
        table[:, -1] = 0.0
        yield _Group(nuclei, cells, table)
