"""Pixels of windows, read by a thread: those of the next one while a network looks at this one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from irnet.slides.layout import Layout
from irnet.slides.readers.slide import Pixels, Slide
from irnet.slides.windows import Window


class ReadingAhead:
    """Reads windows of a slide, one after the other, at most one of them ahead.

    Set `following` to what will be asked for next, before what comes before it is read.
    """

    def __init__(self, slide: Slide, layout: Layout) -> None:
        self.following: Window | None = None
        self._slide, self._layout = slide, layout
        self._thread = ThreadPoolExecutor(1, "reading")  # readers are asked by one thread alone
        self._ahead: tuple[Window, Future[Pixels]] | None = None

    def __call__(self, window: Window) -> Pixels:
        """The pixels (h, w, 3) of a window's frame. Raises what the slide raises."""
        pixels = self._ahead_of(window)
        if pixels is None:
            pixels = self._begin(window).result()
        if self.following:
            self._ahead = self.following, self._begin(self.following)
            self.following = None
        return pixels

    def _ahead_of(self, window: Window) -> Pixels | None:
        """What was read ahead, if it is this window; else it waits."""
        if self._ahead is None or self._ahead[0] != window:
            return None
        future, self._ahead = self._ahead[1], None
        try:
            return future.result()
        except MemoryError:  # beside the network there was no room
            return None

    def _begin(self, window: Window) -> Future[Pixels]:
        return self._thread.submit(self._layout.cut_out, self._slide, window)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
