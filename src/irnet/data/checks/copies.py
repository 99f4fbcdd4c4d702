"""Instances of one image that are the same one twice, and which of them is the better."""

from collections.abc import Sequence

import numpy as np

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

    copies = []
    for group in join(alike.tolist()):
        kept = max(group, key=lambda place: (*_worth(annotations[place]), -place))
        copies += [(place, kept) for place in group - {kept}]
    return sorted(copies)


def join(pairs: Sequence[tuple[int, int]]) -> list[set[int]]:
    """What pairs join, directly or not.

    >>> join([(2, 1), (5, 4), (3, 2)])
    [{4, 5}, {1, 2, 3}]
    """
    groups: list[set[int]] = []
    for pair in pairs:
        met = [group for group in groups if not group.isdisjoint(pair)]
        groups = [group for group in groups if group.isdisjoint(pair)]
        groups.append(set(pair).union(*met))
    return groups


def _worth(annotation: AnnotationRow) -> tuple[bool, float, bool]:
    return not annotation.proposed, annotation.score, annotation.cell_id is not None
