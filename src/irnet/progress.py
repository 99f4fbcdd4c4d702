"""How far long work is: code says where it stands, and whoever listens shows it.

Nothing happens where nobody listens, as in Python; the command line does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


@dataclass(eq=False)
class Stage:
    """A piece of work, in progress. Stages nest: the windows of an image, the images of a folder."""

    what: str  # such as "segmenting"
    total: int = 0  # 0: not known
    done: int = 0
    first: int = 0  # of these, how many were done before it began
    item: str = ""  # what is worked on
    begun: float = field(default_factory=time.monotonic)
    since: float = field(default_factory=time.monotonic)  # when its present step began

    def at(self, done: int, item: str = "") -> None:
        """So many are done; `item` is next."""
        self.done, self.item, self.since = done, item, time.monotonic()


class Listener(Protocol):
    """Shows how far work is."""

    stages: list[Stage]  # the present ones, the outermost first

    def changed(self) -> None:
        """Take notice that a stage began or ended."""
        ...

    def tell(self, text: str, *, error: bool) -> None:
        """Take a line for people on what is worked on."""
        ...


_Listener = TypeVar("_Listener", bound=Listener)
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: _Listener) -> Iterator[_Listener]:
    """Let it know what happens inside the block."""
    before = _listener.set(listener)
    try:
        yield listener
    finally:
        _listener.reset(before)


@contextmanager
def stage(what: str, total: int = 0) -> Iterator[Stage]:
    """Work of so many steps inside the block, 0 where that is not known; the block says how far it is."""
    mine, listener = Stage(what, total), _listener.get()
    if listener is None:
        yield mine
        return

    listener.stages.append(mine)
    listener.changed()
    try:
        yield mine
    finally:
        listener.stages.remove(mine)
        listener.changed()


def each(
    things: Iterable[_Item], what: str, name: Callable[[_Item], str] = lambda thing: "", total: int = 0
) -> Iterator[_Item]:
    """Give each of the things, saying which of how many it is.

    Args:
        things: what is worked on, one after the other.
        what: what is done with them, such as "segmenting".
        name: of a thing, for people.
        total: how many there are, if they do not say so themselves.

    Example:
        >>> list(each("ab", "reading"))
        ['a', 'b']
    """
    if isinstance(things, Collection):
        total = len(things)
    with stage(what, total) as mine:
        for number, thing in enumerate(things):
            mine.at(number, name(thing))
            yield thing


def tell(text: str, *, error: bool = False) -> None:
    """Say something on what is worked on while it is: what was found in an image, or why it failed."""
    if listener := _listener.get():
        listener.tell(text, error=error)


def is_heard() -> bool:
    """Whether anybody listens."""
    return _listener.get() is not None
