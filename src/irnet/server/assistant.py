"""The network behind the viewer: one worker process holds it, and what it is asked comes one after the other.

Nothing of the review lives in the worker. When it crashes, the question is refused and the next one starts a
new worker.
"""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from irnet.cells import Cells
from irnet.errors import InputError
from irnet.inference.engine import EngineName
from irnet.server.scene import outlines

PATIENCE = 600.0  # s for an answer: the first of a large image on a slow machine


class Network(NamedTuple):
    """Which network the worker loads."""

    weights: Path | str | None = None
    device: str = "auto"
    engine: EngineName = "auto"


class Question(NamedTuple):
    """What the page asks of a place in an image; without point and box the image is only encoded."""

    path: Path
    page: int | None
    shape: tuple[int, int]  # that the image has to have
    mpp: float | None
    scale: float | None  # that a run took it at, where um per pixel are unknown
    label: int
    point: tuple[float, float] | None
    box: tuple[float, float, float, float] | None
    known: Cells  # what is there already, near the point


class Assistant:
    """Asks the worker. Calls wait for one another; none of them holds the lock of the review."""

    def __init__(self, network: Network, *, target: Any = None) -> None:
        self.network = network
        self._target = target or work
        self._lock = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None

    def ask(self, question: Question) -> list[dict[str, Any]]:
        """Return the masks, best first: rings (flat x, y lists in px) and score of each.

        Raises InputError where the question cannot be answered, or the worker crashed over it.
        """
        with self._lock:
            pipe = self._started()
            try:
                pipe.send(question)
                if not pipe.poll(PATIENCE):
                    raise EOFError
                said, answer = pipe.recv()
            except (EOFError, OSError):
                self._stop()
                raise InputError(
                    "the network stopped while it looked at the image; nothing that was edited is lost, and "
                    "the next click starts it again"
                ) from None
        if said == "refused":
            raise InputError(answer)
        return answer

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            self._stop()

    def _started(self) -> Connection:
        if self._pipe is None or not self._process.is_alive():
            self._stop()
            spawn = multiprocessing.get_context("spawn")  # a fork would share the server's locks
            self._pipe, theirs = spawn.Pipe()
            self._process = spawn.Process(target=self._target, args=(theirs, self.network), daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe

    def _stop(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._pipe = self._process = None


def work(pipe: Connection, network: Network) -> None:
    """Answer what comes through a pipe until it is closed: what the worker process runs."""
    import signal

    from irnet.server.prompting import Prompting

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the server, which closes the pipe
    prompting = Prompting(network.weights, device=network.device, engine=network.engine)
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        try:
            answer = "done", described(prompting.answer(question))
        except InputError as error:
            answer = "refused", str(error)
        except MemoryError:
            answer = "refused", "memory ran out: close other programs, or cut the image into fields"
        except Exception as error:  # a fault of ours costs no worker
            answer = "refused", f"the network failed ({type(error).__name__}: {error})"
        pipe.send(answer)


def described(cells: Cells) -> list[dict[str, Any]]:
    """Cells as the page takes them: of each the outline of its largest piece."""
    rings = outlines(cells.masks, [(int(x), int(y)) for x, y in cells.offsets])
    scores = np.round(cells.scores, 4).tolist()
    return [{"rings": each[:1], "score": score} for each, score in zip(rings, scores, strict=True)]
