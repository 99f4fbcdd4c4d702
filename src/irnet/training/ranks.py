"""The processes of one training run: one alone, or several started by torchrun (DDP)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from irnet.inference.devices import choose_device


@dataclass(frozen=True)
class Ranks:
    """This process among `size` of them; rank 0 alone writes files and talks."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model to call in training: gradients are averaged over the ranks."""
        if self.size == 1:
            return model

        ids = [self.device.index] if self.device.type == "cuda" else None
        # A crop without cells leaves the mask heads without gradient.
        return DistributedDataParallel(model, device_ids=ids, find_unused_parameters=True)

    def any(self, flag: bool) -> bool:
        """Return whether `flag` holds on some rank, the same answer on all of them."""
        if self.size == 1:
            return flag
        shared = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
        return bool(shared)

    def from_first(self, value: Any) -> Any:
        """Return rank 0's `value` on every rank."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def collect(self, items: list) -> list:
        """Return the items of all ranks, dealt out in turn by `items[rank::size]`, in their first order."""
        if self.size == 1:
            return items

        parts: list[Any] = [None] * self.size
        distributed.all_gather_object(parts, items)
        return [parts[i % self.size][i // self.size] for i in range(sum(map(len, parts)))]


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the processes that torchrun started (its environment tells), or run alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks(0, 1, choose_device(device))
        return

    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = choose_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(chosen)

    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), size, chosen)
    finally:
        distributed.destroy_process_group()
