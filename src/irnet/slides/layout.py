"""How a slide is looked at: at which level and scale, in which windows, and which of these show nothing.

All of it is fixed before the first window is segmented, so that no cell depends on the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from irnet.slides.focus import ONE
from irnet.slides.readers.slide import Box, Pixels, Slide
from irnet.slides.resample import STEPS, Resampling
from irnet.slides.tissue import Tissue
from irnet.slides.windows import Window, plan_windows

SAME_SCALE = 0.03  # a level within 3 % of the network's scale is not resampled
CELL_UM = 100.0  # a window without anything this far around its core owns no cell
AUDITED = 0.01  # share of the windows that show nothing and are segmented all the same
LEAST_AUDITED = 20


@dataclass(frozen=True)
class Layout:
    """How the pixels of a slide become those of the network's scale, and its windows there.

    Args:
        plane: focal plane; where planes are merged, the one that stands for them.
        level: the level that is read.
        steps: scale, see `Resampling`.
        downsample: px of the finest level per px of this one.
        shape: (H, W) of the level.
        mpp: um per pixel of the finest level.
        core, halo: of windows, px at the network's scale.
        focus: how planes are merged, see `choose_focus`.
    """

    plane: int
    level: int
    steps: int
    downsample: float
    shape: tuple[int, int]
    mpp: float
    core: int
    halo: int
    focus: str = ONE

    @classmethod
    def of(
        cls,
        slide: Slide,
        mpp: float,
        network_mpp: float,
        *,
        window: tuple[int, int],
        plane: int = 0,
        focus: str = ONE,
    ) -> Layout:
        """The layout for a network of `network_mpp` um per pixel, 0 where it has no scale.

        Read is the coarsest level that is still as fine as the network's scale. `window` is core and halo.
        """
        level = slide.level_for((network_mpp or mpp) * (1 + SAME_SCALE) / mpp)
        px = (network_mpp or mpp) / (mpp * slide.downsample(level))
        steps = STEPS if abs(1 / px - 1) <= SAME_SCALE else round(px * STEPS)
        return cls(plane, level, steps, slide.downsample(level), slide.levels[level], mpp, *window, focus)

    @property
    def resampling(self) -> Resampling:
        """How pixels of the level become those of the network's scale."""
        return Resampling(self.shape, self.steps)

    @property
    def px(self) -> float:
        """Px of the finest level per pixel of the network's scale."""
        return self.steps / STEPS * self.downsample

    @property
    def scaled_mpp(self) -> float:
        """um per pixel of what the network sees."""
        return self.mpp * self.px

    def windows(self) -> list[Window]:
        """All windows of the slide, row by row; their place in the list is their number."""
        return [*plan_windows(self.resampling.size, core=self.core, halo=self.halo)]

    def cut_out(self, slide: Slide, window: Window) -> Pixels:
        """The pixels (h, w, 3) of a window's frame at the network's scale; `slide` is in this focus."""
        return self.resampling.cut_out(lambda box: slide.read(self.plane, self.level, box), window.frame)

    def shows(self, window: Window, tissue: Tissue) -> bool:
        """Whether anything differs from the background in a window's core, or so near that a cell reaches."""
        margin = CELL_UM / self.scaled_mpp
        x1, y1, x2, y2 = window.core
        box = x1 - margin, y1 - margin, x2 + margin, y2 + margin
        left, top, right, bottom = (round(value * self.px) for value in box)
        return tissue.meets((left, top, right, bottom))


def audited(skipped: Sequence[int]) -> list[int]:
    """Of the numbers of windows that show nothing those that are segmented all the same: evenly spread."""
    wanted = max(LEAST_AUDITED, round(AUDITED * len(skipped)))
    if len(skipped) <= wanted:
        return [*skipped]
    return [skipped[place * len(skipped) // wanted] for place in range(wanted)]


def pixels_of(windows: Sequence[Window]) -> int:
    """How many pixels the frames of windows have together: what a network has to look at."""
    frames: list[Box] = [window.frame for window in windows]
    return sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in frames)
