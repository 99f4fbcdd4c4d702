"""Commands of `irnet` in processes that can be killed: forked from this one, which has everything imported.

So nearly every kill comes in the middle of the work and not of an import.
"""

import contextlib
import hashlib
import importlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from hostile_clock import childrens_cpu, cpu
from hostile_files import png
from hostile_scene import CELL, Scene, draw
from hostile_targets import cells_of

from irnet.cells import Content
from irnet.data.coco.coco import write_coco
from irnet.data.sample import Entry
from irnet.errors import InputError

PATIENCE = 600  # seconds for a whole process
IMAGES = 4
_USED = (
    "training.train",
    "verbs.predict_files",
    "inference.methods",
    "server.app",
    "synthetic",
    "cli",
    "report.found",
)


class Ended(NamedTuple):
    """How a process ended."""

    early: bool  # by the signal
    wrong: list[str]


def begin(command: Sequence[str], log: Path) -> BaseProcess:
    """Start a command in a process group of its own; what it says goes to the file `log`."""
    for name in _USED:
        importlib.import_module(f"irnet.{name}")
    process = multiprocessing.get_context("fork").Process(target=_run, args=(command, log))
    process.start()
    return process


def _run(command: Sequence[str], log: Path) -> None:
    from irnet.cli import main

    os.setpgid(0, 0)
    sys.modules["__main__"] = ModuleType("__main__")  # its workers need not import the campaign
    place = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(place, 1)
    os.dup2(place, 2)
    main(command)


def end(process: BaseProcess, log: Path, number: signal.Signals) -> list[str]:
    """SIGKILL a process, or ask its whole group to stop: what is wrong with how it ends."""
    if number == signal.SIGKILL:
        process.kill()
        process.join()
        return []
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid or 0, number)
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        return [f"still there {PATIENCE} seconds after it was asked to stop"]
    said = log.read_text()
    told = (said.splitlines() or [""])[-1].startswith("irnet: ")
    well = {0: True, 143: told, -signal.SIGTERM: not said}  # 0: it saved, or all was done; -15: not begun
    if not well.get(process.exitcode) or "Traceback" in said:
        return [f"exit {process.exitcode} when asked to stop: {said[-500:]}"]
    return []


def run_and_end(command: Sequence[str], seconds: float, number: signal.Signals) -> Ended:
    """Run a command for so many seconds of the processor, then end it."""
    log = workplace() / "ended.txt"
    process = begin(command, log)
    while process.exitcode is None and cpu(process.pid) < seconds:
        process.join(0.005)
    if process.exitcode is not None:
        return Ended(False, [])
    return Ended(True, end(process, log, number))


def finish(command: Sequence[str]) -> list[str]:
    """Run a command to its end; what is wrong."""
    log = workplace() / "finished.txt"
    process = begin(command, log)
    process.join(PATIENCE)
    if process.exitcode == 0:
        return []
    process.kill()
    return [f"{' '.join(command)}: exit {process.exitcode}: {log.read_text()[-500:]}"]


@cache
def reference(command: Callable[..., list[str]], *options: str) -> tuple[Path, float]:
    """What a command makes that nobody stops, and how many seconds of the processor it takes."""
    out = workplace() / "-".join(("whole", command.__name__, *options))
    before = childrens_cpu()
    if wrong := finish(command(out, *options)):
        raise RuntimeError(f"the attack itself went wrong: {wrong}")
    return out, childrens_cpu() - before


@cache
def workplace() -> Path:
    """A folder for the life of this process."""
    return Path(_temporary().name)


@cache
def _temporary() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="attack-")


@cache
def data() -> Path:
    """A data set of some small scenes."""
    folder = workplace() / "data"
    entries = []
    for number in range(IMAGES):
        scene = draw(random.Random(number), cells=8 - 2 * (number % 2))
        large = scene.scaled(2)
        path = folder / "images" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_picture(large))
        truth = Content(cells=cells_of(large))
        entries.append(Entry(name=path.name, path=path, content=truth, patient=f"p{number}"))
    write_coco(folder / "annotations.json", entries)
    return folder


def _picture(scene: Scene) -> bytes:
    pixels = np.full((*scene.shape, 3), 235, np.uint8)
    for thing, mask in zip(scene.things, scene.masks, strict=True):
        pixels[mask] -= np.array((20, 40, 10) if thing.label == CELL else (90, 90, 50), np.uint8)
    return png(pixels)


def check_readable(folder: Path, read: Callable[[Path], Any]) -> list[str]:
    """What is left is whole, or refused by name."""
    try:
        read(folder)
    except InputError as error:
        return [] if str(folder) in str(error) else [f"refused without its name: {error}"]
    return []


def differing(folder: Path, whole: Path, besides: set[str]) -> list[str]:
    """Files that are not those of a run that was not stopped, and drafts."""
    found, right = (
        {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
        for place in (folder, whole)
    )
    wrong = [f"{name} is {'missing' if name in right else 'left over'}" for name in sorted(found ^ right)]
    same = sorted((found & right) - besides)
    return wrong + [f"{name} differs" for name in same if digest(folder / name) != digest(whole / name)]


def digest(path: Path) -> str:
    """SHA-256 of a file, empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
