"""How large nuclei are, which tells whether um per pixel can be right: squamous cells differ little."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from irnet.cells import NUCLEUS, Cells
from irnet.wording import number_of

USUAL_UM = (4.0, 18.0)  # median nuclei outside speak against the um per pixel that was given
LEAST_DOUBT = 3  # nuclei
LEAST_CELLS = 10  # fewer do not say whether nuclei are scarce
SCARCE = 0.5  # nuclei per cell; where um per pixel are right there are .9 and more, of many images together


def diameters(cells: Cells) -> NDArray[np.float64]:
    """The diameters (px) of discs as large as each of the k instances that no border cuts, (k,)."""
    areas = cells.areas
    return np.sqrt(4 / np.pi * areas[~cells.at_border & (areas > 0)])


def doubt_mpp(*fields: Cells) -> tuple[str, ...]:
    """What the size of the nuclei of images, all together, says against their um per pixel, if anything."""
    known = [cells for cells in fields if cells.mpp is not None]  # px are not put together
    sizes = np.concatenate([[], *(diameters(cells.of(NUCLEUS)) * (cells.mpp or 0.0) for cells in known)])
    low, high = USUAL_UM
    if len(sizes) < LEAST_DOUBT or low <= (median := np.median(sizes)) <= high:
        return ()

    question = _ask(cells.mpp or 0.0 for cells in known)
    return (f"nuclei of {median:.1f} um in the median, where {low:g} to {high:g} um are usual: {question}",)


def doubt_scarcity(cells: int, nuclei: int, scales: Iterable[float]) -> tuple[str, ...]:
    """What the numbers found in images together say against their um per pixel, if anything.

    A network that looks for too small or too large nuclei finds few, of a usual size, and cells without one.

    >>> doubt_scarcity(12, 3, [0.25, 0.25])
    ('3 nuclei in 12 cells, where nearly each has one: is 0.25 um per pixel right?',)
    """
    if cells < LEAST_CELLS or nuclei > SCARCE * cells:
        return ()
    found = number_of(nuclei, "nucleus")
    return (f"{found} in {cells} cells, where nearly each has one: {_ask(scales)}",)


def _ask(scales: Iterable[float]) -> str:
    low, *_, high = sorted([*scales] * 2)
    asked = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f"is {asked} um per pixel right?"
