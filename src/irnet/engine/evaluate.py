"""Scores of a network or of finished predictions against annotated images: summary.json and a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

from irnet.cells import LABEL_NAMES, Cells, Truth
from irnet.data.files import sha256, write_atomic
from irnet.data.formats.coco import read_coco
from irnet.data.sample import Entry, Sample
from irnet.engine.predict import Predictor, Scores
from irnet.engine.weights import find_weights
from irnet.errors import InputError
from irnet.metrics import choose_scores, render_table, score_image, summarise

NUMBERS = {  # name in the log -> where it stands in the summary of a class
    "AJI": ("scores", "aji", "pooled", "value"),
    "F1": ("scores", "f1", "pooled", "value"),
    "AP": ("ap", "ap", "value"),
    "overlap recall": ("scores", "overlap_recall", "pooled", "value"),
    "duplicates": ("scores", "duplicates", "pooled", "value"),
}
MERIT = ("AJI", "F1", "AP")


class Evaluation(NamedTuple):
    """What `evaluate` wrote."""

    summary: dict[str, Any]
    table: str


class Validation(NamedTuple):
    """Scores of a network in training."""

    scores: Scores  # operating threshold of each class, by F1
    numbers: dict[str, float]  # such as cytoplasm/aji; undefined ones are left out
    merit: float  # mean of AJI, F1 and AP of both classes: the best checkpoint has the highest


def evaluate(
    source: str | Path,
    data: str | Path,
    out_dir: str | Path,
    *,
    score: float | None = None,
    device: str = "auto",
) -> Evaluation:
    """Score predictions or a network on a data set and write summary.json and table.txt to `out_dir`.

    Args:
        source: a folder of `irnet predict` or a COCO file of predictions; or a weights file, a run's
            folder, or "bundled": then every image is segmented first, and AP counts all candidates.
        data: a data set's folder or COCO file.
        score: cut for both classes; None is each class's operating threshold, or none for finished
            predictions.

    Raises:
        InputError: `source` is neither, or has no prediction for some image of `data`.
    """
    entries = read_coco(data)
    file = _predictions_file(Path(source))
    cuts = None if score is None else dict.fromkeys(LABEL_NAMES, score)
    if file is None:
        predictor = Predictor.load(source, device=device)
        cuts = cuts or predictor.scores
        found = find_all(predictor, (entry.read() for entry in entries))
    else:
        found = _predicted(file, entries)
    scored = [score_image(entry.truth, cells, cuts) for entry, cells in zip(entries, found, strict=True)]
    patients = [entry.patient for entry in entries]
    summary = summarise(scored, patients if any(patients) else None)
    origin = {"source": str(source), "sha256": sha256(file or find_weights(source)), "data": str(data)}
    summary = {"evaluated": origin, **summary}
    table = render_table(summary)
    out = Path(out_dir)
    write_atomic(out / "summary.json", json.dumps(summary, indent=1, allow_nan=False).encode())
    write_atomic(out / "table.txt", table.encode())
    return Evaluation(summary, table)


def validate(predictor: Predictor, samples: Sequence[Sample]) -> Validation:
    """Score a network in training at the thresholds that are best for it on these images."""
    truths, found = [sample.truth for sample in samples], find_all(predictor, samples)
    return score_validation(truths, found, floor=predictor.settings.predict.floor)


def score_validation(truths: Sequence[Truth], found: Sequence[Cells], *, floor: float) -> Validation:
    """Choose thresholds on validation images and score at them; `floor` is the lowest that makes sense."""
    chosen = choose_scores(truths, found)
    scores = {label: max(floor, round(chosen.get(label, 0.5), 3)) for label in LABEL_NAMES}
    scored = [score_image(truth, cells, scores) for truth, cells in zip(truths, found, strict=True)]
    summary = summarise(scored, samples=0)
    numbers = headline(summary)
    merits = [numbers.get(f"{name}/{title}", 0.0) for name in summary["classes"] for title in MERIT]
    return Validation(scores, numbers, sum(merits) / max(1, len(merits)))


def headline(summary: dict[str, Any]) -> dict[str, float]:
    """Return the chief numbers of a summary, such as cytoplasm/AJI; undefined ones are left out."""
    numbers: dict[str, float] = {}
    for name, part in summary["classes"].items():
        for title, place in NUMBERS.items():
            value: Any = reduce(getitem, place, part)
            if value is not None:
                numbers[f"{name}/{title}"] = value
    return numbers


def find_all(predictor: Predictor, samples: Iterable[Sample]) -> list[Cells]:
    """Return every candidate of each image, down to the network's floor."""
    return [predictor.find(sample.image, sample.truth.cells.mpp).cells for sample in samples]


def _predictions_file(source: Path) -> Path | None:
    """Return the COCO file that `source` is or holds; None when it means a network."""
    if source.is_dir() and (source / "predictions.json").exists():
        return source / "predictions.json"
    return source if source.suffix == ".json" else None


def _predicted(file: Path, entries: Sequence[Entry]) -> list[Cells]:
    found = {entry.name: entry.truth.cells for entry in read_coco(file)}
    if missing := [entry.name for entry in entries if entry.name not in found]:
        raise InputError(
            f"{file}: no prediction for {len(missing)} of {len(entries)} images, such as {missing[0]}; "
            "predict them first, or evaluate on the others alone"
        )
    return [found[entry.name] for entry in entries]
