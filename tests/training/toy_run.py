"""Trains a toy network in a process of its own, which the tests kill.

Options: "set" (overrides of the recipe), "resume", "time_s", and where to end: "kill_step" (SIGKILL in that
step), "kill_save" (SIGKILL between write and rename of that checkpoint), "term_step" (SIGTERM in that step),
"term_group" (SIGTERM to the whole group as its process of this number has just begun, the fork server being
number 0), "nan_pass". "torchrun" sets its environment, for one of several processes.
"""

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import count
from multiprocessing import forkserver, popen_forkserver, util
from pathlib import Path

import torch
from torch import Tensor, nn

from irnet.config import load_recipe
from irnet.models.postprocess import Instances
from irnet.training import run, train

SETTINGS = [
    "data.crop=64",
    "train.steps=8",
    "train.batch=2",
    "train.accumulate=2",
    "train.checkpoint_every=3",
    "train.validate_every=4",
    "train.log_every=1",
]


class Toy(nn.Module):
    """Two convolutions with dropout and a norm that counts, in the shape of IRNet's doors."""

    def __init__(self, nan_pass: int | None = None) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 3, padding=1)
        self.layers = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(4, 1, 3))
        self.diagnostics: dict[str, Tensor] = {}
        self.nan_pass = nan_pass
        self.passes = 0

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None):
        if targets is None:
            return [self._nothing() for _ in images]
        self.passes += 1
        x = self.layers(self.backbone(torch.stack(images).float() / 255)).mean(dim=(1, 2, 3))
        counts = torch.tensor([float(len(target["labels"])) for target in targets])
        self.diagnostics = {"gamma": x.mean().detach()}
        scale = float("nan") if self.passes == self.nan_pass else 1.0
        return {"cls": scale * (x - counts).square().mean(), "box": x.abs().mean()}

    def _nothing(self) -> Instances:
        empty = torch.zeros(0)
        return Instances(torch.zeros(0, 4), empty.long(), empty, torch.zeros(0, 28, 28))


class Asleep:
    """A data set that never gives an item; it makes the file `begun` when it is asked for one."""

    def __init__(self, begun: Path) -> None:
        self.begun = begun

    def __getitem__(self, index: int) -> None:
        self.begun.touch()
        time.sleep(1000)


def kill(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)


def end_at(options: dict) -> None:
    """Hook the place where this process is to end."""
    take_step, replace = train.optimise, os.replace
    done = {"steps": 0, "saves": 0}

    def step(*args, **kwargs):
        done["steps"] += 1
        if done["steps"] == options.get("kill_step"):
            kill()
        if done["steps"] == options.get("term_step"):
            kill(signal.SIGTERM)
        return take_step(*args, **kwargs)

    def rename(source, target):
        done["saves"] += Path(target).name == run.LAST
        if done["saves"] == options.get("kill_save"):
            kill()
        replace(source, target)

    train.optimise, os.replace = step, rename


def term_group(number: int) -> None:
    """Hook the start of a child, where the whole group is told to stop, as Slurm and docker do."""
    os.setpgid(0, 0)
    forkserver._forkserver.__init__()  # one of its own, not that of the tests
    started = count()

    def hooked(begin: Callable, *args):
        result = begin(*args)
        if next(started) == number:
            os.killpg(0, signal.SIGTERM)
        return result

    launch = popen_forkserver.Popen._launch  # type: ignore[attr-defined]
    popen_forkserver.Popen._launch = lambda *args: hooked(launch, *args)  # type: ignore[attr-defined]
    util.spawnv_passfds = partial(hooked, util.spawnv_passfds)


def main(data: Path, folder: Path, said: Path, options: dict) -> None:
    """Train; what the run says goes to the file `said`."""
    sys.stderr = said.open("w")
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    os.environ.update(options.get("torchrun", {}))
    run.build_network = lambda *_, **__: Toy(options.get("nan_pass"))
    end_at(options)
    if "term_group" in options:
        term_group(options["term_group"])
    settings = load_recipe("tiny", SETTINGS + options.get("set", []))
    train.train(
        settings,
        data,
        folder,
        run.Start(resume=options.get("resume", False)),
        time_s=options.get("time_s"),
        device="cpu",
    )
