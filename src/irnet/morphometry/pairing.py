"""Which cell each nucleus belongs to: the links of an image that together cost least, and how sure each is.

A nucleus has one cell or none (it is bare), a cell any number of nuclei. A link pays a gain, that of a cell's
first nucleus the highest, and costs what speaks against it (`evidence`); to be bare neither costs nor pays.
Costs are in nats: chosen so that the true links of generated smears are the most likely ones where exp(-cost)
weighs one way to link an image against another (benchmarks/pairing.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from irnet.assignment import linear_sum_assignment
from irnet.cells import NO_PARENT, NUCLEUS, Cells
from irnet.morphometry.evidence import CandidateLinks, find_candidates

Costs = NDArray[np.float64]

FIRST, FURTHER = 7.9, 4.5  # gain of a cell's first nucleus, and of each one more
WEIGHTS = np.array([9.3, 2.2, 5.4, 0.33, 2.9])  # of evidence.TERMS
FORBIDDEN = 1e6
_DENSE = 2**18  # links of a group, possible or not: more are solved by the possible ones alone


def pair_nuclei(cells: Cells, among: NDArray[np.bool_] | None = None) -> Cells:
    """`cells` with each nucleus linked to its cell, regardless of the links before.

    All nuclei and cells that could belong together are solved together: the cell that a nucleus leaves empty
    counts as well. A nucleus of which no cell holds half keeps no parent. Where `among`
    (n,) says which instances take part, the others get no link and no nucleus.
    """
    chosen = np.arange(len(cells)) if among is None else np.flatnonzero(among)
    parents = np.full(len(cells), NO_PARENT)
    links = find_candidates(cells.select(chosen))
    parents[chosen] = np.append(chosen, NO_PARENT)[solve_links(links, len(chosen))]
    return dataclasses.replace(cells, parents=parents)


def solve_links(links: CandidateLinks, count: int) -> NDArray[np.int64]:
    """The cell of each of so many instances (count,), by the links that are possible; NO_PARENT for none."""
    parents = np.full(count, NO_PARENT)
    for group in _groups(links):
        parents[group.nuclei] = np.append(group.cells, NO_PARENT)[group.solve()]
    return parents


def pairing_confidence(cells: Cells) -> NDArray[np.float64]:
    """How sure the links of `cells` are, (n,), each from 0 to 1; nan for a cell.

    1 / (1 + exp(-margin)): margin is what the best links cost more without this nucleus's link (or without
    its being bare) than with it, while nuclei that could share no cell with it keep theirs. Links that
    `pair_nuclei` made have 0.5 at least, those by hand may have less; one to a cell that holds less than half
    of the nucleus has 0.
    """
    return links_confidence(find_candidates(cells), cells.labels, cells.parents)


def links_confidence(
    links: CandidateLinks, labels: NDArray[np.integer], parents: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The same by the links that are possible, of instances (n,) of these labels and parents."""
    confidence = np.where(labels == NUCLEUS, (parents == NO_PARENT).astype(float), np.nan)
    for group in _groups(links):
        confidence[group.nuclei] = group.confidence(parents[group.nuclei])
    return confidence


@dataclasses.dataclass(frozen=True)
class _Group:
    """m nuclei and k cells that no possible link joins to any other, and the e links between them."""

    nuclei: NDArray[np.int64]  # (m,)
    cells: NDArray[np.int64]  # (k,)
    rows: NDArray[np.int64]  # (e,) the nucleus of each link, ascending
    columns: NDArray[np.int64]  # (e,) its cell
    costs: Costs  # (e,) gains aside

    def solve(self) -> NDArray[np.int64]:
        """Of each nucleus the cell (m,) in the links that cost least; k: it is bare."""
        if len(self.nuclei) * (len(self.cells) + 1) > _DENSE:
            return _solve_sparse(self)
        costs, _ = self._table(np.arange(len(self.nuclei)))
        return _solve(costs, np.zeros(costs.shape[1]))[1]

    def confidence(self, parents: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each nucleus's link to its parent, (m,)."""
        place = np.searchsorted(self.cells, parents).clip(0, len(self.cells) - 1)
        links = np.where(self.cells[place] == parents, place, len(self.cells))  # the last: to none of them

        taken = np.bincount(links, minlength=len(self.cells) + 1)
        confidence = np.zeros(len(parents))

        # What other nuclei do matters only to those that could share a cell with this one.
        for row, near, costs, cells in self._surroundings():
            options = np.append(cells, len(self.cells))
            mine, link = near == row, options == links[row]
            if parents[row] != NO_PARENT and not (link[:-1] & (costs[mine, :-1] < FORBIDDEN)).any():
                continue  # to a cell that it cannot belong to

            # Cells count as taken by the nuclei outside of `near`, which keep their links.
            others = taken[options] - (links[near][:, None] == options).sum(axis=0)
            margin = _least(costs, others, mine, link) - _least(costs, others, mine, ~link)
            confidence[row] = 1 / (1 + np.exp(-margin))
        return confidence

    def _surroundings(self) -> Iterator[tuple[int, NDArray[np.int64], Costs, NDArray[np.int64]]]:
        """Each nucleus, those of `_near`, and their `_table`."""
        if len(self.nuclei) * (len(self.cells) + 1) > _DENSE:
            for row, near in enumerate(self._near()):
                yield row, near, *self._table(near)
            return

        # A small group is one table, of which parts are taken.
        table, _ = self._table(np.arange(len(self.nuclei)))
        possible = table < FORBIDDEN
        shared = possible[:, :-1].astype(np.float32)
        for row, shares in enumerate((shared @ shared.T) > 0):
            near = np.flatnonzero(shares)
            options = np.flatnonzero(possible[near].any(axis=0))  # the last is to be bare
            yield row, near, table[near[:, None], options], options[:-1]

    def _near(self) -> Iterator[NDArray[np.int64]]:
        """Of each nucleus those that could share a cell with it, itself among them, ascending."""
        shape = len(self.nuclei), len(self.cells)
        possible = coo_array((np.ones(len(self.rows)), (self.rows, self.columns)), shape=shape).tocsr()

        near = (possible @ possible.T).tocsr()
        near.sort_indices()
        return (near.indices[start:stop] for start, stop in pairwise(near.indptr.tolist()))

    def _table(self, nuclei: NDArray[np.int64]) -> tuple[Costs, NDArray[np.int64]]:
        """Costs of some nuclei (n,) for each cell that is possible for one and for being bare, and the cells.

        The costs (n, c + 1) are FORBIDDEN where a link is not possible.
        """
        starts, stops = np.searchsorted(self.rows, nuclei), np.searchsorted(self.rows, nuclei, side="right")
        links = np.concatenate([np.arange(*ends) for ends in zip(starts, stops, strict=True)])

        cells, columns = np.unique(self.columns[links], return_inverse=True)
        table = np.full((len(nuclei), len(cells) + 1), FORBIDDEN)
        table[np.repeat(np.arange(len(nuclei)), stops - starts), columns] = self.costs[links]
        table[:, -1] = 0.0
        return table, cells


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

    # Of the places of each option the first gains most, unless a nucleus beside these has it already.
    gains = np.full(len(places), FURTHER)
    gains[(np.cumsum(room) - room)[(room > 0) & (taken == 0)]] = FIRST
    gains[places == len(room) - 1] = 0.0  # bare
    price = costs[:, places] - gains

    rows, columns = linear_sum_assignment(price)
    return float(price[rows, columns].sum()), places[columns]


def _solve_sparse(group: _Group) -> NDArray[np.int64]:
    """The options of `_solve` for a large group, where no option is taken by others."""
    room = np.bincount(group.columns, minlength=len(group.cells))
    first = np.cumsum(room) - room  # places of a cell stand together, and after all a place of each nucleus

    # Each link once for every place of its cell: at the first one it gains most.
    copies = room[group.columns]
    links = np.repeat(np.arange(len(copies)), copies)
    nth = np.arange(len(links)) - np.repeat(np.cumsum(copies) - copies, copies)

    price = group.costs[links] - np.where(nth == 0, FIRST, FURTHER)
    bare = np.arange(len(group.nuclei))
    rows = np.concatenate([group.rows[links], bare])
    columns = np.concatenate([first[group.columns[links]] + nth, room.sum() + bare])

    # A weight of 0 is no link to scipy; more on each changes nothing, for each nucleus has one.
    weights = np.concatenate([price, np.zeros(len(bare))]) + 2 * FIRST
    shape = len(bare), int(room.sum()) + len(bare)

    _, chosen = min_weight_full_bipartite_matching(coo_array((weights, (rows, columns)), shape=shape))
    places = np.repeat(np.arange(len(room)), room)
    return np.append(places, np.full(len(bare), len(room)))[chosen]


def _groups(candidates: CandidateLinks) -> Iterator[_Group]:
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
        yield _Group(nuclei, cells, rows, columns, costs[mine])
