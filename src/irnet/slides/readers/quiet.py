"""Libraries kept from printing: they quote what stands in tags, names of patients for example."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


class _Counting(logging.Handler):
    """Counts what is logged."""

    def __init__(self, met: list[int]) -> None:
        super().__init__(logging.WARNING)
        self.met = met

    def emit(self, record: logging.LogRecord) -> None:
        self.met.append(record.levelno)


@contextmanager
def quiet(*names: str) -> Iterator[list[int]]:
    """Without the logs of libraries; what is yielded has an item for each line of them."""
    met: list[int] = []
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(_taken(logging.getLogger(name), _Counting(met)))
        yield met


@contextmanager
def _taken(log: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    before, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = before
