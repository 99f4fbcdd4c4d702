"""Scores of the links: is each nucleus given to its own cell, also where it lies inside several?"""

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.metrics.match import partners
from irnet.metrics.ratio import Ratio

PARTS = {"accuracy": "right, of those found with their cell", "recall": "recall", "precision": "precision"}
PLACES = {"": "all", "_ambiguous": "inside several cells"}
LINK_NAMES = tuple(f"link_{part}{place}" for place in PLACES for part in PARTS)

LEAST_INSIDE = 0.5  # of a nucleus's area, for a cell to be one that it may belong to


def link_scores(truths: Cells, preds: Cells) -> dict[str, Ratio]:
    """Scores of the parents of `preds`; nothing where the truth has no link, for then none is known.

    Instances are matched at IoU > 0.5. A link is right when its nucleus and its cell are the matches of a
    nucleus and of that nucleus's cell.

    - link_accuracy: of the matched nuclei whose cell was found as well or that are bare, those whose parent
      is right (of a bare one: none)
    - link_recall, link_precision: right links of all true ones and of all predicted ones; a missed nucleus,
      a missed cell and a false nucleus count against them
    - ..._ambiguous: the same of nuclei that lie inside two or more cells, of the truth or, for precision,
      of the predictions
    """
    if not (truths.parents != NO_PARENT).any():
        return {}

    # Of each truth, (n,): its match, the match of its true cell, and the cell that the prediction gives it.
    partner = partners(truths, preds)
    nuclei = truths.labels == NUCLEUS
    linked, found = nuclei & (truths.parents != NO_PARENT), nuclei & (partner != NO_PARENT)
    mother = np.where(linked, partner[truths.parents], NO_PARENT)
    given = (
        np.where(found, preds.parents[partner], NO_PARENT) if len(preds) else np.full(len(truths), NO_PARENT)
    )

    known = found & (~linked | (mother != NO_PARENT))
    right = known & (given == mother)

    # Of each prediction, (m,): whether it claims a link, and whether that link is right.
    claimed = (preds.labels == NUCLEUS) & (preds.parents != NO_PARENT)
    held = np.zeros(len(preds), dtype=bool)
    held[partner[right & linked]] = True

    scores = {}
    for name, truth_part, pred_part in (
        ("", nuclei, claimed),
        ("_ambiguous", ambiguous(truths), ambiguous(preds)),
    ):
        links = linked & truth_part
        scores[f"link_accuracy{name}"] = _ratio(right & truth_part, known & truth_part)
        scores[f"link_recall{name}"] = _ratio(right & links, links)
        scores[f"link_precision{name}"] = _ratio(held & pred_part, claimed & pred_part)
    return scores


def ambiguous(cells: Cells) -> NDArray[np.bool_]:
    """Nuclei of which at least half lies inside each of two or more cells, (n,)."""
    nuclei = np.flatnonzero((cells.labels == NUCLEUS) & (cells.areas > 0))
    pairs, shared = cells.select(nuclei).shared_pixels(cells.of(CYTOPLASM))
    mine = pairs[:, 0]
    homes = np.bincount(mine[shared >= LEAST_INSIDE * cells.areas[nuclei[mine]]], minlength=len(nuclei))
    found = np.zeros(len(cells), dtype=bool)
    found[nuclei[homes > 1]] = True
    return found


def _ratio(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Ratio:
    return Ratio(int(part.sum()), int(whole.sum()))
