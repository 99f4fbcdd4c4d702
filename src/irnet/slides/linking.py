"""Nuclei of a slide linked to their cells: all together, with few masks in memory at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.geometry.boxes import overlapping_pairs
from irnet.morphometry.evidence import TERMS, CandidateLinks, find_candidates
from irnet.morphometry.pairing import links_confidence, solve_links
from irnet.progress import each
from irnet.slides.block import Block

_TOGETHER = 1000  # nuclei whose masks, and those of the cells around them, are in memory


def link_nuclei(
    block: Block, shape: tuple[int, int], mpp: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The cell of each instance (n,), NO_PARENT for none, and how sure it is; as `pair_nuclei` of them all.

    `shape` is (H, W) of the slide at the network's scale, `mpp` its um per pixel. The candidates lie in the
    order of their places: nuclei that follow each other are near each other.
    """
    nuclei, cells = (np.flatnonzero(block.labels == label) for label in (NUCLEUS, CYTOPLASM))
    starts = range(0, len(nuclei), _TOGETHER)
    parts: list[NDArray] = [np.zeros((0, 2 + len(TERMS)))]
    for start in each(starts, "linking nuclei"):
        some = nuclei[start : start + _TOGETHER]
        near = cells[np.unique(overlapping_pairs(block.boxes[some], block.boxes[cells])[:, 1])]
        index = np.concatenate([some, near])
        found = find_candidates(block.select(index).to_cells(shape, mpp))
        parts.append(np.column_stack([index[found.nuclei], index[found.cells], found.terms]))

    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    links = CandidateLinks(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:])
    parents = solve_links(links, len(block))
    return parents, links_confidence(links, block.labels, parents)
