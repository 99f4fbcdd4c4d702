"""What truth masks lose by their size: targets of the mask head from M x M samples beside 448 x 448.

    python benchmarks/mask_size.py --crops 40

The crops are those of the release recipe; every truth is seen in its own box and in one that is a tenth off.
"""

import argparse
import statistics
from collections import defaultdict
from dataclasses import replace

import torch

from irnet.cells import LABEL_NAMES
from irnet.config import load_recipe
from irnet.models.losses import mask_targets
from irnet.training.sources import open_source

SIZES, FINE, SIDE = (28, 56, 112), 448, 28
OFF = 0.1  # of a box's sides


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=int, default=40)
    crops = parser.parse_args().crops
    torch.set_num_threads(1)
    source = open_source(load_recipe("release", ["train.workers=0", "model.trunk_sha256="]), None)
    far: dict[tuple[int, str], list[float]] = defaultdict(list)
    shared: dict[tuple[int, str], list[float]] = defaultdict(list)
    for number in range(crops):
        seen = {}
        for size in (*SIZES, FINE):
            source.crops.rules = replace(source.crops.rules, mask_size=size)
            seen[size] = source.crops[number][1]
        boxes, labels = seen[FINE]["boxes"], seen[FINE]["labels"].tolist()
        sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        torch.manual_seed(number)
        for frames in (boxes, boxes + OFF * sides * torch.randn_like(boxes).clamp(-1, 1)):
            targets = {s: mask_targets(frames, boxes, seen[s]["masks"], side=SIDE) for s in seen}
            for size in SIZES:
                apart = (targets[size] - targets[FINE]).abs().mean(dim=(1, 2)).tolist()
                mine, fine = targets[size] > 0.5, targets[FINE] > 0.5
                iou = (mine & fine).sum(dim=(1, 2)) / (mine | fine).sum(dim=(1, 2)).clamp(min=1)
                for label, distance, overlap in zip(labels, apart, iou.tolist(), strict=True):
                    far[size, LABEL_NAMES[label]].append(distance)
                    shared[size, LABEL_NAMES[label]].append(overlap)
    print("| M | class | targets | mean difference | mean IoU at .5 |\n|---|---|---|---|---|")
    for key, values in far.items():
        print(f"| {key[0]} | {key[1]} | {len(values)} | {statistics.mean(values):.4f} |", end="")
        print(f" {statistics.mean(shared[key]):.4f} |")


if __name__ == "__main__":
    main()
