"""Processes of `irnet` that end at random moments: what they leave, and whether others go on.

Two of three rounds kill the process (SIGKILL); the third asks its whole group to stop (SIGTERM), as Slurm and
docker do: then it also has to say so and to end well.
"""

import json
import random
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, NamedTuple

import httpx
from hostile_clock import childrens_cpu
from hostile_processes import (
    PATIENCE,
    begin,
    check_readable,
    data,
    differing,
    digest,
    end,
    finish,
    reference,
    run_and_end,
    workplace,
)

from irnet.data.coco.coco import read_coco
from irnet.data.coco.found import read_found
from irnet.server.store import Review

DRAFT = re.compile(r"\.[0-9a-f]{16}\.tmp")
TRAINING = ["--recipe", "tiny", "--steps", "4", "--device", "cpu"]
for setting in (
    *("train.checkpoint_every=2", "train.batch=2", "train.validate_images=1", "data.crop=64"),
    *("model.fpn_width=8", "model.fc_width=8", "model.mask_width=8"),
):
    TRAINING += ["--set", setting]
EXPORTS = ("labelme", "qupath", "imagej", "cvat", "csv", "labels")


class Trial(NamedTuple):
    """A process that was ended."""

    early: bool  # before it had ended by itself
    wrong: list[str]
    edits: int = 0  # acknowledged


def kill(number: int) -> dict[str, Any]:
    """One trial, a function of its number but for the speed of the machine."""
    verb = list(VERBS)[number % len(VERBS)]
    how = SIGTERM if number // len(VERBS) % 3 == 2 else SIGKILL
    with tempfile.TemporaryDirectory() as folder:
        trial = VERBS[verb](Path(folder), random.Random(f"kill/{number}"), how)
    return {"number": number, "verb": verb, "signal": how.name, **trial._asdict()}


def predict(folder: Path, rng: random.Random, how: Signals) -> Trial:
    """Over an earlier run's files; the same command must end as if it had not been stopped."""
    whole, seconds = reference(_predict, "0.05")
    shutil.copytree(reference(_predict, "0.9")[0], folder / "out")
    ended = run_and_end(_predict(folder / "out", "0.05"), rng.uniform(0.0, 1.0) * seconds, how)
    wrong = ended.wrong + check_readable(folder / "out", read_found)
    if ended.early:
        wrong += finish(_predict(folder / "out", "0.05"))
    run = json.loads((folder / "out" / "run.json").read_text())
    hashes = {name: digest(folder / "out" / name) for name in run["hashes"]}
    wrong += [f"run.json is not of {name}" for name in hashes if hashes[name] != run["hashes"][name]]
    return Trial(ended.early, wrong + differing(folder / "out", whole, {"run.json"}))


def train(folder: Path, rng: random.Random, how: Signals) -> Trial:
    """Gone on with --resume, the weights must be those of a run that was not stopped, bit by bit."""
    workers = "1" if how == SIGTERM else "0"  # a group has more than one process
    whole, seconds = reference(_train, workers)
    ended = run_and_end(_train(folder / "out", workers), rng.uniform(0.0, 1.0) * seconds, how)
    wrong = ended.wrong + finish(_go_on(folder / "out", workers))
    return Trial(
        ended.early, wrong + differing(folder / "out", whole, {"log.jsonl", "best.md", "recipe.json"})
    )


def synth(folder: Path, rng: random.Random, how: Signals) -> Trial:
    """A set is whole or none; the same command makes it, or says that it is there."""
    whole, seconds = reference(_synth)
    ended = run_and_end(_synth(folder / "out"), rng.uniform(0.0, 1.0) * seconds, how)
    made = (folder / "out" / "annotations.json").exists()
    wrong = check_readable(folder / "out", read_coco) if made else finish(_synth(folder / "out"))
    return Trial(ended.early, ended.wrong + wrong + differing(folder / "out", whole, set()))


def export(folder: Path, rng: random.Random, how: Signals) -> Trial:
    """Each file is whole; the same command to another folder makes all."""
    return _write(folder, rng, how, _export, rng.choice(EXPORTS))


def convert(folder: Path, rng: random.Random, how: Signals) -> Trial:
    """Likewise, what other tools drew."""
    return _write(folder, rng, how, _convert, rng.choice(EXPORTS[:4]))


def _write(
    folder: Path, rng: random.Random, how: Signals, command: Callable[[Path, str], list[str]], form: str
) -> Trial:
    whole, seconds = reference(command, form)
    ended = run_and_end(command(folder / "out", form), rng.uniform(0.0, 1.0) * seconds, how)
    left = {path.relative_to(folder / "out") for path in (folder / "out").rglob("*") if path.is_file()}
    named = [path for path in left if not DRAFT.fullmatch(path.name) and path.name != ".irnet.lock"]
    wrong = [f"half of {path}" for path in named if digest(folder / "out" / path) != digest(whole / path)]
    wrong += finish(command(folder / "again", form))
    return Trial(ended.early, ended.wrong + wrong + differing(folder / "again", whole, set()))


def report(folder: Path, rng: random.Random, how: Signals) -> Trial:
    """A table and a page beside what was found; the same commands make them whole."""
    found, (whole, seconds) = reference(_predict, "0.05")[0], _reported()
    out, early = folder / "out", False
    shutil.copytree(found, out)
    wrong: list[str] = []
    for command, name in ((_measure, "cells.csv"), (_report, "report.html")):
        ended = run_and_end(command(out), rng.uniform(0.0, 0.5) * seconds, how)
        early, wrong = early or ended.early, wrong + ended.wrong + check_readable(out, read_found)
        if digest(out / name) not in (digest(found / name), digest(whole / name)):
            wrong.append(f"half of {name}")
        wrong += finish(command(out))
    return Trial(early, wrong + differing(out, whole, set()))


@cache
def _reported() -> tuple[Path, float]:
    out = workplace() / "reported" / "out"
    shutil.copytree(reference(_predict, "0.05")[0], out)
    before = childrens_cpu()
    if wrong := finish(_measure(out)) + finish(_report(out)):
        raise RuntimeError(f"the attack itself went wrong: {wrong}")
    return out, childrens_cpu() - before


def view(folder: Path, rng: random.Random, how: Signals) -> Trial:
    """Every edit that was acknowledged is there after a restart, and no half line stops it."""
    out, log = folder / "out", workplace() / "view.txt"
    shutil.copytree(data(), out)
    (out / "annotations.json").rename(out / "predictions.json")
    log.unlink(missing_ok=True)
    server = begin(["view", str(out), "--port", "0", "--no-browser"], log)
    wrong: list[str] = []
    timer = threading.Timer(rng.uniform(0.05, 2.0), lambda: wrong.extend(end(server, log, how)))
    accepted, deleted = _edit(_address(log), rng, timer.start)
    timer.join()
    review = Review(out)
    rows = {key: row for field in review.fields for key, row in field.rows.items()}
    wrong += [f"accepting {key} is lost" for key in accepted if not (rows[key] or {}).get("accepted")]
    wrong += [f"deleting {key} is lost" for key in deleted if rows[key] is not None]
    return Trial(True, wrong, len(accepted) + len(deleted))


def _address(log: Path) -> str:
    """What the viewer says is to be opened."""
    for _ in range(10 * PATIENCE):
        if log.exists() and (found := re.search(r"http://\S+(?=\s)", log.read_text())):
            return found[0]
        time.sleep(0.1)
    raise RuntimeError("the attack itself went wrong: the viewer does not start")


def _edit(address: str, rng: random.Random, start: Callable[[], None]) -> tuple[set[int], set[int]]:
    """Edit, after `start`, until the server is gone; ids whose acceptance and deletion were acknowledged."""
    accepted: set[int] = set()
    deleted: set[int] = set()
    host = address.partition("/?")[0]
    try:
        with httpx.Client(follow_redirects=True, headers={"origin": host}, timeout=PATIENCE) as client:
            client.get(address).raise_for_status()
            images = client.get(f"{host}/api/session").json()["images"]
            revisions = {image["index"]: image["revision"] for image in images}
            known = {
                index: [each["id"] for each in client.get(f"{host}/api/images/{index}").json()["instances"]]
                for index in revisions
            }
            start()
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


VERBS: dict[str, Callable[[Path, random.Random, Signals], Trial]] = {
    "view": view,
    "export": export,
    "synth": synth,
    "predict": predict,
    "train": train,
    "convert": convert,
    "measure, report": report,
}


# Commands


def _predict(out: Path, score: str) -> list[str]:
    chosen = ["--score", score, "--scale", "1", "--device", "cpu"]
    return ["predict", str(data() / "images"), "-o", str(out), *chosen]


def _train(out: Path, workers: str) -> list[str]:
    return ["train", str(data()), "-o", str(out), *TRAINING, "--set", f"train.workers={workers}"]


def _go_on(out: Path, workers: str) -> list[str]:
    begun = (out / "last.safetensors").exists()
    return ["train", str(data()), "-o", str(out), "--resume"] if begun else _train(out, workers)


def _synth(out: Path) -> list[str]:
    return ["synth", "-o", str(out), "--images", "2", "--patients", "2"]


def _export(out: Path, form: str) -> list[str]:
    return ["export", str(data()), "--to", form, "-o", str(out)]


def _convert(out: Path, form: str) -> list[str]:
    source = reference(_export, form)[0]
    images = [] if form == "labelme" else ["--images", str(data())]
    return ["data", "convert", str(source), "--from", form, "-o", str(out), *images]


def _measure(out: Path) -> list[str]:
    return ["measure", str(out)]


def _report(out: Path) -> list[str]:
    return ["report", str(out)]
