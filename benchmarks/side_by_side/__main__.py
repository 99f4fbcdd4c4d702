"""Mask R-CNN and other tools side by side with irnet: CPU seconds and memory, by size of field and by cells.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side measure -o runs/side --others VENV/bin/python
    python benchmarks/side_by_side show -o runs/side

Each look is a process of its own, tools take turns within a round, and ratios are within rounds: so other
processes on the machine count little. `measure` adds what is not in OUT/looks.jsonl yet. Tools that irnet
does not depend on are asked in the environment that `--others` names (`pip install ultralytics "cellpose<4"
instanseg-torch stardist tensorflow-cpu`), untrained, one pass of their network without what follows it.
torchvision's Mask R-CNN and irnet's paper recipe are untrained too, and told to find as many as were drawn.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from look import MPP, NO_MEMORY, NOT_THERE
from page import show

import irnet
from irnet.data.pixels import to_png
from irnet.synthetic.smear import Patient

OTHERS = ("stardist", "instanseg", "cellpose", "yolo11s-seg")
RIVAL = "torchvision-r50"
COMMAND = "irnet predict"  # the whole command, with the engine that it chooses
TITLES = {
    RIVAL: "torchvision Mask R-CNN, ResNet-50",
    "irnet-r50-torch": "irnet, paper recipe (ResNet-50), PyTorch",
    "irnet-r50-openvino": "irnet, paper recipe, OpenVINO",
    "bundled-torch": "irnet, bundled, PyTorch",
    "bundled-openvino": "irnet, bundled, OpenVINO",
    "bundled-bf16": "irnet, bundled, OpenVINO bf16",
    "bundled-int8": "irnet, bundled, OpenVINO int8",
    "stardist": "StarDist (network alone)",
    "instanseg": "InstanSeg (network alone)",
    "cellpose": "Cellpose 3 (network alone)",
    "yolo11s-seg": "YOLO11s-seg (network alone)",
    COMMAND: "`irnet predict`, whole command, bundled",
}

SIDE, CELLS, SEED = 1000, 40, 3
SIDES = (512, 1000, 2048, 4096, 9400)
LARGEST = {"r50": 4096, "instanseg": 2048, "cellpose": 2048}  # px a side: more would take an hour
CROWDS = ((1000, 25), (1000, 100), (1000, 400), (9400, 20_000), (9400, 25))  # side, cells


class Task(NamedTuple):
    """One look: which tool, at a field of which side (px) with how many cells, in which round."""

    tool: str
    side: int
    cells: int
    round: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("measure", "show"))
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3, help="at 1000 px; one at other sizes")
    parser.add_argument("--sides", type=int, nargs="*", default=SIDES)
    parser.add_argument("--tools", nargs="*", default=[*TITLES], choices=[*TITLES])
    parser.add_argument("--others", type=Path, help="Python of an environment that has the other tools")
    parser.add_argument("--memory", type=float, default=12, help="GiB that a look may take")
    parser.add_argument("--minutes", type=float, default=30, help="CPU minutes that a look may take")
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    if args.what == "show":
        show(read(args.out), args.out, TITLES, RIVAL)
        return
    measure(args)


def read(out: Path) -> list[dict[str, Any]]:
    """The looks that were measured."""
    path = out / "looks.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(args: argparse.Namespace) -> None:
    """Look with every tool at every field, and write a line of each look as it ends."""
    done = {Task(*(row[key] for key in Task._fields)) for row in read(args.out)}
    with tempfile.TemporaryDirectory() as folder:
        for task in tasks(args):
            if task in done:
                continue
            row = task._asdict() | look(task, args, Path(folder)) | {"load": round(os.getloadavg()[0], 1)}
            with (args.out / "looks.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


def tasks(args: argparse.Namespace) -> Iterator[Task]:
    """Smaller fields first; the command and the other tools at what they are compared at."""
    for number in range(args.rounds):
        for tool in args.tools:
            yield Task(tool, SIDE, CELLS, number)
    for side in sorted(set(args.sides) - {SIDE}):
        for tool in args.tools:
            if any(name in tool and side > largest for name, largest in LARGEST.items()):
                continue
            yield Task(tool, side, round(CELLS * (side / SIDE) ** 2), 0)
    for side, cells in CROWDS:
        for tool in args.tools:
            if tool not in OTHERS and side <= max(args.sides) and (side == SIDE or tool == COMMAND):
                yield Task(tool, side, cells, 0)


def look(task: Task, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What one look took, or why it came to nothing."""
    if task.tool in OTHERS and args.others is None:
        return {"failed": "--others was not given"}
    field = draw(task.side, task.cells, folder)
    if task.tool == COMMAND:
        return command(field, folder)

    python = args.others if task.tool in OTHERS else sys.executable
    words = [str(python), str(Path(__file__).with_name("look.py")), task.tool, str(field)]
    words += [str(2 * task.cells), "--weights", str(untrained(args.out, task))]
    if task.round == 0 and task.side == SIDE:  # graphs are made once, and not counted
        subprocess.run(words, capture_output=True)
    limits = f"ulimit -v {int(args.memory * 2**20)}; ulimit -t {int(args.minutes * 60)}; "
    child = subprocess.run(["sh", "-c", limits + 'exec "$@"', "sh", *words], capture_output=True, text=True)

    if child.returncode == 0:
        return json.loads(child.stdout.splitlines()[-1])
    if child.returncode == NOT_THERE:
        return {"failed": child.stderr.strip().splitlines()[-1]}
    if child.returncode == NO_MEMORY:
        return {"failed": f"more than {args.memory:g} GiB"}
    if child.returncode < 0:
        return {"failed": f"more than {args.minutes:g} CPU minutes, or killed ({child.returncode})"}
    sys.exit(f"{task.tool}:\n{child.stderr}")


def command(field: Path, folder: Path) -> dict[str, Any]:
    """What the whole command takes, from start to overlay and tables."""
    picture = folder / "field.png"
    picture.write_bytes(to_png(np.load(field)))
    words = [sys.executable, "-m", "irnet", "predict", str(picture), "-o", str(folder / "found")]
    child = subprocess.Popen([*words, "--mpp", str(MPP), "--device", "cpu"], stdout=subprocess.DEVNULL)

    _, status, usage = os.wait4(child.pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"irnet predict ended with {code}")
    return {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_mib": usage.ru_maxrss // 1024,
        "finds": sum(1 for _ in (folder / "found" / "cells.csv").open()) - 1,
    }


def draw(side: int, cells: int, folder: Path) -> Path:
    """A file with a generated field (side, side, 3), drawn in pieces where it is large."""
    path = folder / f"{side}-{cells}.npy"
    if path.exists():
        return path
    for old in folder.glob("*.npy"):
        old.unlink()

    columns = math.ceil(side / SIDE)
    size, pieces = math.ceil(side / columns), columns**2
    patient = Patient.draw(SEED, "pap")  # one stain and one camera for all pieces
    field = np.empty((columns * size, columns * size, 3), np.uint8)
    for k in range(pieces):
        count = cells * (k + 1) // pieces - cells * k // pieces
        piece, _ = irnet.generate(SEED + k, size=(size, size), mpp=MPP, patient=patient, count=count)
        y, x = (size * place for place in divmod(k, columns))
        field[y : y + size, x : x + size] = piece
    np.save(path, field[:side, :side])
    return path


def untrained(folder: Path, task: Task) -> Path:
    """A weights file with irnet's paper recipe, untrained, that finds as many as a field has."""
    most = int(round(2 * task.cells / (task.side / 1000) ** 2, -1))  # a megapixel; one file for all sides
    path = folder / f"r50-{most}.safetensors"
    if "irnet-r50" in task.tool and not path.exists():
        words = [sys.executable, str(Path(__file__).with_name("untrained.py")), str(path), str(most)]
        subprocess.run(words, check=True)
    return path


if __name__ == "__main__":
    main()
