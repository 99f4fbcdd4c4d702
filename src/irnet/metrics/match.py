"""One-to-one assignment of predictions to truths: the most pairs first, then the highest sum of quality.

Two masks may both have IoU > 0.5 with a third when masks overlap, so that the threshold alone makes no match
unique and an assignment is needed (Hungarian algorithm, component by component).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from irnet.assignment import linear_sum_assignment
from irnet.cells import LABEL_NAMES, NO_PARENT, Cells

MATCH_IOU = 0.5
GLAS_COVER = 0.5


@dataclass(frozen=True, eq=False)
class Pairwise:
    """What n truths and m predictions of one class share: all that most scores need.

    Only the k pairs that share pixels are listed, so that memory grows with the instances that meet.
    """

    pairs: NDArray[np.int64]  # (k, 2) truth and prediction, sorted
    shared: NDArray[np.int64]  # (k,) pixels, at least 1
    truth_areas: NDArray[np.int64]  # (n,)
    pred_areas: NDArray[np.int64]  # (m,)

    @classmethod
    def between(cls, truths: Cells, preds: Cells) -> "Pairwise":
        """Compare two sets of instances of one frame."""
        return cls(*truths.shared_pixels(preds), truths.areas, preds.areas)

    def keep(self, preds: NDArray[np.bool_]) -> "Pairwise":
        """The same truths against the chosen predictions (m,) alone."""
        kept = preds[self.preds]
        renumbered = np.stack([self.truths, np.cumsum(preds)[self.preds] - 1], axis=1)
        return Pairwise(renumbered[kept], self.shared[kept], self.truth_areas, self.pred_areas[preds])

    @cached_property
    def turned(self) -> "Pairwise":
        """The same with truths and predictions in each other's place."""
        order = np.argsort(self.preds, kind="stable")
        return Pairwise(self.pairs[order, ::-1], self.shared[order], self.pred_areas, self.truth_areas)

    @property
    def truths(self) -> NDArray[np.int64]:
        """The truth of each pair, (k,)."""
        return self.pairs[:, 0]

    @property
    def preds(self) -> NDArray[np.int64]:
        """The prediction of each pair, (k,)."""
        return self.pairs[:, 1]

    @cached_property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each pair, (k,)."""
        return self.shared / (self.sums - self.shared)

    @cached_property
    def dice(self) -> NDArray[np.float64]:
        """Dice coefficient of each pair, (k,)."""
        return 2 * self.shared / self.sums

    @property
    def sums(self) -> NDArray[np.int64]:
        """Area of the truth plus area of the prediction of each pair, (k,)."""
        return self.truth_areas[self.truths] + self.pred_areas[self.preds]

    def find(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each of some of the pairs, (l, 2), stands among them, (l,)."""
        place = np.array([len(self.pred_areas), 1])
        return np.searchsorted(self.pairs @ place, chosen @ place)


def match_iou(pairs: Pairwise, threshold: float = MATCH_IOU) -> NDArray[np.int64]:
    """Truth and prediction of each pair with IoU > `threshold`, (l, 2), sorted by truth."""
    alike = pairs.iou > threshold
    return assign(pairs.pairs[alike], pairs.iou[alike])


def match_glas(pairs: Pairwise) -> NDArray[np.int64]:
    """The same where a prediction that covers at least half of the truth's area may match (GlaS, DCAN)."""
    cover = pairs.shared / pairs.truth_areas[pairs.truths]
    return assign(pairs.pairs[cover >= GLAS_COVER], cover[cover >= GLAS_COVER])


def partners(cells: Cells, others: Cells) -> NDArray[np.int64]:
    """Index of the one of `others` that each of `cells` is matched with in its class, or NO_PARENT, (n,)."""
    partner = np.full(len(cells), NO_PARENT)
    for label in LABEL_NAMES:
        mine, theirs = np.flatnonzero(cells.labels == label), np.flatnonzero(others.labels == label)
        matches = match_iou(Pairwise.between(cells.select(mine), others.select(theirs)))
        partner[mine[matches[:, 0]]] = theirs[matches[:, 1]]
    return partner


def by_index(indices: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """For each of 0 to `count` - 1 its places in `indices` (k,), ascending.

    >>> [places.tolist() for places in by_index(np.array([2, 0, 2]), 3)]
    [[1], [], [0, 2]]
    """
    order = np.argsort(indices, kind="stable")
    return np.split(order, np.searchsorted(indices[order], np.arange(1, count)))[:count]


def assign(pairs: NDArray[np.int64], quality: NDArray[np.float64]) -> NDArray[np.int64]:
    """One-to-one pairs of a row and a column, (l, 2), sorted by row, of those that are possible, (k, 2).

    As many as can be, and of these sets the one with the highest sum of `quality` (k,), in 0..1.

    >>> pairs = np.array([[0, 0], [0, 1], [1, 0]])
    >>> assign(pairs, np.array([0.9, 0.6, 0.6])).tolist()  # two pairs of .6 rather than one of .9
    [[0, 1], [1, 0]]
    """
    rows, columns = pairs.T
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)  # no rival on either side

    # With rivals, component by component: no match in one changes what is possible in another.
    rivals, theirs = pairs[~alone], quality[~alone]
    solved = [_solve(rivals[edges], theirs[edges]) for edges in _components(rivals)]
    joined = np.concatenate([pairs[alone], *solved])
    return joined[np.argsort(joined[:, 0], kind="stable")]


def _components(pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Indices into `pairs` (k, 2) of the edges of each connected component."""
    if not len(pairs):
        return []

    # A graph of n truths and m predictions, the predictions numbered behind the truths.
    n, m = pairs.max(axis=0) + 1
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], n + pairs[:, 1])), shape=(n + m, n + m))

    component = connected_components(graph, directed=False)[1][pairs[:, 0]]
    order = np.argsort(component, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(component[order])) + 1)


def _solve(pairs: NDArray[np.int64], quality: NDArray[np.float64]) -> NDArray[np.int64]:
    """Best assignment of one component."""
    (rows, i), (columns, j) = (np.unique(side, return_inverse=True) for side in pairs.T)
    table = np.zeros((len(rows), len(columns)))
    table[i, j] = min(table.shape) + quality  # no sum of qualities outweighs one more pair
    i, j = linear_sum_assignment(table, maximize=True)
    return np.stack([rows[i], columns[j]], axis=1)[table[i, j] > 0]
