"""Size and step time of the networks: CPU seconds of one thread, or seconds of a GPU.

    python benchmarks/model.py --side 512 --batch 1 --rounds 3
    python benchmarks/model.py --device cuda --precision bf16 --batch 16 --rounds 20

Variants take turns, so that a busy machine slows all of them; the median of the rounds is printed. Images are
noise with 25 discs as truth, and every network returns the same number of detections, so that masks and
relations cost what they cost on a field of so many cells. ImageNet weights do not change the time.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from irnet.config import load_recipe
from irnet.models.build import build_model
from irnet.models.irnet import IRNet
from irnet.models.postprocess import Instances

SCRATCH = ["model.trunk_norm=group", "model.trunk_weights=", "model.frozen_stages=0"]
WIDE = ["model.fpn_width=256", "model.mask_width=256"]
PLAIN = ["model.drm.enabled=false", "model.irm.enabled=false"]
VARIANTS = {
    "lite0": ["model.backbone=efficientnet_lite0"],
    "lite2": ["model.backbone=efficientnet_lite2"],
    "lite2, 256 wide": ["model.backbone=efficientnet_lite2", *WIDE],
    "lite2, Mask R-CNN": ["model.backbone=efficientnet_lite2", *PLAIN],
    "lite2, Mask R-CNN + DRM": ["model.backbone=efficientnet_lite2", PLAIN[1]],
    "lite2, Mask R-CNN + IRM": ["model.backbone=efficientnet_lite2", PLAIN[0]],
    "resnet18 GN": ["model.backbone=resnet18", *SCRATCH],
    "resnet34 GN": ["model.backbone=resnet34", *SCRATCH],
    "resnet50 GN": ["model.backbone=resnet50", *SCRATCH],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--detections", type=int, default=25)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    parser.add_argument("--csv", type=Path, help="write every round there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    images, targets = scene(arguments.batch, arguments.side, device)
    counted = ["predict.floor=0", f"predict.max_per_megapixel={arguments.detections}"]
    models = {name: build([*VARIANTS[name], *counted], device) for name in arguments.only}
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=arguments.precision == "bf16")
    train: dict[str, list[float]] = {name: [] for name in models}
    test: dict[str, list[float]] = {name: [] for name in models}
    found = {name: len(detect(model, images[:1])[0].boxes) for name, model in models.items()}
    for round_ in range(arguments.rounds + 1):
        for name, model in models.items():
            with autocast:
                seconds = timed(lambda m=model: step(m, images, targets), device)
                detecting = timed(lambda m=model: detect(m, images), device)
            if round_:  # the first warms up
                train[name].append(seconds)
                test[name].append(detecting)
    print(f"{arguments.side} px, batch {arguments.batch}, {arguments.precision}, {device}")
    print("| | parameters M | fp16 MB | train s | test s | found |\n|---|---|---|---|---|---|")
    for name, model in models.items():
        count = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        times = " | ".join(f"{statistics.median(values):.3f}" for values in (train[name], test[name]))
        print(f"| {name} | {count:.2f} | {2 * count:.1f} | {times} | {found[name]} |")
    if arguments.csv:
        write_rounds(arguments.csv, train, test)


def write_rounds(path: Path, train: dict[str, list[float]], test: dict[str, list[float]]) -> None:
    """Write the raw seconds of each round."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["network", "round", "train_s", "test_s"])
        for name in train:
            writer.writerows(
                (name, i, *pair) for i, pair in enumerate(zip(train[name], test[name], strict=True))
            )


def scene(batch: int, side: int, device: torch.device, n: int = 25) -> tuple[list[Tensor], list[dict]]:
    """Images of noise and the truth of n discs in each."""
    generator = torch.Generator().manual_seed(0)
    images, targets = [], []
    y, x = torch.meshgrid(torch.linspace(-1, 1, 112), torch.linspace(-1, 1, 112), indexing="ij")
    disc = ((x**2 + y**2 < 1) * 255).to(torch.uint8)
    for _ in range(batch):
        size = torch.where(torch.arange(n)[:, None] % 2 == 0, 120.0, 22.0).clamp(max=side / 3)
        corner = torch.rand(n, 2, generator=generator) * (side - size)
        image = torch.randint(0, 256, (3, side, side), generator=generator, dtype=torch.uint8)
        images.append(image.to(device))
        target = {
            "boxes": torch.cat([corner, corner + size], dim=1),
            "labels": torch.arange(n) % 2 + 1,
            "masks": disc.expand(n, -1, -1),
            "annotated": torch.ones(2, dtype=torch.bool),
            "ignore": torch.zeros(0, 4),
        }
        targets.append({key: value.to(device) for key, value in target.items()})
    return images, targets


def build(overrides: list[str], device: torch.device) -> IRNet:
    """The network of the default recipe, changed by overrides."""
    torch.manual_seed(0)
    settings = load_recipe("default", overrides)
    model = build_model(settings.model, settings.loss, settings.predict, pretrained=False)
    order = torch.channels_last if device.type == "cuda" else torch.preserve_format
    return model.to(device, memory_format=order)  # type: ignore[call-overload]


def step(model: IRNet, images: list[Tensor], targets: list[dict]) -> None:
    """Forward and backward pass."""
    model.train()
    losses = model(images, targets)
    assert isinstance(losses, dict)
    torch.stack(list(losses.values())).sum().backward()
    model.zero_grad(set_to_none=True)


@torch.inference_mode()
def detect(model: IRNet, images: list[Tensor]) -> list[Instances]:
    """Test pass."""
    return model.eval()(images)  # type: ignore[return-value]


def timed(call: Callable[[], None], device: torch.device) -> float:
    """Seconds of a call: of the processor on the CPU, of the clock on a GPU."""
    if device.type == "cpu":
        start = time.process_time()
        call()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
