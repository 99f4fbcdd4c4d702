"""All scores of one image (`score_image`) and of a set of images (`summarise`)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, LABEL_NAMES, Cells, Distractor, Truth
from irnet.errors import InputError
from irnet.metrics.aji import aji
from irnet.metrics.bootstrap import LEVEL, SAMPLES, interval, sample_weights
from irnet.metrics.boundary import boundary_scores
from irnet.metrics.calibration import calibration
from irnet.metrics.coco_ap import PooledRanking, Ranking
from irnet.metrics.distractors import false_finds
from irnet.metrics.f1 import detection, unmatched
from irnet.metrics.ignore import outside_ignored
from irnet.metrics.isbi import isbi2014, isbi_greedy
from irnet.metrics.match import Pairwise, match_iou
from irnet.metrics.overlap import DEGREE_NAMES, degrees, overlap_scores, scores_by_degree
from irnet.metrics.ratio import Ratio, pool

UNDEFINED = Ratio(0, 0)


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassScore:
    """Scores of one class in one image: ratios by name, and what AP and calibration need of m predictions."""

    truths: int
    predictions: int
    ratios: dict[str, Ratio]
    by_degree: dict[str, dict[str, Ratio]]  # overlap degree -> name -> ratio
    ranking: Ranking
    matched_iou: NDArray[np.float64]  # (m,) IoU with the match, 0 without one
    false_by_kind: Counter[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageScore:
    """Scores of one image for each class that was annotated in it, and its distractors by kind."""

    classes: dict[int, ClassScore]
    distractors: Counter[str]


def score_image(truth: Truth, pred: Cells) -> ImageScore:
    """Score the predictions `pred` of one image.

    Classes that were not annotated are left out, and so is every instance with more than half of its area
    inside ignore regions. Lengths are in um where the truth or the predictions say how long a pixel is.
    Raises InputError when truth and predictions belong to frames of different size.
    """
    if truth.cells.image_shape != pred.image_shape:
        raise InputError(
            f"predictions of a frame of {pred.image_shape} cannot be scored against a truth of"
            f" {truth.cells.image_shape}: bring both to one scale first"
        )
    known, found = outside_ignored(truth.cells, truth.ignore), outside_ignored(pred, truth.ignore)
    return ImageScore(
        classes={
            label: score_class(
                known.of(label), found.of(label), truth.distractors, outlines=label == CYTOPLASM
            )
            for label in sorted(truth.annotated)
        },
        distractors=Counter(distractor.kind for distractor in truth.distractors),
    )


def score_class(
    truths: Cells, preds: Cells, distractors: Sequence[Distractor] = (), *, outlines: bool = True
) -> ClassScore:
    """Score the predictions of one class in one frame; `outlines` asks for the boundary scores too."""
    pairs = Pairwise.between(truths, preds)
    matches = match_iou(pairs)
    frame_pixels = truths.image_shape[0] * truths.image_shape[1]
    ratios = {
        "aji": aji(pairs),
        **detection(pairs, matches),
        **overlap_scores(truths, preds, matches),
        **isbi2014(pairs, frame_pixels),
        **isbi_greedy(pairs, frame_pixels),
    }
    if outlines:
        ratios |= boundary_scores(truths, preds, matches, truths.mpp or preds.mpp)
    matched_iou = np.zeros(len(preds))
    matched_iou[matches[:, 1]] = pairs.iou[matches[:, 0], matches[:, 1]]
    return ClassScore(
        truths=len(truths),
        predictions=len(preds),
        ratios=ratios,
        by_degree=scores_by_degree(pairs, matches, degrees(truths)),
        ranking=Ranking.of(pairs, preds.scores),
        matched_iou=matched_iou,
        false_by_kind=false_finds(distractors, preds.select(unmatched(len(preds), matches[:, 1]))),
    )


def summarise(
    scores: Sequence[ImageScore],
    patients: Sequence[str | None] | None = None,
    seed: int = 0,
    samples: int = SAMPLES,
) -> dict:
    """Scores of a set of images as plain JSON values; what is undefined is None.

    Each score has its mean over the images where it is defined and its pooled value, each with a 95 %
    bootstrap interval over images, or over patients where `patients` names them. `seed` makes it repeatable.
    """
    if patients is not None and len(patients) != len(scores):
        raise InputError(
            f"{len(scores)} images, but {len(patients)} patients: name one for each image, or None"
        )
    weights = sample_weights(len(scores), patients, seed=seed, samples=samples)
    labels = sorted({label for score in scores for label in score.classes})
    classes = {
        LABEL_NAMES.get(label, str(label)): _summarise_class(scores, label, weights) for label in labels
    }
    return {
        "images": len(scores),
        "patients": len({p for p in patients if p is not None}) if patients is not None else None,
        "bootstrap": {"samples": samples, "level": LEVEL, "seed": seed},
        "classes": classes,
        "distractors": _summarise_distractors(scores),
    }


def _summarise_class(scores: Sequence[ImageScore], label: int, weights: NDArray[np.int64]) -> dict:
    """One class; images in which it was not annotated have weight 0 through undefined ratios."""
    parts = [score.classes.get(label) for score in scores]
    known = [part for part in parts if part is not None]
    names = dict.fromkeys(name for part in known for name in part.ratios)
    ratios = {
        name: [part.ratios.get(name, UNDEFINED) if part else UNDEFINED for part in parts] for name in names
    }
    rankings = [part.ranking if part else Ranking.empty() for part in parts]
    every_score = np.concatenate([part.ranking.scores for part in known])
    return {
        "images": len(known),
        "truths": sum(part.truths for part in known),
        "predictions": sum(part.predictions for part in known),
        "scores": {name: _summarise_ratio(values, weights) for name, values in ratios.items()},
        "ap": _summarise_ap(rankings, weights),
        "by_degree": {name: _summarise_degree(known, name) for name in DEGREE_NAMES},
        "calibration": calibration(every_score, np.concatenate([part.matched_iou for part in known])),
    }


def _summarise_ratio(ratios: Sequence[Ratio], weights: NDArray[np.int64]) -> dict:
    parts = np.array(ratios, dtype=np.float64)  # (images, 2)
    defined = parts[:, 1] > 0
    own = np.divide(parts[:, 0], parts[:, 1], out=np.zeros(len(parts)), where=defined)
    total = pool(ratios)
    return {
        "pooled": _estimate(parts[:, 0], parts[:, 1], weights)
        | {"numerator": float(total.numerator), "denominator": float(total.denominator)},
        "image_mean": _estimate(own, defined.astype(float), weights) | {"images": int(defined.sum())},
    }


def _estimate(numerators: NDArray, denominators: NDArray, weights: NDArray[np.int64]) -> dict:
    """Sum over sum, and its interval over the samples of `weights` (samples, images)."""
    above, below = weights @ numerators, weights @ denominators
    values = np.divide(above, below, out=np.full(len(weights), np.nan), where=below > 0)
    low, high = interval(values)
    return {"value": Ratio(numerators.sum(), denominators.sum()).value, "low": low, "high": high}


def _summarise_ap(rankings: Sequence[Ranking], weights: NDArray[np.int64]) -> dict:
    pooled = PooledRanking.of(rankings)
    value = pooled.average_precision()
    if value is None:
        return {name: {"value": None, "low": None, "high": None} for name in ("ap", "ap50", "ap75")}
    drawn = [pooled.average_precision(sample) for sample in weights]
    table = np.array([row for row in drawn if row is not None])  # (samples, 10)
    columns = {"ap": slice(None), "ap50": slice(0, 1), "ap75": slice(5, 6)}
    result = {}
    for name, part in columns.items():
        low, high = interval(table[:, part].mean(axis=1))
        result[name] = {"value": float(value[part].mean()), "low": low, "high": high}
    return result


def _summarise_degree(parts: Sequence[ClassScore], degree: str) -> dict:
    names = ("recall", "f1", "aji")
    totals = {name: pool(part.by_degree[degree][name] for part in parts) for name in names}
    counts = {"truths": int(totals["recall"].denominator), "found": int(totals["recall"].numerator)}
    return counts | {name: total.value for name, total in totals.items()}


def _summarise_distractors(scores: Sequence[ImageScore]) -> dict:
    """For each kind its number and, per class, the false finds that it drew."""
    present = sum((score.distractors for score in scores), Counter())
    drawn: dict[str, Counter[str]] = {}
    for score in scores:
        for label, part in score.classes.items():
            drawn.setdefault(LABEL_NAMES.get(label, str(label)), Counter()).update(part.false_by_kind)
    kinds = sorted(present.keys() | {kind for counts in drawn.values() for kind in counts})
    return {kind: {"present": present[kind]} | {n: c[kind] for n, c in drawn.items()} for kind in kinds}
