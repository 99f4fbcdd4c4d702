"""Nuclei of a slide linked to their cells: all together, with few masks in memory at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.geometry.boxes import overlapping_pairs
from irnet.morphometry.evidence import TERMS, CandidateLinks, find_candidates
from irnet.morphometry.pairing import links_confidence, solve_links
from irnet.progress import each
from irnet.slides.candidates import Candidates, nearby

_TOGETHER = 1000  # nuclei whose masks, and those of the cells around them, are in memory


def link_nuclei(
    found: Candidates, shape: tuple[int, int], mpp: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The cell of each instance (n,), NO_PARENT for none, and how sure it is; as `pair_nuclei` of them all.

    `shape` is (H, W) of the slide at the network's scale, `mpp` its um per pixel.
    """
    nuclei, cells = (np.flatnonzero(found.labels == label) for label in (NUCLEUS, CYTOPLASM))
    parts: list[NDArray] = [np.zeros((0, 2 + len(TERMS)))]
    around = nearby(found.boxes[nuclei], found.boxes[cells], _TOGETHER)
    for some, near in each(around, "linking nuclei", total=-(-len(nuclei) // _TOGETHER)):
        some, near = nuclei[some], cells[near]
        near = near[np.unique(overlapping_pairs(found.boxes[some], found.boxes[near])[:, 1])]
        index = np.concatenate([some, near])
        links = find_candidates(found.take(index).to_cells(shape, mpp))
        parts.append(np.column_stack([index[links.nuclei], index[links.cells], links.terms]))

    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    every = CandidateLinks(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:])
    parents = solve_links(every, len(found))
    return parents, links_confidence(every, found.labels, parents)
