"""One-to-one assignment of predictions to truths: the most pairs first, then the highest sum of quality.

Two masks may both have IoU > 0.5 with a third when masks overlap, so that the threshold alone makes no match
unique and an assignment is needed (Hungarian algorithm, component by component).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from irnet.cells import LABEL_NAMES, NO_PARENT, Cells

MATCH_IOU = 0.5
GLAS_COVER = 0.5


@dataclass(frozen=True, eq=False)
class Pairwise:
    """Areas and shared pixels of n truths and m predictions of one class: all that most scores need."""

    intersections: NDArray[np.int64]  # (n, m)
    truth_areas: NDArray[np.int64]  # (n,)
    pred_areas: NDArray[np.int64]  # (m,)

    @classmethod
    def between(cls, truths: Cells, preds: Cells) -> "Pairwise":
        """Compare two sets of instances of one frame."""
        return cls(truths.intersections(preds), truths.areas, preds.areas)

    def keep(self, preds: NDArray[np.bool_]) -> "Pairwise":
        """The same truths against the chosen predictions (m,) alone."""
        return Pairwise(self.intersections[:, preds], self.truth_areas, self.pred_areas[preds])

    @cached_property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union, (n, m)."""
        return _divide(self.intersections, self.sums - self.intersections)

    @cached_property
    def dice(self) -> NDArray[np.float64]:
        """Dice coefficient, (n, m)."""
        return _divide(2 * self.intersections, self.sums)

    @property
    def sums(self) -> NDArray[np.int64]:
        """Area of each truth plus area of each prediction, (n, m)."""
        return self.truth_areas[:, None] + self.pred_areas[None, :]


def match_iou(pairs: Pairwise, threshold: float = MATCH_IOU) -> NDArray[np.int64]:
    """Truth and prediction of each pair with IoU > `threshold`, (k, 2), sorted by truth."""
    return assign(pairs.iou, pairs.iou > threshold)


def match_glas(pairs: Pairwise) -> NDArray[np.int64]:
    """The same where a prediction that covers at least half of the truth's area may match (GlaS, DCAN)."""
    cover = pairs.intersections / np.maximum(pairs.truth_areas, 1)[:, None]  # (n, m)
    return assign(cover, cover >= GLAS_COVER)


def partners(cells: Cells, others: Cells) -> NDArray[np.int64]:
    """Index of the one of `others` that each of `cells` is matched with in its class, or NO_PARENT, (n,)."""
    partner = np.full(len(cells), NO_PARENT)
    for label in LABEL_NAMES:
        mine, theirs = np.flatnonzero(cells.labels == label), np.flatnonzero(others.labels == label)
        matches = match_iou(Pairwise.between(cells.select(mine), others.select(theirs)))
        partner[mine[matches[:, 0]]] = theirs[matches[:, 1]]
    return partner


def assign(quality: NDArray[np.float64], allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row and column of one-to-one pairs among `allowed`, (k, 2), sorted by row.

    As many pairs as can be, and of these sets the one with the highest sum of `quality` (n, m), in 0..1.

    >>> iou = np.array([[0.9, 0.6], [0.6, 0.0]])
    >>> assign(iou, iou > 0.5).tolist()  # two pairs of .6 rather than one of .9
    [[0, 1], [1, 0]]
    """
    rows, columns = np.nonzero(allowed)
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)  # no rival on either side
    pairs = [np.stack([rows[alone], columns[alone]], axis=1)]
    rows, columns = rows[~alone], columns[~alone]
    for edges in _components(rows, columns, allowed.shape):
        pairs.append(_solve(quality, allowed, np.unique(rows[edges]), np.unique(columns[edges])))
    joined = np.concatenate(pairs)
    return joined[np.argsort(joined[:, 0], kind="stable")]


def _components(rows: NDArray, columns: NDArray, shape: tuple[int, ...]) -> list[NDArray]:
    """Edge indices of each connected component: no pair of one changes what is possible in another."""
    if not len(rows):
        return []
    n, m = shape
    graph = coo_array((np.ones(len(rows)), (rows, n + columns)), shape=(n + m, n + m))
    component = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(component, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(component[order])) + 1)


def _solve(quality: NDArray, allowed: NDArray, rows: NDArray, columns: NDArray) -> NDArray[np.int64]:
    """Best assignment of one component's rows and columns."""
    block = np.ix_(rows, columns)
    bonus = min(len(rows), len(columns))  # no sum of qualities outweighs one more pair
    i, j = linear_sum_assignment(np.where(allowed[block], bonus + quality[block], 0.0), maximize=True)
    pairs = np.stack([rows[i], columns[j]], axis=1)
    return pairs[allowed[pairs[:, 0], pairs[:, 1]]]


def _divide(numerator: NDArray, denominator: NDArray) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)
