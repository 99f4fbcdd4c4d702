"""What a validation says of a network: the thresholds that are best for it, its chief scores, its merit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple

from irnet.cells import LABEL_NAMES, Cells, Content, Cuts
from irnet.metrics import ImageScore, choose_scores, score_image, summarise

NUMBERS = {  # name in the log -> where it stands in the summary of a class
    "AJI": ("scores", "aji", "pooled", "value"),
    "F1": ("scores", "f1", "pooled", "value"),
    "AP": ("ap", "ap", "value"),
    "overlap recall": ("scores", "overlap_recall", "pooled", "value"),
    "duplicates": ("scores", "duplicates", "pooled", "value"),
}
MERIT = ("AJI", "F1", "AP")


class Validation(NamedTuple):
    """Scores of a network in training."""

    scores: Cuts  # operating threshold of each class, by F1
    numbers: dict[str, float]  # such as cytoplasm/aji; undefined ones are left out
    merit: float  # mean of AJI, F1 and AP of both classes: the best checkpoint has the highest
    nucleus_px: float | None = None  # median diameter at the network's scale; None: few nuclei
    scored: Sequence[ImageScore] = ()  # image by image, for intervals
    patients: Sequence[str | None] = ()  # of the images, for the same


def score_validation(truths: Sequence[Content], found: Sequence[Cells], *, floor: float) -> Validation:
    """Choose thresholds on validation images and score at them; `floor` is the lowest that makes sense."""
    chosen = choose_scores(truths, found)
    scores = {label: max(floor, round(chosen.get(label, 0.5), 3)) for label in LABEL_NAMES}
    scored = [score_image(truth, cells, scores) for truth, cells in zip(truths, found, strict=True)]
    summary = summarise(scored, samples=0)
    numbers = headline(summary)
    merits = [numbers.get(f"{name}/{title}", 0.0) for name in summary["classes"] for title in MERIT]
    return Validation(scores, numbers, sum(merits) / max(1, len(merits)), scored=scored)


def headline(summary: dict[str, Any]) -> dict[str, float]:
    """Return the chief numbers of a summary, such as cytoplasm/AJI; undefined ones are left out."""
    numbers: dict[str, float] = {}
    for name, part in summary["classes"].items():
        for title, place in NUMBERS.items():
            value: Any = reduce(getitem, place, part)
            if value is not None:
                numbers[f"{name}/{title}"] = value
    return numbers
