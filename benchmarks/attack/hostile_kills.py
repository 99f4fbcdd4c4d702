"""Processes of `irnet` killed (SIGKILL) at random moments: what they leave, and whether others go on."""

import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
from hostile_files import png
from hostile_scene import CELL, Scene, draw
from hostile_targets import cells_of

from irnet.cells import Truth
from irnet.data.formats.coco import read_coco, write_coco
from irnet.data.formats.found import read_found
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.server.store import Review

PATIENCE = 300  # seconds for a whole process
IMAGES = 4
DRAFT = re.compile(r"\.[0-9a-f]{16}\.tmp")
TRAINING = ["--recipe", "tiny", "--steps", "6", "--set", "train.checkpoint_every=1", "--set", "data.crop=64"]
TRAINING += ["--set", "train.batch=2", "--set", "train.workers=0", "--device", "cpu"]
EXPORTS = ("labelme", "qupath", "imagej", "cvat", "csv", "labels")


class Trial(NamedTuple):
    """A process that was killed."""

    early: bool  # before it had ended by itself
    wrong: list[str]
    edits: int = 0  # acknowledged


def kill(number: int) -> dict[str, Any]:
    """One trial, a function of its number but for the speed of the machine."""
    verb = list(VERBS)[number % len(VERBS)]
    rng = random.Random(f"kill/{number}")
    with tempfile.TemporaryDirectory() as folder:
        trial = VERBS[verb](Path(folder), rng)
    return {"number": number, "verb": verb, **trial._asdict()}


def predict(folder: Path, rng: random.Random) -> Trial:
    """Over an earlier run's files; the same command must end as if it had not been stopped."""
    whole, seconds = _reference("predict")
    shutil.copytree(_reference("predict", "0.9")[0], folder / "out")
    early = _run_and_kill(_predict(folder / "out", "0.05"), rng.uniform(0.1, 1.1) * seconds)
    wrong = _check_readable(folder / "out", read_found)
    if early:
        wrong += _finish(_predict(folder / "out", "0.05"))
    run = json.loads((folder / "out" / "run.json").read_text())
    hashes = {name: _digest(folder / "out" / name) for name in run["hashes"]}
    wrong += [f"run.json is not of {name}" for name in hashes if hashes[name] != run["hashes"][name]]
    return Trial(early, wrong + _differing(folder / "out", whole, {"run.json"}))


def train(folder: Path, rng: random.Random) -> Trial:
    """Gone on with --resume, the weights must be those of a run that was not stopped, bit by bit."""
    whole, seconds = _reference("train")
    early, wrong = False, []
    for _ in range(rng.randint(1, 2)):
        goes_on = ["--resume"] if (folder / "out" / "last.safetensors").exists() else []
        early |= _run_and_kill(_train(folder / "out", *goes_on), rng.uniform(0.5, 1.0) * seconds)
    goes_on = ["--resume"] if (folder / "out" / "last.safetensors").exists() else []
    wrong += _finish(_train(folder / "out", *goes_on))
    return Trial(early, wrong + _differing(folder / "out", whole, {"log.jsonl", "best.md", "recipe.json"}))


def synth(folder: Path, rng: random.Random) -> Trial:
    """A set is whole or none; the same command makes it, or says that it is there."""
    whole, seconds = _reference("synth")
    early = _run_and_kill(_synth(folder / "out"), rng.uniform(0.1, 1.1) * seconds)
    made = (folder / "out" / "annotations.json").exists()
    wrong = _check_readable(folder / "out", read_coco) if made else _finish(_synth(folder / "out"))
    return Trial(early, wrong + _differing(folder / "out", whole, set()))


def export(folder: Path, rng: random.Random) -> Trial:
    """Each file is whole; the same command to another folder makes all."""
    form = rng.choice(EXPORTS)
    whole, seconds = _reference("export", form)
    early = _run_and_kill(_export(folder / "out", form), rng.uniform(0.1, 1.1) * seconds)
    left = {path.relative_to(folder / "out") for path in (folder / "out").rglob("*") if path.is_file()}
    half = [path for path in left if not DRAFT.fullmatch(path.name) and path.name != ".irnet.lock"]
    wrong = [f"half of {path}" for path in half if _digest(folder / "out" / path) != _digest(whole / path)]
    return Trial(early, wrong)


def view(folder: Path, rng: random.Random) -> Trial:
    """Every edit that was acknowledged is there after a restart, and no half line stops it."""
    out = folder / "out"
    shutil.copytree(_data(), out)
    (out / "annotations.json").rename(out / "predictions.json")
    command = [*IRNET, "view", str(out), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        address = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
        timer = threading.Timer(rng.uniform(0.05, 2.0), server.kill)
        try:
            accepted, deleted = _edit(address, rng, timer.start)
        finally:
            timer.cancel()
            server.kill()
    review = Review(out)
    rows = {key: row for field in review.fields for key, row in field.rows.items()}
    wrong = [f"accepting {key} is lost" for key in accepted if not (rows[key] or {}).get("accepted")]
    wrong += [f"deleting {key} is lost" for key in deleted if rows[key] is not None]
    return Trial(True, wrong, len(accepted) + len(deleted))


def _edit(address: str, rng: random.Random, begin: Callable[[], None]) -> tuple[set[int], set[int]]:
    """Edit, after `begin`, until the server is gone; ids whose acceptance and deletion were acknowledged."""
    accepted: set[int] = set()
    deleted: set[int] = set()
    host = address.partition("/?")[0]
    try:
        with httpx.Client(follow_redirects=True, headers={"origin": host}, timeout=10) as client:
            client.get(address).raise_for_status()
            images = client.get(f"{host}/api/session").json()["images"]
            revisions = {image["index"]: image["revision"] for image in images}
            known = {
                index: [each["id"] for each in client.get(f"{host}/api/images/{index}").json()["instances"]]
                for index in revisions
            }
            begin()
            while any(known.values()):
                index = rng.choice([index for index, ids in known.items() if ids])
                key = known[index].pop()
                edit: dict[str, Any] = {"op": "accept", "ids": [key], "accepted": True}
                if rng.random() < 0.3:
                    edit = {"op": "delete", "ids": [key]}
                body = {"revision": revisions[index], "edit": edit}
                answer = client.post(f"{host}/api/images/{index}/edits", json=body)
                answer.raise_for_status()
                revisions[index] = answer.json()["revision"]
                (deleted if edit["op"] == "delete" else accepted).add(key)
    except httpx.TransportError:
        pass
    return accepted, deleted


VERBS: dict[str, Callable[[Path, random.Random], Trial]] = {
    "view": view,
    "export": export,
    "synth": synth,
    "predict": predict,
    "train": train,
}
IRNET = [sys.executable, "-m", "irnet"]


def _predict(out: Path, score: str) -> list[str]:
    return [
        "predict",
        str(_data() / "images"),
        "-o",
        str(out),
        "--score",
        score,
        "--scale",
        "1",
        "--device",
        "cpu",
    ]


def _train(out: Path, *more: str) -> list[str]:
    return ["train", str(_data()), "-o", str(out), *([] if more else TRAINING), *more]


def _synth(out: Path) -> list[str]:
    return ["synth", "-o", str(out), "--images", "3", "--patients", "2"]


def _export(out: Path, form: str) -> list[str]:
    return ["export", str(_data()), "--to", form, "-o", str(out)]


@cache
def _data() -> Path:
    """A data set of some small scenes, for the life of this process."""
    folder = Path(_workplace().name) / "data"
    entries = []
    for number in range(IMAGES):
        scene = draw(random.Random(number), cells=8 - 2 * (number % 2))
        large = scene.scaled(3)
        path = folder / "images" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_picture(large))
        truth = Truth(cells=cells_of(large))
        entries.append(Entry(name=path.name, path=path, truth=truth, patient=f"p{number}"))
    write_coco(folder / "annotations.json", entries)
    return folder


def _picture(scene: Scene) -> bytes:
    pixels = np.full((*scene.shape, 3), 235, np.uint8)
    for thing, mask in zip(scene.things, scene.masks, strict=True):
        pixels[mask] -= np.array((20, 40, 10) if thing.label == CELL else (90, 90, 50), np.uint8)
    return png(pixels)


@cache
def _workplace() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="attack-")


@cache
def _reference(verb: str, option: str = "") -> tuple[Path, float]:
    """What the command makes that nobody stops, and how long it takes."""
    out = Path(_workplace().name) / f"{verb}{option}"
    command = {
        "predict": lambda: _predict(out, option or "0.05"),
        "train": lambda: _train(out),
        "synth": lambda: _synth(out),
        "export": lambda: _export(out, option),
    }[verb]()
    begun = time.monotonic()
    if wrong := _finish(command):
        raise RuntimeError(f"the attack itself went wrong: {wrong}")
    return out, time.monotonic() - begun


def _finish(command: Sequence[str]) -> list[str]:
    done = subprocess.run([*IRNET, *command], capture_output=True, text=True, timeout=PATIENCE, check=False)
    return (
        [] if done.returncode == 0 else [f"{' '.join(command)}: exit {done.returncode}: {done.stderr[-500:]}"]
    )


def _run_and_kill(command: Sequence[str], seconds: float) -> bool:
    """Whether the process was killed before it ended."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*IRNET, *command], stdout=quiet, stderr=quiet) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    return False


def _check_readable(folder: Path, read: Callable[[Path], Any]) -> list[str]:
    """What is left is whole, or refused by name."""
    try:
        read(folder)
    except InputError as error:
        return [] if str(folder) in str(error) else [f"refused without its name: {error}"]
    return []


def _differing(folder: Path, whole: Path, besides: set[str]) -> list[str]:
    """Files that are not those of a run that was not stopped, and drafts."""
    found, right = (
        {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
        for place in (folder, whole)
    )
    wrong = [f"{name} is {'missing' if name in right else 'left over'}" for name in sorted(found ^ right)]
    same = sorted((found & right) - besides)
    return wrong + [f"{name} differs" for name in same if _digest(folder / name) != _digest(whole / name)]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
