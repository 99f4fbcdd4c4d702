"""A batch in few flat tensors: each tensor that a worker process sends takes an open file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from irnet.data.dataset import Item

LISTS = ("boxes", "labels", "masks", "ignore")  # parts of a target whose length varies


class Batch(NamedTuple):
    """What one forward pass sees; instances of all images in a row."""

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
        return cls(
            ids=torch.tensor(numbers),
            images=torch.stack(images),
            annotated=torch.stack([target["annotated"] for target in targets]),
            counts=torch.tensor(counts),
            **{name: torch.cat([target[name] for target in targets]) for name in LISTS},
        )

    def joined(self, other: Self) -> Self:
        """Return these images and then those of another batch."""
        return type(self)(*(torch.cat(pair) for pair in zip(self, other, strict=True)))

    def to(self, device: torch.device) -> Self:
        """Return the batch on a device."""
        names = ("images", "annotated", *LISTS)
        return self._replace(**{name: getattr(self, name).to(device, non_blocking=True) for name in names})

    def targets(self) -> list[dict[str, Tensor]]:
        """Return what a network takes: one dict an image."""
        instances, regions = self.counts.T.tolist()
        lengths = dict(zip(LISTS, (instances, instances, instances, regions), strict=True))
        parts = {name: getattr(self, name).split(lengths[name]) for name in LISTS}
        return [
            {name: parts[name][i] for name in LISTS} | {"annotated": self.annotated[i]}
            for i in range(len(self.images))
        ]


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
