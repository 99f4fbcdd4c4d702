"""Batches of a run: what pass number p sees is a function of (seed, p), whichever process prepares it.

Worker processes prepare groups: the crops of one batch of images, `reuse` times over. The passes then go
through a block of groups once for each crop, so that two crops of one image lie `BLOCK` passes apart.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from multiprocessing.context import BaseContext
from os import environ
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from irnet.data.signals import STOPS, kept_from_children
from irnet.training.crops import CropDataset, Item

BLOCK = 8  # groups that are mixed
LISTS = ("boxes", "labels", "masks", "ignore")  # parts of a target whose length varies
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Batch(NamedTuple):
    """What one forward pass sees; instances of all images in a row.

    Few flat tensors: each tensor that a worker process sends takes an open file.
    """

    ids: Tensor  # (B,) numbers of the items; with the seed they say everything about them
    images: Tensor  # (B, 3, S, S) uint8
    annotated: Tensor  # (B, 2) bool
    boxes: Tensor  # (n, 4)
    labels: Tensor  # (n,)
    masks: Tensor  # (n, M, M) uint8
    ignore: Tensor  # (k, 4)
    counts: Tensor  # (B, 2) instances and ignore regions of each image; stays on the CPU

    @classmethod
    def of(cls, numbers: Sequence[int], items: Sequence[Item]) -> Self:
        """Return the batch of these items of `CropDataset`."""
        images, targets = zip(*items, strict=True)

        counts = [(len(target["labels"]), len(target["ignore"])) for target in targets]
        joined = {}
        for name in LISTS:
            joined[name] = torch.cat([target[name] for target in targets])

        return cls(
            ids=torch.tensor(numbers),
            images=torch.stack(images),
            annotated=torch.stack([target["annotated"] for target in targets]),
            counts=torch.tensor(counts),
            **joined,
        )

    def joined(self, other: Self) -> Self:
        """Return these images and then those of another batch."""
        return type(self)(*(torch.cat(pair) for pair in zip(self, other, strict=True)))

    def to(self, device: torch.device) -> Self:
        """Return the batch on a device."""
        names = ("images", "annotated", *LISTS)
        return self._replace(**{name: getattr(self, name).to(device, non_blocking=True) for name in names})

    def targets(self) -> list[dict[str, Tensor]]:
        """Return what a network takes: one dict an image, with the shapes of an item of `CropDataset`."""
        instances, regions = self.counts.T.tolist()
        lengths = dict(zip(LISTS, (instances, instances, instances, regions), strict=True))

        parts = {name: getattr(self, name).split(lengths[name]) for name in LISTS}

        targets = []
        for i, annotated in enumerate(self.annotated):
            targets.append({name: parts[name][i] for name in LISTS} | {"annotated": annotated})
        return targets


class FieldBatch(NamedTuple):
    """Crops of fields without outlines, see `FieldCrops`; points and distractors of all images in a row."""

    ids: Tensor  # (B,) numbers of the items
    images: Tensor  # (B, 3, S, S) uint8, what is learned from
    weak: Tensor  # (B, 3, S, S) uint8, what is labelled
    points: Tensor  # (p, 2)
    distractors: Tensor  # (q, 4)
    counts: Tensor  # (B, 2) points and distractors of each image

    @classmethod
    def of(cls, numbers: Sequence[int], items: Sequence[Item]) -> Self:
        """Return the batch of these items of `FieldCrops`."""
        images, known = zip(*items, strict=True)
        return cls(
            ids=torch.tensor(numbers),
            images=torch.stack(images),
            weak=torch.stack([part["weak"] for part in known]),
            points=torch.cat([part["points"] for part in known]),
            distractors=torch.cat([part["distractors"] for part in known]),
            counts=torch.tensor([(len(part["points"]), len(part["distractors"])) for part in known]),
        )

    def known(self) -> list[tuple[Tensor, Tensor]]:
        """Return the points (p, 2) and the distractors (q, 4) of each image."""
        points, distractors = self.counts.T.tolist()
        return list(zip(self.points.split(points), self.distractors.split(distractors), strict=True))


class Feed:
    """Endless batches of a dataset for one rank.

    Args:
        crops: items, each a function of its number.
        batch: items of one pass.
        reuse: crops taken from each image; item i is a crop of image i // reuse.
        rank, ranks: this process among those of the run.
        workers: processes that prepare items, 0 for none.
        pinned: whether batches are put where a GPU can fetch them.
        kind: what a batch is: `Batch`, or `FieldBatch` of `FieldCrops`.
    """

    def __init__(
        self,
        crops: CropDataset,
        *,
        batch: int,
        reuse: int = 1,
        rank: int = 0,
        ranks: int = 1,
        workers: int = 0,
        pinned: bool = False,
        kind: type[Batch] | type[FieldBatch] = Batch,
    ) -> None:
        self.crops = crops
        self.batch, self.reuse = batch, reuse
        self.rank, self.ranks = rank, ranks
        self.workers, self.pinned = workers, pinned
        self.kind = kind

    def batches(self, start: int = 0) -> Iterator[Any]:
        """Yield the batches, of `kind`, of the passes from number `start` on."""
        block = BLOCK if self.reuse > 1 else 1
        blocks_done, skipped = divmod(start, block * self.reuse)
        return islice(self._mixed(self._groups(blocks_done * block), block), skipped, None)

    def _mixed(self, groups: Iterator[list], block: int) -> Iterator[Any]:
        while True:
            held = []  # groups whose first crops were given out
            for group in islice(groups, block):
                held.append(group)
                yield group[0]
            for crop in range(1, self.reuse):
                yield from (group[crop] for group in held)

    def _groups(self, first: int) -> Iterator[list]:
        loader = DataLoader(
            _Numbered(self.crops),
            batch_sampler=_GroupNumbers(first, self.rank, self.ranks, self.batch, self.reuse),
            num_workers=self.workers,
            collate_fn=_Grouped(self.reuse, self.kind),
            multiprocessing_context=process_context() if self.workers else None,
            worker_init_fn=_start_worker,
            prefetch_factor=2 if self.workers else None,
            pin_memory=self.pinned,
        )
        if not self.workers:
            return iter(loader)

        others = set(multiprocessing.active_children())
        with starting_processes():
            groups = iter(loader)
        for worker in set(multiprocessing.active_children()) - others:
            # SIGTERM is kept from it: whoever waits for its end would wait for ever.
            popen = worker._popen  # type: ignore[attr-defined]
            popen.terminate = popen.kill
        return groups


class _GroupNumbers(Sampler[list[int]]):
    """Item numbers of each group: the `reuse` crops of one image, then those of the next, `batch` images."""

    def __init__(self, first: int, rank: int, ranks: int, batch: int, reuse: int) -> None:
        self.first, self.rank, self.ranks = first, rank, ranks
        self.batch, self.reuse = batch, reuse

    def __iter__(self) -> Iterator[list[int]]:
        for number in count(self.first):
            size = self.batch * self.reuse
            start = (number * self.ranks + self.rank) * size
            yield list(range(start, start + size))


class _Numbered(Dataset[tuple[int, Item]]):
    """Items with their numbers."""

    def __init__(self, crops: CropDataset) -> None:
        self.crops = crops

    def __getitem__(self, index: int) -> tuple[int, Item]:
        return index, self.crops[index]


class _Grouped:
    """Cuts the items of a group into batches, one crop of each image in each."""

    def __init__(self, reuse: int, kind: type[Batch] | type[FieldBatch]) -> None:
        self.reuse, self.kind = reuse, kind

    def __call__(self, items: Sequence[tuple[int, Item]]) -> list:
        parts = [items[crop :: self.reuse] for crop in range(self.reuse)]
        return [self.kind.of(*zip(*part, strict=True)) for part in parts]


def process_context() -> BaseContext:
    """Return fresh processes: a fork of a process with threads (torch, CUDA) can hang."""
    if sys.platform == "linux":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["irnet.training.feed", "irnet.synthetic"])
        return context
    return multiprocessing.get_context("spawn")


def _start_worker(_number: int) -> None:
    """Leave signals to the training process on Windows too; one thread a worker."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)


@contextmanager
def starting_processes() -> Iterator[None]:
    """Give processes started inside the block one thread each, and keep from them the signals to stop."""
    if sys.platform != "win32":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # else it starts inside, and unblocks the signals as it does

    before = {name: environ.get(name) for name in THREADS}
    environ.update(dict.fromkeys(THREADS, "1"))
    try:
        with kept_from_children():
            yield
    finally:
        for name, value in before.items():
            environ.pop(name) if value is None else environ.update({name: value})
