"""From fields without an outline to weights of one's own: every command of the how-to, a script as annotator.

    python benchmarks/own_weights.py OUT [--fields 30] [--side 480] [--steps 200]

Generated fields in a stain that the bundled weights have not seen (as fluorescence shows them, on dark
ground: `unlabelled.py`) are annotated over HTTP in `irnet annotate`: a click on each cell and nucleus, the
next candidate, else a box, else its true outline, whichever first has an IoU of .8. All fields but the last
are finished; of that one every second cell is drawn. Then `data check`, `data split`, `train`, `evaluate
bundled runs/mine` and `predict`; and `evaluate` against the true cells of the same fields, for what was
accepted as the bundled weights drew it is their own. Printed are interactions, and CPU and wall seconds of
each command and of the network's answers. No person is timed.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from annotator import click, drag_box
from PIL import Image
from unlabelled import foreign

from irnet.cells import CYTOPLASM, Cells, Content
from irnet.data.coco.coco import read_coco, write_coco
from irnet.geometry.polygons import outlines, rasterise

GOOD, SHOWN, LEAST = 0.8, 2, 60  # IoU, candidates that are looked at, px of a cell
PORT = 8977
CAPTURED = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


def main() -> None:
    """Walk through the how-to and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fields", type=int, default=30)
    parser.add_argument("--side", type=int, default=480, help="px of a field")
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True)

    count = str(arguments.fields)
    irnet(out, "synth", "-o", "truth", "--images", count, "--patients", count, "--seed", "900")
    truth = restain(out, arguments.side)
    annotate(out, truth)

    irnet(out, "data", "check", "set/corrected.json")
    irnet(out, "data", "split", "set/corrected.json")
    fast = ["--device", "cpu", "--set", "train.workers=0", "--steps", str(arguments.steps)]
    irnet(out, "train", "set", "-o", "runs/mine", "--recipe", "finetune", "--init", "bundled", *fast)
    irnet(out, "evaluate", "bundled", "runs/mine", "set/test.json", "-o", "scores", "--device", "cpu")
    held_back(out, truth)
    irnet(out, "evaluate", "bundled", "runs/mine", "true", "-o", "scores-true", "--device", "cpu")
    irnet(out, "predict", "smears", "-o", "found", "--model", "runs/mine", "--device", "cpu")


def irnet(out: Path, *arguments: str) -> None:
    """Run a command; print what it said and what it took."""
    before, begun = os.times(), time.monotonic()
    done = subprocess.run([sys.executable, "-m", "irnet", *arguments], cwd=out, check=False, **CAPTURED)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"\n$ irnet {' '.join(arguments)}\n{done.stdout.strip()}")
    print(f"[exit code {done.returncode}, {cpu:.0f} s of CPU, {time.monotonic() - begun:.0f} s]", flush=True)


def restain(out: Path, side: int) -> dict[str, Cells]:
    """Write the upper left corners of the fields to smears/, in another stain; their cells by name."""
    (out / "smears").mkdir()
    truth = {}
    for entry in read_coco(out / "truth"):
        Image.fromarray(foreign(entry.read().image[:side, :side])).save(out / "smears" / entry.name)
        cells = entry.content.cells.shift(0, 0, (side, side))
        truth[entry.name] = cells.select(np.flatnonzero(cells.areas >= LEAST))
    return truth


def annotate(out: Path, truth: dict[str, Cells]) -> None:
    """Annotate the fields in the viewer, finish all but the last, and export."""
    mpp = str(next(iter(truth.values())).mpp)
    options = ["-o", "set", "--mpp", mpp, "--port", str(PORT), "--no-browser", "--device", "cpu"]
    server = subprocess.Popen(
        [sys.executable, "-m", "irnet", "annotate", "smears", *options], cwd=out, **CAPTURED
    )
    assert server.stdout is not None
    address = next(found for line in server.stdout if (found := re.search(r"(http\S+)/\?token=(\S+)", line)))

    with httpx.Client(base_url=address[1], headers={"origin": address[1]}, timeout=600) as client:
        client.get("/", params={"token": address[2]})
        rng, counts, waited = np.random.default_rng(0), Counter[str](), list[float]()
        images = client.get("/api/session").json()["images"]
        for image in images:
            cells = truth[image["name"]]
            order = np.argsort(cells.labels, kind="stable").tolist()  # cells before their nuclei
            half = image is images[-1]
            annotator = Annotator(client, image, rng=rng, counts=counts, waited=waited)
            for index in order[::2] if half else order:
                annotator.draw(cells, index)
            if not half:
                annotator.finish()
        post(client, "/api/export", {"format": "coco"})
    server.send_signal(signal.SIGINT)
    server.wait()

    said = ", ".join(f"{number} {what}" for what, number in counts.items())
    print(f"\n$ irnet annotate smears -o set --mpp {mpp}\n{len(images)} fields: {said}")
    print(
        f"[exit code {server.returncode}; an answer took {np.median(waited):.2f} s in the median]", flush=True
    )


def held_back(out: Path, truth: dict[str, Cells]) -> None:
    """Write the true cells of the test fields to true/."""
    (out / "true").mkdir()
    (out / "true" / "images").symlink_to(out.resolve() / "smears")
    entries = read_coco(out / "set" / "test.json")
    true = [replace(entry, content=Content(cells=truth[entry.name])) for entry in entries]
    write_coco(out / "true" / "annotations.json", true)


def post(client: httpx.Client, place: str, body: dict[str, Any]) -> Any:
    """What the server answers."""
    answer = client.post(place, json=body)
    answer.raise_for_status()
    return answer.json()


class Annotator:
    """Who clicks in one image."""

    def __init__(
        self,
        client: httpx.Client,
        image: dict[str, Any],
        *,
        rng: np.random.Generator,
        counts: Counter[str],
        waited: list[float],
    ) -> None:
        self.client, self.place, self.revision = client, f"/api/images/{image['index']}", image["revision"]
        self.rng, self.counts, self.waited = rng, counts, waited

    def draw(self, cells: Cells, index: int) -> None:
        """Click, look at the next candidate, drag a box, or draw, whichever first is good."""
        label, one = int(cells.labels[index]), cells.select([index])
        self.counts["nuclei" if label != CYTOPLASM else "cells"] += 1
        found = self.ask({"label": label, "point": click(cells, index, self.rng)}, "clicks")[:SHOWN]
        self.counts["keys for the next"] += max(0, len(found) - 1) * (not found or not good(found[0], one))
        rings = next((rings for rings in found if good(rings, one)), None)
        if rings is None:
            (rings,) = self.ask({"label": label, "box": drag_box(cells, index, self.rng)}, "boxes")
        if not good(rings, one):
            self.counts["outlines by hand"] += 1
            rings = [ring[:-1].ravel().tolist() for ring in next(iter(outlines(one.masks, one.offsets)))[:1]]
            self.edit({"op": "add", "label": label, "rings": rings})
            return
        self.edit({"op": "add", "label": label, "rings": rings, "origin": "assisted"})

    def ask(self, question: dict[str, Any], what: str) -> list[list[list[float]]]:
        """Ask the network; the rings of each answer."""
        plain = {key: np.asarray(value).tolist() for key, value in question.items()}
        self.counts[what] += 1
        begun = time.monotonic()
        found = post(self.client, f"{self.place}/prompt", plain)["found"]
        self.waited.append(time.monotonic() - begun)
        return [each["rings"] for each in found]

    def finish(self) -> None:
        """Say that no cell is missing."""
        ids = [row["id"] for row in self.client.get(self.place).json()["instances"]]
        self.edit({"op": "finish", "ids": ids, "finished": True})

    def edit(self, edit: dict[str, Any]) -> None:
        """Make an edit."""
        answer = post(self.client, f"{self.place}/edits", {"revision": self.revision, "edit": edit})
        self.revision = answer["revision"]


def good(rings: list[list[float]], one: Cells) -> bool:
    """Whether an outline is that of a cell."""
    crop, offset = rasterise(rings, one.image_shape)
    if not crop.size:
        return False
    drawn = Cells.build([crop], [offset], one.labels, one.image_shape)
    return bool(drawn.iou(one)[0, 0] >= GOOD)


if __name__ == "__main__":
    main()
