"""What is true of drawn cells: whole masks cut to the field, links, kinds."""

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.geometry.masks import trim
from irnet.synthetic.cell import Corner, Drawing, Mask

LEAST_SHARE = 0.1  # of an instance's area: what the border leaves less of is not annotated
LEAST_PIXELS = 24


def collect(
    drawings: list[tuple[str, Drawing]], size: tuple[int, int], mpp: float
) -> tuple[Cells, tuple[str, ...]]:
    """The instances of drawn cells, each cell before its nuclei, and the kind of every instance."""
    found: list[tuple[NDArray[np.bool_], Corner, int, int, str]] = []
    for kind, drawing in drawings:
        parent = NO_PARENT
        if drawing.cytoplasm and (part := _cut(*drawing.cytoplasm, size)):
            parent = len(found)
            found.append((*part, CYTOPLASM, NO_PARENT, kind))
        parts = (_cut(mask, corner, size) for mask, corner in drawing.nuclei)
        found += [(*part, NUCLEUS, parent, kind) for part in parts if part]
    if not found:
        return Cells.empty(size, mpp), ()
    masks, corners, labels, parents, kinds = zip(*found, strict=True)
    return Cells.build(masks, corners, labels, size, parents=parents, mpp=mpp), kinds


def _cut(mask: Mask, corner: Corner, size: tuple[int, int]) -> tuple[Mask, Corner] | None:
    """The part of a mask inside the field and its (x, y), or None when hardly anything of it is left."""
    crop, (x, y) = trim(mask)
    x, y = x + corner[0], y + corner[1]
    left, top = max(0, -x), max(0, -y)
    part = crop[top : max(top, size[0] - y), left : max(left, size[1] - x)]
    area = np.count_nonzero(part)
    if area < max(LEAST_PIXELS, LEAST_SHARE * np.count_nonzero(crop)):
        return None
    return part, (x + left, y + top)
