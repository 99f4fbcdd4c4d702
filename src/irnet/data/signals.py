"""Signals that ask a process to stop, where it has children."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOPS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Start processes that never see SIGTERM or Ctrl-C: their parent finishes or ends them.

    Slurm, `docker stop` and terminals send them to the whole group. From its first moment on a child inherits
    that they are blocked. This process gets those of the meantime when the block ends; no effect on Windows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
