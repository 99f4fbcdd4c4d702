"""What a label map, which gives each pixel to one instance of a class, can keep of overlapping cells."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells, Content
from irnet.geometry.boxes import neighbours
from irnet.geometry.masks import as_window, trim
from irnet.metrics.image import score_image
from irnet.metrics.image_set import summarise
from irnet.metrics.summary import Summary

ORDER = "smaller instances lie on top"


def flatten(cells: Cells, depth: NDArray | None = None) -> Cells:
    """The cells as a label map for each class holds them; what is hidden whole is left out.

    A pixel goes to the instance of least `depth` (n,) that covers it, the first of equals. None is the area:
    small cells have least to lose. In any order a pixel under k instances is lost to k - 1 of them.
    """
    rank = np.empty(len(cells), dtype=np.int64)  # 0 lies on top
    rank[np.argsort(cells.areas if depth is None else depth, kind="stable")] = np.arange(len(cells))

    crops, offsets = [], cells.offsets.copy()
    for i, (box, near) in enumerate(zip(cells.boxes, neighbours(cells.boxes, cells.boxes), strict=True)):
        above = near[(cells.labels[near] == cells.labels[i]) & (rank[near] < rank[i])]
        crop, inner = trim(cells.masks[i] & ~cells.cover(above, as_window(box)))
        crops.append(crop)
        offsets[i] += inner

    seen = np.flatnonzero([crop.size > 0 for crop in crops])
    whole = cells.select(seen)
    return replace(whole, masks=tuple(crops[i] for i in seen), offsets=offsets[seen])


def label_map_ceiling(truths: Sequence[Content]) -> Summary:
    """What `summarise` says of the truths themselves, flattened, against the truths as they are.

    It is what a tool reaches that finds each cell and draws it without fault, by the rule of `flatten`; other
    orders keep less of the cytoplasms and much the same of the nuclei. Overlap recall is 0 in any order.
    """
    return summarise([score_image(truth, flatten(truth.cells)) for truth in truths], samples=0, scored=False)
