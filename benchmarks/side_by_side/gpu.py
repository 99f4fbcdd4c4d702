"""Images a second on a GPU: torchvision's Mask R-CNN, and the bundled network alone, in eights, compiled.

    python benchmarks/side_by_side/gpu.py [--images 64] [--rounds 5]

Fields of 1000 x 1000 px with 40 cells. The time of irnet ends at `Cells`, that of torchvision at its masks.
torchvision's network has a ResNet-50, is untrained, and told to find as many as were drawn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from look import mask_rcnn

import irnet
from irnet.inference.devices import autocast, describe_device
from irnet.inference.predict import Predictor

MPP, CELLS, SEED, FIELDS = 0.37, 40, 3, 8

Look = Callable[[list[np.ndarray]], object]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=64, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=1000)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()

    size = (args.side, args.side)
    fields = [irnet.generate(SEED + k, size=size, mpp=MPP, count=CELLS)[0] for k in range(FIELDS)]
    images = [fields[k % FIELDS] for k in range(args.images)]
    device = torch.device(args.device)

    looks = {
        "torchvision, one by one": _rival(device, args.side, at_once=1),
        "torchvision, in eights": _rival(device, args.side, at_once=8),
        "irnet, one by one": _ours(args.device, at_once=1),
        "irnet, in eights": _ours(args.device, at_once=8),
        "irnet, compiled, in eights": _ours(args.device, at_once=8, compiled=True),
    }
    for look in looks.values():
        look(images[:16])  # kernels are chosen, the compiler runs

    speeds: dict[str, list[float]] = {name: [] for name in looks}
    for _ in range(args.rounds):
        for name, look in looks.items():
            speeds[name].append(len(images) / _seconds(look, images, device))

    print(f"{describe_device(device)}, torch {torch.__version__}, {args.side} px, {CELLS} cells")
    print("| | images a second | of torchvision one by one |\n|---|---|---|")
    base = speeds["torchvision, one by one"]
    for name, each in speeds.items():
        ratios = [one / other for one, other in zip(each, base, strict=True)]
        print(f"| {name} | {statistics.median(each):.1f} | {statistics.median(ratios):.2f} |")


def _ours(device: str, *, at_once: int, compiled: bool = False) -> Look:
    predictor = Predictor.load(device=device, compiled=compiled)
    predictor.engine.batch = at_once
    return lambda images: predictor.predict(images, mpp=MPP)


def _rival(device: torch.device, side: int, *, at_once: int) -> Look:
    model = mask_rcnn(side, 2 * CELLS).to(device)

    @torch.inference_mode()
    def look(images: list[np.ndarray]) -> None:
        for begin in range(0, len(images), at_once):
            group = [torch.tensor(one, device=device) for one in images[begin : begin + at_once]]
            with autocast(device, "bf16" if device.type == "cuda" else "fp32"):
                found = model([one.permute(2, 0, 1) / 255 for one in group])
            for each in found:
                (each["masks"] > 0.5).cpu()

    return look


def _seconds(look: Look, images: list[np.ndarray], device: torch.device) -> float:
    begun = time.perf_counter()
    look(images)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
