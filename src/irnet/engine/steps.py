"""One optimiser step, and what stops a run: a loss that is not finite, a signal."""

from __future__ import annotations

import hashlib
import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import nn

from irnet.data.signals import STOPS
from irnet.engine.batch import Batch
from irnet.engine.devices import autocast


class NotFiniteError(RuntimeError):
    """The loss or its gradient is not finite. `record` says which parts, of which items."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(f"loss not finite: {record['losses']}, gradient norm {record['gradient_norm']}")
        self.record = record


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of everything random inside the network in this step on this rank."""
    digest = hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def optimise(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    *,
    device: torch.device,
    precision: Literal["fp32", "bf16"],
    clip: float,
) -> dict[str, float]:
    """Take one optimiser step on the mean loss of `batches`; return the mean of each part of the loss.

    Raises `NotFiniteError` before the weights are touched.
    """
    optimizer.zero_grad(set_to_none=True)
    parts = []
    for number, batch in enumerate(batches):
        last = number == len(batches) - 1
        there = batch.to(device)
        with _gradients_shared(model, last), autocast(device, precision):
            losses = model(list(there.images), there.targets())
        values = dict(
            zip([f"loss/{name}" for name in losses], torch.stack([*losses.values()]).tolist(), strict=True)
        )
        _refuse(values, None, batches[number : number + 1])
        with _gradients_shared(model, last):
            (torch.stack([*losses.values()]).sum() / len(batches)).backward()
        parts.append(values)
    means = {name: sum(values[name] for values in parts) / len(parts) for name in parts[0]}
    limit = clip or math.inf
    norm = float(nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], limit))
    _refuse(means, norm, batches)
    optimizer.step()
    return {"loss": sum(means.values()), **means, "gradient_norm": norm}


@contextmanager
def stop_requested() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether SIGTERM or Ctrl-C came; a second one ends the process at once.

    Only the main thread gets signals: in another one the answer is always no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    caught: list[int] = []

    def remember(number: int, _frame: object) -> None:
        caught.append(number)
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.signal(number, remember) for number in STOPS}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _gradients_shared(model: nn.Module, now: bool) -> AbstractContextManager:
    """Let ranks exchange gradients in the last pass of a step only."""
    return nullcontext() if now or not hasattr(model, "no_sync") else model.no_sync()  # type: ignore[operator]


def _refuse(losses: dict[str, float], norm: float | None, batches: Sequence[Batch]) -> None:
    if all(map(math.isfinite, losses.values())) and (norm is None or math.isfinite(norm)):
        return
    raise NotFiniteError(
        {
            "losses": {name: repr(value) for name, value in losses.items()},
            "gradient_norm": None if norm is None else repr(norm),
            "items": [i for batch in batches for i in batch.ids.tolist()],
        }
    )
