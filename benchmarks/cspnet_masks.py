"""How the second stage of CSPNet learns, by norm and by the width of its first weights.

    python benchmarks/cspnet_masks.py        # three minutes on one core, prints a Markdown table

Boxes are those of the truth, each side moved by a few per cent; generated fields, a window of 256 px a step.
The score is the mean IoU of 25 x 25 masks on fields that were not trained on.
"""

from __future__ import annotations

import argparse
import time
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from irnet.baselines.cspnet import local_response_norm
from irnet.baselines.cspnet_masks import SIDE as SAMPLES
from irnet.baselines.cspnet_masks import MaskNetwork
from irnet.cells import LABEL_NAMES
from irnet.models.build import group_norm
from irnet.models.losses import mask_targets
from irnet.models.truths import Truths
from irnet.synthetic import generate
from irnet.training.crops import CropDataset, Item

SIDE, MPP = 256, 0.37
FIELDS, TESTS = 10, 8
MOVED = 0.06  # standard deviation of a side's place, as a share of the box
NORMS = {"lrn": local_response_norm, "group": group_norm}


@lru_cache(None)
def field(number: int):
    return generate(number, size=(500, 500), mpp=MPP)


def windows(first: int, count: int) -> CropDataset:
    """Windows of `count` fields from number `first` on."""
    return CropDataset(lambda i: field(first + i % count), size=SIDE, length=10**6, mpp=MPP)


def normalised(image: Tensor) -> Tensor:
    return (image[None].float() - 127) / 128


def moved(boxes: Tensor, generator: torch.Generator) -> Tensor:
    extent = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return (boxes + torch.randn(boxes.shape, generator=generator) * MOVED * extent).clamp(0, SIDE)


@torch.no_grad()
def score(network: MaskNetwork, items: list[Item]) -> str:
    """Mean mask IoU of each class."""
    network.eval()
    overlaps: dict[int, list[float]] = {label: [] for label in LABEL_NAMES}
    generator = torch.Generator().manual_seed(1)
    for image, target in items:
        frames = network.frames([moved(target["boxes"], generator)], [(SIDE, SIDE)])
        (masks,) = network.masks(normalised(image), frames, [target["labels"]])
        truth = mask_targets(frames[0], target["boxes"], target["masks"], side=SAMPLES) > 0.5
        shared, either = ((masks > 0.5) & truth).sum((1, 2)), ((masks > 0.5) | truth).sum((1, 2))
        for label, iou in zip(
            target["labels"].tolist(), (shared / either.clamp(min=1)).tolist(), strict=True
        ):
            overlaps[label].append(iou)
    network.train()
    return " / ".join(f"{np.mean(values):.3f}" for values in overlaps.values())


def train(norm: str, std: float, steps: int, lr: float, seed: int) -> tuple[list[str], float]:
    """Scores after a quarter, a half and all of the steps, and CPU seconds a step."""
    torch.manual_seed(seed)
    network = MaskNetwork(classes=2, norm=NORMS[norm], rois=128)
    for layer in (network.fc1, network.fc2):
        nn.init.normal_(layer.weight, std=std)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(seed)
    training, tests = windows(0, FIELDS), [windows(100, TESTS)[i] for i in range(TESTS)]
    scores, spent = [], 0.0
    for step in range(1, steps + 1):
        image, target = training[step]
        begun = time.process_time()
        truths = Truths.collate([target], torch.ones(1, 2))
        boxes = torch.cat([moved(target["boxes"], generator) for _ in range(3)])
        loss, _ = network.losses(normalised(image), [boxes], [(SIDE, SIDE)], truths)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        spent += time.process_time() - begun
        if step in (steps // 4, steps // 2, steps):
            scores.append(score(network, tests))
    return scores, spent / steps


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    marks = [args.steps // 4, args.steps // 2, args.steps]
    print(f"| norm, std of fc | {' | '.join(f'step {mark}' for mark in marks)} | CPU s a step |")
    print("|---" * 5 + "|")
    for norm, std in (("lrn", 0.001), ("group", 0.001), ("group", 0.01), ("group", 0.05)):
        scores, seconds = train(norm, std, args.steps, args.lr, args.seed)
        print(f"| {norm}, {std:g} | {' | '.join(scores)} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
