"""Large images window by window, in smaller windows when memory runs out; bare ground is not looked at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.inference.blank import PATCH, Patches, to_patches
from irnet.slides.seams import Box, Suppress, WindowNotes, segment_windows
from irnet.wording import number_of

WINDOWS = ((1280, 256), (768, 256), (256, 256))  # core and halo (px), the next when memory runs out
REACH = 192  # px from whatever stands out to the centre of its cell: half of one of 140 um

Segment = Callable[[NDArray[np.uint8]], tuple[Cells, bool]]  # cells, and whether their limit was reached


def segment_in_windows(
    segment: Segment, image: NDArray[np.uint8], *, suppress: Suppress, cap_note: str
) -> tuple[Cells, tuple[str, ...]]:
    """Return the cells of an (H, W, 3) image at the network's scale, and what the user should know of them.

    Boxes are suppressed inside a window first, for masks of all of them would not fit; then `suppress` says
    which stay in the whole image. `cap_note` reports windows that reached the limit. Raises
    `MemoryError` where even the smallest windows do not fit.
    """
    patches = to_patches(image)
    for core, halo in WINDOWS:
        try:
            return _segment_by((core, halo), segment, image, patches, suppress=suppress, cap_note=cap_note)
        except MemoryError:
            if (core, halo) == WINDOWS[-1]:
                raise
    raise AssertionError("unreachable: the last windows return or raise")


def _segment_by(
    size: tuple[int, int],
    segment: Segment,
    image: NDArray[np.uint8],
    patches: Patches,
    *,
    suppress: Suppress,
    cap_note: str,
) -> tuple[Cells, tuple[str, ...]]:
    """Return the cells that windows of one size (core and halo, px) find, and notes."""
    core, halo = size
    tally, capped = WindowNotes(), 0

    def segment_window(window: NDArray[np.uint8]) -> Cells:
        nonlocal capped
        cells, full = segment(window)
        capped += full
        return cells

    cells = segment_windows(
        segment_window,
        image,
        core=core,
        halo=halo,
        suppress=suppress,
        tally=tally,
        where=lambda box: find_content(patches, box),
    )

    notes = [f"{number_of(tally.windows, 'window')} of up to {core + 2 * halo} px", *tally.notes()]
    if tally.blank:
        notes[0] += f", and bare ground, {number_of(tally.blank, 'window')}, that was not looked at"
    return cells, (*notes, f"{number_of(capped, 'window')}: {cap_note}") if capped else tuple(notes)


def find_content(patches: Patches, core: Box) -> Box | None:
    """Return the box (px) that holds the centres of all cells of a core; None where it is bare ground.

    `patches` are those of the image. What stands out in the core and up to REACH around it belongs to a cell
    whose centre is at most REACH away. The ground is the core's own, for light differs across an image.
    """
    height, width = (patches.side * count for count in patches.means.shape[:2])
    x1, y1, x2, y2 = core
    left, top = max(0, x1 - REACH), max(0, y1 - REACH)
    there = patches.within((left, top, min(width, x2 + REACH), min(height, y2 + REACH))).stand_out()

    rows, columns = (np.flatnonzero(there.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return (
        left + int(columns[0]) * PATCH - REACH,
        top + int(rows[0]) * PATCH - REACH,
        left + int(columns[-1] + 1) * PATCH + REACH,
        top + int(rows[-1] + 1) * PATCH + REACH,
    )
