"""Where a training step makes the host wait for a GPU, seconds of a step, and the losses of the first steps.

    python benchmarks/waits.py --set train.batch=32 --set data.crop=128        # counts, on any machine
    python benchmarks/waits.py --device cuda --steps 60                        # CUDA's own count, s a step
    python benchmarks/waits.py --losses FILE --set data.crop=128 --set train.batch=2

Without a GPU the ways that the network takes on one are taken on the CPU, and what would wait is counted:
values that are read, shapes that depend on values, tensors made of Python numbers. `--losses` runs in
float64, so that two versions of the code can be compared although their roundings differ. It writes the
file, or compares with it where it is there.
"""

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from irnet.config import Settings, load_recipe
from irnet.models.box_branch import SampledBoxes
from irnet.models.build import build_model
from irnet.models.irnet import IRNet
from irnet.models.suppression import suppress_at_once
from irnet.models.vision import PyramidPool
from irnet.training.feed import Batch, Feed
from irnet.training.optim import MovingAverage, build_optimizer, parameter_groups
from irnet.training.sources import open_source
from irnet.training.steps import optimise, read_steps, step_seed

READ = {"_local_scalar_dense", "equal", "is_nonzero"}
SHAPED = {"nonzero", "masked_select", "nms", "_unique2", "bincount"}


class Waits(TorchDispatchMode):
    """Counts what would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        places = args[1] if name in ("index", "index_put", "index_put_") else ()
        if name in READ:
            self.counts["values read"] += 1
        elif name in SHAPED or any(p is not None and p.dtype == torch.bool for p in places):
            self.counts["shapes that depend on values"] += 1
        elif name == "lift_fresh":
            self.counts["tensors made of Python numbers"] += 1
        return func(*args, **kwargs or {})

    def tolist(self, tensor: torch.Tensor) -> list:
        """Count a tensor that is read whole."""
        self.counts["values read"] += 1
        return tensor.detach().cpu().numpy().tolist()


@contextmanager
def as_on_a_gpu() -> Iterator[None]:
    """Take the ways that are meant for a GPU."""
    with (
        patch.object(SampledBoxes, "positives", SampledBoxes.filled),
        patch.object(PyramidPool, "forward", lambda pool, x, boxes, _: pool.pool_at_once(x, boxes)),
        patch(
            "irnet.models.proposals.suppress", lambda boxes, _, real, iou: suppress_at_once(boxes, real, iou)
        ),
    ):
        yield


class Bench:
    """A network, its optimiser and some batches."""

    def __init__(self, settings: Settings, batches: list[Batch], device: torch.device) -> None:
        self.settings, self.batches, self.device = settings, batches, device
        torch.manual_seed(0)
        self.model: IRNet = build_model(settings.model, settings.loss, settings.predict)
        order = torch.channels_last if device.type == "cuda" else torch.preserve_format
        self.model.to(device, memory_format=order).train()  # type: ignore[call-overload]
        s = settings.train
        groups = parameter_groups(
            self.model, lr=s.lr, trunk_lr_factor=s.trunk_lr, bias_lr_factor=s.bias_lr, weight_decay=0.01
        )
        self.optimizer = build_optimizer(groups, kind=s.optimizer, momentum=s.momentum)
        if torch.get_default_dtype() == torch.float64:
            self.model.double()
        self.average = MovingAverage(self.model, decay=s.ema)

    def step(self, number: int, batch: Batch) -> Any:
        """A step of the loop of `irnet train`; its figures are not read."""
        s = self.settings.train
        torch.manual_seed(step_seed(s.seed, number, 0))
        taken = optimise(
            self.model, self.optimizer, [batch], device=self.device, precision=s.precision, clip=s.clip
        )
        self.average.update(number)
        return taken


def count(bench: Bench) -> Counter[str]:
    """What would wait in the second step."""
    waits = Waits()
    with as_on_a_gpu():
        bench.step(0, bench.batches[0])
        with patch.object(torch.Tensor, "tolist", lambda tensor: waits.tolist(tensor)), waits:
            bench.step(1, bench.batches[1])
    waits.counts["values read"] -= 2  # numbers and counts of the batch, which stay on the CPU
    return waits.counts


def time_on_gpu(bench: Bench, steps: int, every: int) -> tuple[float, int]:
    """Seconds of a step whose figures are read once in `every`, and waits of a step as CUDA counts them."""
    seconds, seen = 0.0, 0
    for part in ("warm up", "count", "time"):
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("warn" if part == "count" else "default")
        begun, taken = time.perf_counter(), []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for number, batch in enumerate(islice(cycle(bench.batches), steps)):
                taken.append(bench.step(number, batch))
                if len(taken) == every and part != "count":
                    list(read_steps(taken))
                    taken.clear()
        torch.cuda.set_sync_debug_mode("default")
        torch.cuda.synchronize()
        seconds = (time.perf_counter() - begun) / steps
        seen = sum("synchron" in str(w.message) for w in caught) if part == "count" else seen
    return seconds, seen // steps


def compare(bench: Bench, path: Path) -> None:
    """Write batches and the loss of a step with each, or print how far from there the same batches lead."""
    before = torch.load(path) if path.exists() else None
    if before:
        bench.batches = [Batch(**fields) for fields in before["batches"]]
    losses = []
    with (
        patch.object(torch.Tensor, "float", torch.Tensor.double),
        patch.object(torch, "float32", torch.float64),
    ):
        for number, batch in enumerate(bench.batches):
            losses += read_steps([bench.step(number, batch)])
    if before is None:
        torch.save({"batches": [batch._asdict() for batch in bench.batches], "losses": losses}, path)
        return
    for number, (was, now) in enumerate(zip(before["losses"], losses, strict=True)):
        far = {name: abs(now[name] - value) / max(abs(value), 1e-12) for name, value in was.items()}
        worst = max(far, key=far.__getitem__)
        print(f"step {number}: loss {was['loss']:.6f}, {now['loss']:.6f}; farthest {worst}, {far[worst]:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="release")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--losses", type=Path)
    arguments = parser.parse_args()
    settings = load_recipe(arguments.recipe, ["train.workers=0", *arguments.set, "model.trunk_sha256="])
    source = open_source(settings, None)
    feed = Feed(source.crops, batch=settings.train.batch, reuse=source.reuse).batches()
    device = torch.device(arguments.device)
    if arguments.losses:
        torch.set_default_dtype(torch.float64)
    distinct = arguments.steps if arguments.losses else 2
    bench = Bench(settings, list(islice(feed, distinct)), device)
    if arguments.losses:
        compare(bench, arguments.losses)
    elif device.type == "cuda":
        seconds, seen = time_on_gpu(bench, arguments.steps, settings.train.log_every)
        print(f"{torch.cuda.get_device_name()}: {seconds:.4f} s a step, {seen} waits a step")
    else:
        torch.set_num_threads(1)
        for name, number in count(bench).most_common():
            print(f"{name:32} {number}")


if __name__ == "__main__":
    main()
