"""MATLAB files, read in a child process with limits: a damaged one must not take this process with it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from irnet.data import matlab_child
from irnet.data.signals import kept_from_children
from irnet.errors import InputError

PATIENCE = 120.0  # seconds without an answer
_MAX_LINE = 2**16
_WIDE = [f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (2, 4, 8)]
_TYPES = ("|b1", "|u1", "|i1", *_WIDE)
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}  # each takes addresses

Value = NDArray | list["Value"] | None  # None: neither whole numbers nor a cell array


def items_of(value: Value) -> list[Value]:
    """What a cell array holds; anything else as its only item."""
    return value if isinstance(value, list) else [value]


def read_mat(file: Path) -> dict[str, list[Value]]:
    """The cell arrays of a MATLAB 5 file by name. Raises InputError that names the file."""
    with _reading(file, "mat", "") as stream, stream.naming():
        found: dict[str, list[Value]] = {}
        while "end" not in (head := stream.head()):
            value = stream.value()
            found[str(head["name"])] = value if isinstance(value, list) else [value]
        return found


@contextmanager
def open_hdf5(file: Path, name: str) -> Iterator[tuple[int, Iterator[Value]]]:
    """How many items the cell array `name` of a MATLAB 7.3 file has, and these, read as they are asked for.

    Raises InputError that names the file.
    """
    with _reading(file, "hdf5", name) as stream:
        with stream.naming():
            count = int(stream.head()["cell"])
        yield count, (stream.named_value() for _ in range(count))


@contextmanager
def _reading(file: Path, kind: str, name: str) -> Iterator["_Stream"]:
    command = [sys.executable, "-P", "-W", "ignore", matlab_child.__file__, kind, str(file.resolve()), name]
    with ExitStack() as stack:
        with kept_from_children():
            child = stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=os.environ | _ONE_THREAD,
                )
            )
            stack.callback(child.kill)
        yield _Stream(file, child)


@dataclass
class _Stream:
    """What a child says, value by value. Raises InputError where it says an error, crashes or is silent."""

    file: Path
    child: subprocess.Popen[bytes]
    late: bool = False

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Name the file in what is wrong, also where the child makes no sense."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{self.file}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.file}: it is damaged, its reader made no sense ({error!r})") from None

    def named_value(self) -> Value:
        """The next value; errors name the file."""
        with self.naming():
            return self.value()

    def head(self) -> dict[str, Any]:
        """The next line."""
        head = json.loads(self._read(None))
        if "error" in head:
            raise InputError(str(head["error"]))
        return head

    def value(self) -> Value:
        """The next value."""
        head = self.head()
        if "cell" in head:
            return [self.value() for _ in range(int(head["cell"]))]
        if "array" not in head:
            return None
        shape, kind = tuple(map(int, head["array"])), head["dtype"]
        size = int(np.prod(shape, dtype=float)) * int(kind[2:])
        if kind not in _TYPES or not 0 <= size <= matlab_child.MAX_ARRAY:
            raise InputError(f"an array of {shape} and type {kind}")
        return np.frombuffer(self._read(size), dtype=kind).reshape(shape)

    def _read(self, size: int | None) -> bytes:
        """So many bytes, or a line."""
        pipe: IO[bytes] | None = self.child.stdout
        assert pipe is not None
        timer = threading.Timer(PATIENCE, self._give_up)
        timer.daemon = True
        timer.start()
        data = pipe.readline(_MAX_LINE) if size is None else pipe.read(size)
        timer.cancel()
        if self.late:
            raise InputError(f"no answer in {PATIENCE:.0f} seconds: it is damaged, or this machine is busy")
        if (size is None and not data.endswith(b"\n")) or (size is not None and len(data) != size):
            raise InputError(f"it is damaged: its reader crashed ({self.child.wait()})")
        return data

    def _give_up(self) -> None:
        self.late = True
        self.child.kill()
