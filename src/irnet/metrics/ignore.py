"""Ignore regions: what lies mostly inside one is neither right nor wrong."""

import numpy as np

from irnet.cells import EVERY_CLASS, Cells, Content, Cuts, reaching
from irnet.geometry.boxes import neighbours
from irnet.geometry.masks import as_window

IGNORED_SHARE = 0.5


def counted(truth: Content, cells: Cells, cuts: Cuts | None = None) -> Cells:
    """The truths or predictions that are scored: of annotated classes, not ignored, from the cuts on."""
    known = np.isin(cells.labels, list(truth.annotated)) & reaching(cells, cuts)
    return outside_ignored(cells.select(known), truth.ignore)


def outside_ignored(cells: Cells, regions: Cells | None) -> Cells:
    """`cells` without those that have more than half of their area inside the regions of their class.

    A region of label 0 counts for every class.
    """
    if regions is None or not len(regions) or not len(cells):
        return cells

    keep = np.ones(len(cells), dtype=bool)
    for i, (box, near) in enumerate(zip(cells.boxes, neighbours(cells.boxes, regions.boxes), strict=True)):
        mine = near[np.isin(regions.labels[near], (EVERY_CLASS, cells.labels[i]))]
        inside = cells.masks[i] & regions.cover(mine, as_window(box))
        keep[i] = inside.sum() <= IGNORED_SHARE * cells.masks[i].sum()
    return cells.select(keep)
