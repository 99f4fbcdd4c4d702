"""What a row costs: steps, seconds, memory, parameters. cost.json comes last: a seed that has it is done."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from irnet.data.files import as_json, write_atomic

COST = "cost.json"
MB = 2**20


@dataclass
class Meter:
    """Seconds, CPU seconds of all threads and peak memory of what ran inside `metered`."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


@contextmanager
def metered(device: torch.device) -> Iterator[Meter]:
    """Measure what runs inside: memory of the GPU where it computes there, else that of this process."""
    _reset_peak(device)
    meter = Meter()
    begun, cpu_begun = time.perf_counter(), time.process_time()
    try:
        yield meter
    finally:
        meter.seconds = time.perf_counter() - begun
        meter.cpu_seconds = time.process_time() - cpu_begun
        meter.peak_mb = _peak(device) / MB


def write_cost(folder: Path, cost: dict[str, Any]) -> None:
    """Say that a row's seed is finished."""
    write_atomic(folder / COST, as_json(cost))


def read_cost(folder: Path) -> dict[str, Any] | None:
    """The cost of a finished row's seed, None where it is not finished."""
    path = folder / COST
    return json.loads(path.read_bytes()) if path.exists() else None


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):  # Linux alone; elsewhere the peak is that of the whole process so far
        Path("/proc/self/clear_refs").write_text("5")


def _peak(device: torch.device) -> float:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024.0 * int(line.split()[1])
    with suppress(ImportError):  # not on Windows
        import resource

        unit = 1.0 if sys.platform == "darwin" else 1024.0  # macOS counts bytes, others KiB
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 0.0
