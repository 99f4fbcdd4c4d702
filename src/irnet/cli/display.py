"""The one display of progress: a bar on a terminal, a line now and then elsewhere, both on stderr."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from irnet.progress import Stage, listening
from irnet.wording import clock

GRACE = 1.0  # s that work may take without a word
PAUSE = 10.0  # s between lines at least ...
SHARE = 0.05  # ... and of the time so far: a run of hours says less often how far it is
REFRESH = 0.2  # s between looks
SETTLED = 2.0  # s before the time left is worth a word


@contextmanager
def showing() -> Iterator[None]:
    """Show the progress of what is done inside the block; of several processes of torchrun the first does."""
    if os.environ.get("RANK", "0") != "0":
        yield
        return

    display = Display()
    try:
        with listening(display):
            yield
    finally:
        display.close()


class ToStderr(logging.StreamHandler):
    """Writes to what stderr is at the moment: above a bar, where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        self.stream = sys.stderr
        super().emit(record)


class Display:
    """Listens, and shows the outermost stage with what is inside it.

    A thread looks now and then, so that one long step does not silence it.
    """

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.console = Console(stderr=True, soft_wrap=True)
        self._looking: threading.Thread | None = None
        self._over = threading.Event()

    def changed(self) -> None:
        """Begin to look when work begins, and end with it."""
        if not self.stages:
            self.close()
        elif self._looking is None:
            self._over.clear()
            self._looking = threading.Thread(target=self._look, daemon=True)
            self._looking.start()

    def tell(self, text: str, *, error: bool) -> None:
        """Print a line, errors on stderr.

        Typer's echo would write into the line of a bar: it goes for the file below Rich's stdout.
        """
        print(text, file=sys.stderr if error else sys.stdout, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        self._over.set()
        if self._looking:
            self._looking.join()
        self._looking = None

    def _look(self) -> None:
        begun = time.monotonic()
        if self._over.wait(GRACE):
            return
        if self.console.is_terminal:
            self._show_bar()
        else:
            self._print_lines(begun)

    def _print_lines(self, begun: float) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            now = time.monotonic()
            if text := describe([*self.stages], now):
                typer.echo(text, err=True)
            pause = max(PAUSE, SHARE * (now - begun))

    def _show_bar(self) -> None:
        columns = BarColumn(bar_width=24), TextColumn("{task.description}", markup=False)
        # Only what goes to this screen may pass through the bar: stdout may be a file.
        screen = sys.stdout.isatty()
        with Progress(*columns, console=self.console, transient=True, redirect_stdout=screen) as bar:
            task, pause = bar.add_task(""), 0.0
            while not self._over.wait(pause):
                stages, pause = [*self.stages], REFRESH
                text = describe(stages, time.monotonic())
                known = bool(stages and stages[0].total)
                bar.update(task, description=text, total=1.0 if known else None, completed=fraction(stages))


def fraction(stages: Sequence[Stage]) -> float:
    """The share of what was left of the outermost stage that is done, its present step included.

    >>> fraction([Stage("segmenting", total=4, done=1), Stage("window", total=2, done=1)])
    0.375
    """
    share = 0.0
    for one in reversed(stages):
        left = one.total - one.first
        share = min(1.0, (one.done - one.first + share) / left) if left > 0 else 0.0
    return share


def time_left(stages: Sequence[Stage], now: float) -> float | None:
    """Seconds until the outermost stage is over, None where nothing tells.

    The present step takes as long as what is inside it says, else as long as those before it; the steps after
    it as long as those before it.
    """
    left = None
    for one in reversed(stages):
        done = one.done - one.first
        pace = (one.since - one.begun) / done if done > 0 else None
        present = now - one.since
        if left is None and pace is not None:
            left = max(0.0, pace - present)
        if left is None or not one.total:
            left = None
            continue
        left += (present + left if pace is None else pace) * max(0, one.total - one.done - 1)
    return left


def describe(stages: Sequence[Stage], now: float) -> str:
    """What is done, how far it is, and how long it will take, where that can be told."""
    parts = []
    for one in stages:
        place = f" [{min(one.done + 1, one.total)}/{one.total}]" if one.total else ""
        parts.append(f"{one.what}{place}{' ' * bool(one.item)}{one.item}")

    left = time_left(stages, now)
    if left is not None and left >= 1 and now - stages[0].begun >= SETTLED:
        parts.append(f"{clock(left)} left")
    return ", ".join(parts)
