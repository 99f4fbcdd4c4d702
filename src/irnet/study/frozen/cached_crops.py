"""What heads over a frozen base learn from: training crops that the base has seen once, kept in files.

A crop is item i of the recipe's training data, augmented, for every row the same. Of boxes everything is kept
that labels and candidates are made from, so that each row makes its own; of masks the sampled positives.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from irnet.inference.tensors import read_tensors, write_tensors
from irnet.models.boxes import Proposed
from irnet.models.constants import MASK_SIDE
from irnet.models.irnet import IRNet
from irnet.models.losses import mask_targets
from irnet.models.mask_branch import enlarge
from irnet.models.truths import Truths
from irnet.study.frozen.network import compute_features
from irnet.training.crops import CropDataset, Item

SCALES = (1.0, 1.5)  # of the boxes that masks are drawn in (model.mask_box_scale)
KNOWN = ("boxes", "labels", "annotated", "ignore")  # of a crop's truth


class BoxCrops(NamedTuple):
    """What the DRM learns from: every proposal of B crops as the frozen box head scores it."""

    hidden: Tensor  # (B, R, F)
    logits: Tensor  # (B, R, 1 + C)
    boxes: Tensor  # (B, R, C, 4) decoded
    valid: Tensor  # (B, R) bool
    truths: Truths

    @classmethod
    def collate(cls, crops: Sequence[dict[str, Tensor]]) -> Self:
        """Crops in one batch."""
        hidden, logits, boxes = (_padded(crops, name) for name in ("hidden", "logits", "decoded"))
        valid = Proposed.of([crop["decoded"][:, 0] for crop in crops]).valid

        # The DRM asks for no masks
        targets = []
        for crop in crops:
            masks = crop["boxes"].new_zeros(len(crop["boxes"]), 1, 1)
            targets.append({**{name: crop[name] for name in KNOWN}, "masks": masks})
        truths = Truths.collate(targets, hidden.new_ones(len(crops), 2))
        return cls(hidden, logits, boxes, valid, truths)


class MaskCrops(NamedTuple):
    """What the IRM learns from: n positives of some crops as the frozen mask head sees them."""

    deep: Tensor  # (n, channels, 14, 14)
    first: Tensor  # (n, 1 + C, 28, 28) logits
    labels: Tensor  # (n,)
    match: Tensor  # (n,) which truth of its crop each is matched to
    targets: Tensor  # (n, 28, 28) 0 to 1
    crop: Tensor  # (n,) which crop each is from

    @classmethod
    def collate(cls, crops: Sequence[dict[str, Tensor]]) -> Self:
        """Crops in one batch."""
        names = ("deep", "first", "labels", "match", "targets")
        deep, first, labels, match, targets = (_joined(crops, name) for name in names)
        place = torch.cat([torch.full_like(crop["labels"], i) for i, crop in enumerate(crops)])
        return cls(deep.float(), first.float(), labels, match, targets.float() / 255, place)


def _padded(crops: Sequence[dict[str, Tensor]], name: str) -> Tensor:
    """A tensor (R, ...) of each crop in one, (B, R, ...) float32."""
    return pad_sequence([crop[name].float() for crop in crops], batch_first=True)


def _joined(crops: Sequence[dict[str, Tensor]], name: str) -> Tensor:
    """A tensor (n_b, ...) of each crop in one, (n, ...)."""
    return torch.cat([crop[name] for crop in crops])


def cache_crops(model: IRNet, crops: CropDataset, count: int, folder: Path, device: torch.device) -> None:
    """Have the files of crops 0 to `count` - 1; several processes share the work by its random order."""
    model.train()  # as many proposals as in training
    missing = [number for number in range(count) if not _last_file(folder, number).exists()]
    random.Random().shuffle(missing)
    for number in missing:
        if not _last_file(folder, number).exists():
            _cache(model, crops[number], folder, number, device)
    model.eval()


def read_boxes(folder: Path, numbers: Sequence[int], device: torch.device) -> BoxCrops:
    """What the DRM learns from some crops."""
    return BoxCrops.collate([_read(_boxes_file(folder, number), device) for number in numbers])


def read_masks(folder: Path, numbers: Sequence[int], scale: float, device: torch.device) -> MaskCrops:
    """What the IRM learns from some crops, in boxes enlarged by `scale`, one of SCALES."""
    return MaskCrops.collate([_read(_masks_file(folder, number, scale), device) for number in numbers])


@torch.no_grad()
def _cache(model: IRNet, item: Item, folder: Path, number: int, device: torch.device) -> None:
    """Write the files of one crop; those of the last scale come last."""
    seen, heads = compute_features(model, item[0].to(device)), model.roi_heads

    # Its truth as the network sees it
    truth = {name: value.to(device) for name, value in item[1].items()}
    truth |= {name: truth[name] * seen.scale.repeat(2) for name in ("boxes", "ignore")}
    truths = Truths.collate([truth], torch.ones(1, 2, device=device))

    # Every proposal, as the box head scores it
    boxes, valid = Proposed.of([seen.proposals])
    hidden, logits, codes = heads.box(seen.features, boxes, [seen.size])
    decoded = heads.box.decode(codes, boxes, [seen.size])
    scored = {"hidden": hidden[0].half(), "logits": logits[0], "decoded": decoded[0]}
    write_tensors(_boxes_file(folder, number), scored | {name: truth[name] for name in KNOWN}, {})

    # The positives of a sample that is the same for every row, as the mask head sees them
    torch.manual_seed(number)
    chosen = heads.box.choose(boxes, valid, truths)
    labels, match, flat = (f[chosen.positive] for f in (chosen.labels, chosen.match, chosen.boxes))

    for scale in SCALES:
        frames = enlarge(flat, scale)
        deep, masks = heads.mask(seen.features, [frames], [seen.size])
        targets = mask_targets(frames, truths.boxes[0, match], truths.masks[0, match], side=2 * MASK_SIDE)
        masks_of_crop = {
            "deep": deep.half(),
            "first": masks.half(),
            "labels": labels,
            "match": match,
            "targets": (255 * targets).round().to(torch.uint8),
        }
        write_tensors(_masks_file(folder, number, scale), masks_of_crop, {})


def _read(path: Path, device: torch.device) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in read_tensors(path)[0].items()}


def _boxes_file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}-boxes.safetensors"


def _masks_file(folder: Path, number: int, scale: float) -> Path:
    return folder / f"{number:05d}-masks-{scale:g}.safetensors"


def _last_file(folder: Path, number: int) -> Path:
    return _masks_file(folder, number, SCALES[-1])
