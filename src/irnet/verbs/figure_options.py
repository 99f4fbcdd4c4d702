"""What is asked of `irnet figure`."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from irnet.errors import InputError, check_save
from irnet.report.measures import check_measure

SAVES = ("svg", "pdf", "png")
WIDTHS = (20.0, 1000.0)  # mm that a figure may have
THICKEST = 20.0  # points of a line


@dataclass(frozen=True)
class FigureOptions:
    """What is asked of figures.

    Args:
        images: names of images, () for all.
        save: which of "svg", "pdf" and "png".
        by: column of cells.csv that gives colours, or the order of a sheet.
        of: class whose instances `by` measures; those of the other are grey.
        limits: ends of the colours, None for those of all images.
        sheet: how many instances a contact sheet shows at most, 0 for fields instead.
        fill, ids, scale_bar: see `Cells.plot`.
        line: width of lines, points.
        width: of the figure, mm.
    """

    images: Sequence[str] = ()
    save: Collection[str] = ("svg",)
    by: str | None = None
    of: str = "cytoplasm"
    limits: tuple[float, float] | None = None
    sheet: int = 0
    fill: bool = False
    ids: bool = False
    scale_bar: bool = True
    line: float = 1.0
    width: float = 180.0

    def check(self) -> None:
        """Refuse what cannot be drawn (`InputError`)."""
        check_save(self.save, SAVES)
        if self.by is not None:
            check_measure(self.by)
        elif self.sheet or self.limits:
            raise InputError(
                f"{'--sheet' if self.sheet else '--range'} needs a measure: add --by area_px, say"
            )
        if self.limits and not sys.float_info.min < self.limits[1] - self.limits[0] < math.inf:
            low, high = self.limits
            raise InputError(f"--range {low:g}:{high:g}: write the lower end first")
        if not WIDTHS[0] <= self.width <= WIDTHS[1]:
            raise InputError(f"--width {self.width:g}: give {WIDTHS[0]:g} to {WIDTHS[1]:g} mm")
        if not 0 < self.line <= THICKEST:
            raise InputError(f"--line {self.line:g}: give a width of up to {THICKEST:g} points")


def parse_range(text: str) -> tuple[float, float]:
    """Both ends of a range.

    >>> parse_range("0.1:0.8")
    (0.1, 0.8)
    """
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = math.nan
    if not math.isfinite(low) or not math.isfinite(high):
        raise InputError(f"--range {text!r}: write two numbers, such as 0.1:0.8")
    return low, high
