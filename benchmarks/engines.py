"""PyTorch and OpenVINO on one core, in one run: start and memory of `irnet predict`, time of the network.

    OMP_NUM_THREADS=1 python benchmarks/engines.py [--rounds 5] [--rival]

Seconds are of the CPU, so that other processes count little; rounds of the engines take turns. In 8-bit
integers where `irnet quantise bundled` was run. `--rival` adds the network of torchvision's Mask R-CNN with a
ResNet-50 on the same field, and the paper's recipe, which has a ResNet-50 too, at the same size; both are
untrained, so that no box reaches their mask heads.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image

import irnet
from irnet.config import load_recipe
from irnet.errors import InputError
from irnet.inference.predict import Predictor

ENGINES = ("torch", "openvino")
MPP = 0.37
SIDE, CELLS, SEED = 1000, 40, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rival", action="store_true")
    args = parser.parse_args()

    field, _ = irnet.generate(SEED, size=(SIDE, SIDE), mpp=MPP, count=CELLS)
    Predictor.load(device="cpu", engine="openvino")  # makes the graphs, if there are none
    # Before torch: a child's peak memory counts from its parent's
    commands = {name: _commands(name, field, args.rounds) for name in ENGINES}

    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    predictors = {name: Predictor.load(device="cpu", engine=name) for name in ENGINES}
    looks = {name: _looking(predictor, field) for name, predictor in predictors.items()}
    with contextlib.suppress(InputError):  # irnet quantise was not run
        quantised = Predictor.load(device="cpu", engine="openvino", precision="int8")
        looks["openvino, int8"] = _looking(quantised, field)
    times = _take_turns(looks, args.rounds)
    if args.rival:
        times |= _take_turns({"torchvision": _rival(field), **_paper(field)}, args.rounds)

    print(f"torch {torch.__version__}, {predictors['openvino'].engine.name}, one thread, {_processor()}")
    print("| engine | start of `irnet predict`, CPU s | its peak memory on the field, MiB | network, CPU s |")
    print("|---|---|---|---|")
    for name, seconds in times.items():
        start, peak = commands.get(name, ("", ""))
        print(f"| {name} | {start} | {peak} | {statistics.median(seconds):.2f} |")


def _looking(predictor: Predictor, field: np.ndarray) -> Callable[[], object]:
    return lambda: predictor.engine.find(field, predictor.settings.predict, views=1)


def _take_turns(looks: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each look in each round, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in looks}
    for number in range(rounds + 1):
        for name, look in looks.items():
            begun = time.process_time()
            look()
            if number:
                times[name].append(time.process_time() - begun)
    return times


def _rival(field: np.ndarray) -> Callable[[], object]:
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    model = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, min_size=SIDE, max_size=SIDE).eval()
    picture = torch.tensor(field).permute(2, 0, 1) / 255

    @torch.inference_mode()
    def look() -> object:
        return model([picture])

    return look


def _paper(field: np.ndarray) -> dict[str, Callable[[], object]]:
    from irnet.inference.fast.engine import OpenVINOEngine
    from irnet.inference.fast.export import make_graphs
    from irnet.inference.torch_engine import TorchEngine
    from irnet.models.build import build_model

    sizes = [f"model.{name}={SIDE}" for name in ("min_size", "max_size")]
    settings = load_recipe("paper", [*sizes, "predict.floor=0.5"])
    model = build_model(settings.model, settings.loss, settings.predict, pretrained=False).eval()
    engines = {
        "paper, torch": TorchEngine(model),
        "paper, openvino": OpenVINOEngine(make_graphs(model), settings.model, "fp32"),
    }
    return {name: partial(engine.find, field, settings.predict, views=1) for name, engine in engines.items()}


def _commands(engine: str, field: np.ndarray, rounds: int) -> tuple[str, str]:
    """CPU seconds of `irnet predict` on an image without cells, and peak memory of one on the field."""
    with tempfile.TemporaryDirectory() as folder:
        images = {"blank": np.full((64, 64, 3), 240, np.uint8), "field": field}
        for name, image in images.items():
            PIL.Image.fromarray(image).save(Path(folder, f"{name}.png"))
        starts = [_run(engine, Path(folder, "blank.png"))[0] for _ in range(rounds)]
        return f"{statistics.median(starts):.2f}", f"{_run(engine, Path(folder, 'field.png'))[1]:.0f}"


def _run(engine: str, image: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of one command."""
    out = image.with_suffix(f".{engine}")
    command = [sys.executable, "-m", "irnet", "predict", image, "-o", out, "--mpp", str(MPP)]
    child = subprocess.Popen([*command, "--engine", engine, "--device", "cpu"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"irnet predict --engine {engine} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown CPU")


if __name__ == "__main__":
    main()
