"""The only door to OpenVINO."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.errors import InputError
from irnet.inference.engine import Precision
from irnet.wording import install_extra

EXHAUSTED = ("bad_alloc", "allocate", "out of memory")  # how its errors tell of memory that is missing
_TELEMETRY = "openvino_telemetry"


class Graph(NamedTuple):
    """A graph as OpenVINO writes it."""

    text: NDArray[np.uint8]  # XML
    weights: NDArray[np.uint8]


class Compiled:
    """A graph, ready to compute on the CPU."""

    def __init__(self, graph: Graph, precision: str) -> None:
        self._run = _core().compile_model(read_graph(graph), "CPU", _options(precision))

    def __call__(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs. Raises `MemoryError` where memory runs out."""
        given = [np.ascontiguousarray(value) for value in inputs]
        try:
            # A request of its own: nothing stays of it but the outputs, which need no copy
            result = self._run.create_infer_request().infer(given, share_inputs=True, share_outputs=True)
        except RuntimeError as error:
            if any(text in str(error) for text in EXHAUSTED):
                raise MemoryError(str(error)) from error
            raise
        return [result[place] for place in range(len(result))]

    def release(self) -> None:
        """Give back the memory of what lies between inputs and outputs; the next call takes it again."""
        self._run.release_memory()


def is_installed() -> bool:
    """Whether OpenVINO is."""
    return find_spec("openvino") is not None


def installed_version() -> str:
    """Return the version of OpenVINO, without importing it."""
    return version("openvino")


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Within, what OpenVINO's tools would report with cannot be imported: irnet sends nothing to anybody."""
    there = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]
        if there is not None:
            sys.modules[_TELEMETRY] = there


@cache
def load() -> ModuleType:
    """Return the module `openvino`. Raises `InputError` where it is missing or does not load."""
    with without_telemetry():
        try:
            import openvino
        except ImportError as error:
            raise InputError(
                f"the engine openvino does not load ({error}): {install_extra('fast')}"
            ) from error
    return openvino


def read_graph(graph: Graph) -> Any:
    """Return a graph as OpenVINO's model."""
    weights = load().Tensor(graph.weights) if len(graph.weights) else None
    return _core().read_model(graph.text.tobytes(), weights)


def written(model: Any) -> Graph:
    """Return OpenVINO's model as a graph, weights as they are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.xml")
        load().save_model(model, path, compress_to_fp16=False)
        text, weights = (
            np.frombuffer(file.read_bytes(), np.uint8) for file in (path, path.with_suffix(".bin"))
        )
    return Graph(text, weights)


def check_precision(precision: Precision) -> None:
    """Refuse a precision that this CPU does not compute with (`InputError`)."""
    if precision == "bf16" and "BF16" not in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise InputError("--precision bf16: this CPU has no instructions for it: leave --precision out")


def trim() -> None:
    """Give the system back what is free: glibc would keep hundreds of MiB between graphs."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@cache
def _core() -> Any:
    return load().Core()


def _options(precision: str) -> dict[str, Any]:
    """Return how a graph is compiled: as many threads as OMP_NUM_THREADS says, as PyTorch does."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    some = {"INFERENCE_NUM_THREADS": int(threads)} if threads.isdigit() and int(threads) else {}
    hint = "bf16" if precision == "bf16" else "f32"
    given = {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": hint, **some}

    # No kernels are kept by shape: behind the proposals each image has its own, 10 MiB of them a window.
    return given | {"CPU_RUNTIME_CACHE_CAPACITY": 0}
