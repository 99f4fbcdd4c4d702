"""What a validation says of a network: the thresholds that are best for it, its chief scores, its merit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from irnet.cells import LABEL_NAMES, Cells, Content, Cuts
from irnet.metrics import ImageScore, Summary, choose_scores, score_image, summarise
from irnet.metrics.summary import Way

NUMBERS: dict[str, tuple[str, Way]] = {  # name in the log -> the score, and how images are put together
    "AJI": ("aji", "pooled"),
    "F1": ("f1", "pooled"),
    "AP": ("ap", "ap"),
    "overlap recall": ("overlap_recall", "pooled"),
    "duplicates": ("duplicates", "pooled"),
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
    merits = [numbers.get(f"{name}/{title}", 0.0) for name in summary.classes for title in MERIT]
    return Validation(scores, numbers, sum(merits) / max(1, len(merits)), scored=scored)


def headline(summary: Summary) -> dict[str, float]:
    """Return the chief numbers of a summary, such as cytoplasm/AJI; undefined ones are left out."""
    numbers: dict[str, float] = {}
    for name, part in summary.classes.items():
        for title, (score, way) in NUMBERS.items():
            estimate = part.estimate(score, way)
            if estimate is not None and estimate.value is not None:
                numbers[f"{name}/{title}"] = estimate.value
    return numbers
