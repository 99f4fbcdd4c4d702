"""Large images window by window, in smaller windows when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.slides.seams import WindowNotes, segment_windows

WINDOWS = ((1024, 512), (512, 384), (256, 384))  # core and halo (px), the next when memory runs out

Segment = Callable[[NDArray[np.uint8]], tuple[Cells, bool]]  # cells, and whether their limit was reached


def segment_in_windows(
    segment: Segment, image: NDArray[np.uint8], *, nms: Mapping[int, float], cap_note: str
) -> tuple[Cells, tuple[str, ...]]:
    """Return the cells of an (H, W, 3) image at the network's scale, and what the user should know of them.

    Boxes are suppressed inside a window first, for masks of all of them would not fit; then masks, in the
    whole image, by the IoU `nms` of each class. `cap_note` reports windows that reached the limit. Raises
    `MemoryError` where even the smallest windows do not fit.
    """
    for core, halo in WINDOWS:
        try:
            return _segment_by(core, halo, segment, image, nms=nms, cap_note=cap_note)
        except MemoryError:
            if (core, halo) == WINDOWS[-1]:
                raise
    raise AssertionError("unreachable: the last windows return or raise")


def _segment_by(
    core: int,
    halo: int,
    segment: Segment,
    image: NDArray[np.uint8],
    *,
    nms: Mapping[int, float],
    cap_note: str,
) -> tuple[Cells, tuple[str, ...]]:
    """Return the cells that windows of one size find, and notes."""
    tally, capped = WindowNotes(), 0

    def segment_window(window: NDArray[np.uint8]) -> Cells:
        nonlocal capped
        cells, full = segment(window)
        capped += full
        return cells

    cells = segment_windows(segment_window, image, core=core, halo=halo, nms=nms, tally=tally)

    notes = (f"{tally.windows} windows of {core + 2 * halo} px", *tally.notes())
    return cells, (*notes, f"{capped} windows: {cap_note}") if capped else notes
