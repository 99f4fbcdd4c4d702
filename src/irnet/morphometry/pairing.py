"""Which cell a nucleus belongs to: the cytoplasm that covers most of it."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells

MIN_INSIDE = 0.5  # a nucleus with less of its area inside every cytoplasm is bare


def pair_nuclei(cells: Cells) -> Cells:
    """Return `cells` with each nucleus linked to the cytoplasm that holds the largest part of its area.

    A nucleus in the overlap of several cells lies whole in each of them: of equal parts, the cell of the
    higher score wins, then the first. A nucleus of which less than half lies in any cell keeps no parent.
    """
    parents = np.full(len(cells), NO_PARENT)
    owners = np.flatnonzero(cells.labels == CYTOPLASM)
    nuclei = np.flatnonzero(cells.labels == NUCLEUS)
    if len(owners) and len(nuclei):
        owners = owners[np.argsort(-cells.scores[owners], kind="stable")]
        shared = cells.select(nuclei).intersections(cells.select(owners))  # (nuclei, cytoplasms)
        best = shared.argmax(axis=1)
        inside = shared[np.arange(len(nuclei)), best] >= MIN_INSIDE * cells.areas[nuclei]
        parents[nuclei[inside]] = owners[best[inside]]
    return dataclasses.replace(cells, parents=parents)


def pairing_confidence(cells: Cells, picture: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
    """How sure each link is, (n,); nan for cells. Not estimated yet: nan for every instance."""
    return np.full(len(cells), np.nan)
