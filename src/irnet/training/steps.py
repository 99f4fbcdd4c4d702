"""One optimiser step, and what stops a run: a loss that is not finite, a signal."""

from __future__ import annotations

import hashlib
import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from irnet.data.signals import STOPS
from irnet.inference.devices import autocast
from irnet.training.feed import Batch


class NotFiniteError(RuntimeError):
    """The loss or its gradient is not finite. `record` says which parts, of which items."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(f"loss not finite: {record['losses']}, gradient norm {record['gradient_norm']}")
        self.record = record

    @classmethod
    def of(cls, losses: dict[str, float], norm: float | None, items: list[int]) -> NotFiniteError:
        """Return the error of losses, or of a gradient of this norm."""
        named = {name: repr(value) for name, value in losses.items()}
        return cls({"losses": named, "gradient_norm": None if norm is None else repr(norm), "items": items})


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of everything random inside the network in this step on this rank."""
    digest = hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


class StepResult(NamedTuple):
    """A step that was taken, and its figures where they were computed: `read_steps` waits for them."""

    names: list[str]  # of the losses
    items: list[list[int]]  # of each pass
    figures: list[str]  # what else the network reports of its last pass
    values: Tensor  # losses pass by pass, the gradient's norm, figures


def optimise(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    *,
    device: torch.device,
    precision: Literal["fp32", "bf16"],
    clip: float,
) -> StepResult:
    """Take one optimiser step on the mean loss of `batches`, without waiting for a GPU.

    A loss that is not finite spoils the weights: `read_steps` the step before they are kept.
    """
    optimizer.zero_grad(set_to_none=True)
    passes, names = [], []
    for number, batch in enumerate(batches):
        last = number == len(batches) - 1
        there = batch.to(device)
        with _gradients_shared(model, last), autocast(device, precision):
            losses = model(list(there.images), there.targets())

        names, parts = [*losses], torch.stack([*losses.values()])
        with _gradients_shared(model, last):
            (parts.sum() / len(batches)).backward()
        passes.append(parts.detach())

    norm = nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], clip or math.inf)
    optimizer.step()

    figures = getattr(getattr(model, "module", model), "diagnostics", {})
    others = torch.stack([norm, *(value.to(norm) for value in figures.values())])
    items = [batch.ids.tolist() for batch in batches]
    return StepResult(names, items, [*figures], torch.cat([*passes, others]))


def read_steps(taken: Sequence[StepResult]) -> Iterator[dict[str, float]]:
    """Yield the mean of each part of the loss of steps, the gradient's norm and the network's figures.

    Raises `NotFiniteError` at the first step whose loss or gradient was not finite.
    """
    numbers = iter(torch.cat([step.values for step in taken]).tolist())
    for step in taken:
        names = [f"loss/{name}" for name in step.names]
        passes = [dict(zip(names, islice(numbers, len(names)), strict=True)) for _ in step.items]
        norm, *figures = islice(numbers, 1 + len(step.figures))
        for losses, items in zip(passes, step.items, strict=True):
            if not all(map(math.isfinite, losses.values())):
                raise NotFiniteError.of(losses, None, items)

        means = {}
        for name in names:
            means[name] = sum(losses[name] for losses in passes) / len(passes)
        if not math.isfinite(norm):
            raise NotFiniteError.of(means, norm, [*chain(*step.items)])
        named = dict(zip(step.figures, figures, strict=True))
        yield {"loss": sum(means.values()), **means, "gradient_norm": norm, **named}


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
