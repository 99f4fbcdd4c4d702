"""`irnet slide info`: how a slide is read, what is on it, and how long it would take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from irnet.conventions import check_mpp
from irnet.data.tiff_mpp import NOT_USED
from irnet.inference.weights import find_weights, read_settings
from irnet.inference.windows import WINDOWS
from irnet.slides.focus import choose_focus, in_focus, say_focus
from irnet.slides.layout import Layout, pixels_of
from irnet.slides.readers.opening import open_slide
from irnet.slides.tissue import Tissue, find_tissue
from irnet.verbs.slide_scale import say_missing
from irnet.wording import number_of

SECONDS_A_MEGAPIXEL = 4.8  # of one CPU core, crowded: `python benchmarks/slides.py`


@dataclass(frozen=True)
class SlideInfo:
    """What `irnet slide info` finds."""

    name: str
    reader: str
    levels: tuple[tuple[int, int], ...]  # (H, W)
    planes: int
    focus: str  # what is taken of the planes
    mpp: float | None
    notes: tuple[str, ...]
    missing: str  # why um per pixel have to be given
    tissue: Tissue | None = None  # None where um per pixel is not known, as all below
    layout: Layout | None = None
    seen: int = 0  # windows that show something
    windows: int = 0
    megapixels: float = 0.0  # that the network looks at

    def lines(self) -> Iterator[str]:
        """What a user should know."""
        height, width = self.levels[0]
        yield f"{self.name}: {width} x {height} px, read by {self.reader}"
        yield f"  levels: {', '.join(f'{width} x {height}' for height, width in self.levels)}"
        if self.planes > 1:
            yield f"  {self.focus}"
        for note in self.notes:
            if self.mpp is not None or not note.endswith(NOT_USED):  # which the last line says
                yield f"  {note}"
        if self.mpp is None:
            yield f"  {self.missing}"
            return

        assert self.layout
        assert self.tissue
        area = height * width * (self.mpp / 1000) ** 2
        shown = f"{self.tissue.share * area:.4g} mm2 show something"
        yield f"  {self.mpp:.4g} um per pixel, {area:.4g} mm2, of which {shown}"
        size = f"{self.layout.core} px at {self.layout.scaled_mpp:.4g} um per pixel"
        showing = f"{self.seen} {'shows' if self.seen == 1 else 'show'} something"
        yield f"  {number_of(self.windows, 'window')} of {size}, of which {showing}"
        if not self.seen:
            yield "  nothing to segment"
            return
        rate = f"{self.megapixels:.3g} megapixels with their margins, at {SECONDS_A_MEGAPIXEL:g} s each"
        yield f"  about {duration(self.megapixels * SECONDS_A_MEGAPIXEL)} of one CPU core: {rate}"


def slide_info(
    path: str | Path,
    *,
    model: str | Path | None = None,
    mpp: float | None = None,
    plane: str | int | None = None,
) -> SlideInfo:
    """Look at a slide as the network of a weights file would, None for the bundled ones.

    Raises InputError: slide or weights cannot be read, or an option is wrong.
    """
    check_mpp(mpp)
    settings, _ = read_settings(find_weights(model))
    with open_slide(path) as opened:
        taken, focus = choose_focus(opened, plane)
        slide = in_focus(opened, focus)
        known = mpp or slide.mpp
        info = SlideInfo(
            Path(path).name,
            slide.reader,
            tuple(slide.levels),
            slide.planes,
            say_focus(slide.planes, taken, focus),
            known,
            tuple(slide.notes),
            say_missing(slide),
        )
        if known is None:
            return info

        layout = Layout.of(slide, known, settings.data.mpp, plane=taken, focus=focus, window=WINDOWS[0])
        tissue = find_tissue(slide, taken, known)
        windows = layout.windows()
        seen = [window for window in windows if layout.shows(window, tissue)]
        return replace(
            info,
            tissue=tissue,
            layout=layout,
            seen=len(seen),
            windows=len(windows),
            megapixels=pixels_of(seen) / 1e6,
        )


def duration(seconds: float) -> str:
    """So many seconds for people: minutes, or hours."""
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{max(1, round(seconds / 60))} min"
