"""How large nuclei are, which tells whether um per pixel can be right: squamous cells differ little."""

import numpy as np
from numpy.typing import NDArray

from irnet.cells import NUCLEUS, Cells

USUAL_UM = (4.0, 18.0)  # median nuclei outside speak against the um per pixel that was given
LEAST_DOUBT = 3  # nuclei


def diameters(cells: Cells) -> NDArray[np.float64]:
    """The diameters (px) of discs as large as each of the k instances that no border cuts, (k,)."""
    height, width = cells.image_shape
    boxes, areas = cells.boxes, cells.areas
    whole = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:] < (width, height)).all(axis=1)
    return np.sqrt(4 / np.pi * areas[whole & (areas > 0)])


def doubt_mpp(*fields: Cells) -> tuple[str, ...]:
    """What the size of the nuclei of images, all together, says against their um per pixel, if anything."""
    known = [cells for cells in fields if cells.mpp is not None]  # px are not put together
    sizes = np.concatenate([[], *(diameters(cells.of(NUCLEUS)) * (cells.mpp or 0.0) for cells in known)])
    low, high = USUAL_UM
    if len(sizes) < LEAST_DOUBT or low <= (median := np.median(sizes)) <= high:
        return ()

    scales = sorted({cells.mpp or 0.0 for cells in known})
    asked = f"{scales[0]:g}" if len(scales) == 1 else f"{scales[0]:g} to {scales[-1]:g}"
    return (
        f"nuclei of {median:.1f} um in the median, where {low:g} to {high:g} um are usual: "
        f"is {asked} um per pixel right?",
    )
