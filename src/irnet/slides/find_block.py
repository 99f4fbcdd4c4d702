"""One window of a slide: its pixels read, its candidates found, those that it owns measured."""

from __future__ import annotations

from collections.abc import Callable

from irnet.cells import Cells
from irnet.slides.block import Block, measure_in_window
from irnet.slides.plan import SlidePlan
from irnet.slides.quality import patches_of
from irnet.slides.readers.slide import Pixels
from irnet.slides.windows import Window

Read = Callable[[Window], Pixels]  # the pixels (h, w, 3) of a window's frame
Detect = Callable[[Pixels, float], Cells]  # candidates of a window (h, w, 3) of so many um per pixel


def find_block(read: Read, plan: SlidePlan, window: Window, detect: Detect) -> Block:
    """What a window owns. A candidate that an edge cuts is looked for once more, with twice the halo.

    `detect` returns scored candidates in the window's frame, and knows of no other window. Raises what it
    raises, and InputError for damaged places of the slide.
    """
    mpp = plan.layout.scaled_mpp
    pixels = read(window)
    owned = window.owned(detect(pixels, mpp))
    if window.truncates(owned.boxes).any():
        window = window.widen(2 * plan.layout.halo)
        pixels = read(window)
        owned = window.owned(detect(pixels, mpp))

    x, y = window.origin
    local = owned.shift(-x, -y, window.frame_shape)
    measures = measure_in_window(local, pixels, plan.background, mpp)
    patches = patches_of(pixels, window, plan.background, mpp)
    return Block.of(owned, measures, window.truncates(owned.boxes), patches)
