"""Instances of one image that are the same one twice, and which of them is the better."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from irnet.cells import Cells
from irnet.data.coco.rows import AnnotationRow
from irnet.geometry.masks import Shape

DUPLICATE_IOU = 0.95


def find_copies(annotations: Sequence[AnnotationRow], shape: Shape) -> list[tuple[int, int]]:
    """Each instance of a frame (H, W) that another of its class covers nearly whole, and the one that stays.

    Of such ones that stays which a person saw, then the one of higher score, then the one with a link.
    """
    labels = np.array([annotation.label for annotation in annotations])
    crops, offsets = [each.crop for each in annotations], [each.offset for each in annotations]
    cells = Cells.build(crops, offsets, labels, shape)
    pairs, shared = cells.shared_pixels(cells)  # (k, 2), (k,)
    i, j = pairs.T
    iou = shared / (cells.areas[i] + cells.areas[j] - shared)
    alike = pairs[(i > j) & (iou > DUPLICATE_IOU) & (labels[i] == labels[j])]

    # What is alike one of them is alike all of them.
    joined = coo_array((np.ones(len(alike)), alike.T), shape=(len(cells), len(cells)))
    group = connected_components(joined, directed=False)[1]
    copies: list[tuple[int, int]] = []
    for number in np.unique(group[alike[:, 0]]):
        members = np.flatnonzero(group == number).tolist()
        kept = max(members, key=lambda place: (*_worth(annotations[place]), -place))
        copies += [(place, kept) for place in members if place != kept]
    return sorted(copies)


def _worth(annotation: AnnotationRow) -> tuple[bool, float, bool]:
    return not annotation.proposed, annotation.score, annotation.cell_id is not None
