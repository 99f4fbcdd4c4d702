"""Scores of a set of images, with bootstrap intervals: `summarise`."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES
from irnet.errors import InputError
from irnet.metrics.bootstrap import LEVEL, SAMPLES, interval, sample_weights
from irnet.metrics.calibration import calibration
from irnet.metrics.coco_ap import AP_NAMES, IOU_THRESHOLDS, PooledRanking, Ranking
from irnet.metrics.degree import DEGREE_NAMES
from irnet.metrics.distractors import ELSEWHERE
from irnet.metrics.image import ClassScore, ImageScore
from irnet.metrics.ratio import Ratio

UNDEFINED = Ratio(0, 0)


def summarise(
    scores: Sequence[ImageScore],
    patients: Sequence[str | None] | None = None,
    seed: int = 0,
    samples: int = SAMPLES,
    *,
    scored: bool = True,
) -> dict:
    """Scores of a set of images as plain JSON values; what is undefined is None.

    Each score has its mean over the images where it is defined and its pooled value, each with a 95 %
    bootstrap interval over images, or over patients where `patients` names them. `seed` makes it repeatable.
    Predictions of a method that gives no scores are not `scored`: AP, calibration and cuts are undefined.
    """
    if patients is not None and len(patients) != len(scores):
        raise InputError(
            f"{len(scores)} images, but {len(patients)} patients: name one for each image, or None"
        )
    weights = sample_weights(len(scores), patients, seed=seed, samples=samples)
    labels = sorted({label for score in scores for label in score.classes})
    columns = {_name(label): [score.classes.get(label) for score in scores] for label in labels}
    aps = {name: _bootstrap_ap(parts, weights) for name, parts in columns.items()} if scored else {}
    return {
        "images": len(scores),
        "patients": len({p for p in patients if p is not None}) if patients is not None else None,
        "scored": scored,
        "bootstrap": {"samples": len(weights), "level": LEVEL, "seed": seed},
        "classes": {
            name: _summarise_class(parts, weights) | _summarise_confidence(parts, aps.get(name))
            for name, parts in columns.items()
        },
        "links": _summarise_ratios([score.links for score in scores], weights),
        "mean_ap": _summarise_ap(list(aps.values())),
        "distractors": _summarise_distractors(scores),
    }


def _name(label: int) -> str:
    return LABEL_NAMES.get(label, str(label))


def _summarise_class(parts: Sequence[ClassScore | None], weights: NDArray[np.int64]) -> dict:
    """One class over all images; None stands for an image in which it was not annotated."""
    known = [part for part in parts if part is not None]
    return {
        "images": len(known),
        "truths": sum(part.truths for part in known),
        "predictions": sum(part.predictions for part in known),
        "scores": _summarise_ratios([part.ratios if part else {} for part in parts], weights),
        "by_degree": {
            degree: {
                name: _pooled(values, weights)
                for name, values in _columns(
                    [part.by_degree[degree] if part else {} for part in parts]
                ).items()
            }
            for degree in DEGREE_NAMES
        },
    }


def _summarise_confidence(parts: Sequence[ClassScore | None], ap: NDArray[np.float64] | None) -> dict:
    """What needs the scores of the predictions of one class; without a table of `ap` there are none."""
    known = [] if ap is None else [part for part in parts if part is not None]
    every_score = np.concatenate([np.zeros(0), *(part.ranking.scores for part in known)])
    reached = np.concatenate([np.zeros(0), *(part.matched_iou for part in known)])
    return {
        "operating_scores": sorted({part.operating_score for part in known}),
        "lowest_score": float(every_score.min()) if len(every_score) else None,
        "calibration": calibration(every_score, reached),
        "ap": _summarise_ap([] if ap is None else [ap]),
    }


def _summarise_ratios(images: Sequence[dict[str, Ratio]], weights: NDArray[np.int64]) -> dict:
    """Pooled value and mean of the images of every score."""
    return {
        name: {"pooled": _pooled(values, weights), "image_mean": _image_mean(values, weights)}
        for name, values in _columns(images).items()
    }


def _columns(images: Sequence[dict[str, Ratio]]) -> dict[str, list[Ratio]]:
    """Each score's ratio in every image, undefined where the image has none."""
    names = dict.fromkeys(name for ratios in images for name in ratios)
    return {name: [ratios.get(name, UNDEFINED) for ratios in images] for name in names}


def _pooled(ratios: Sequence[Ratio], weights: NDArray[np.int64]) -> dict:
    """Sum of numerators over sum of denominators."""
    above, below = np.array(ratios, dtype=np.float64).T  # (images,) each
    totals = {"numerator": float(above.sum()), "denominator": float(below.sum())}
    return _estimate(above, below, weights) | totals


def _image_mean(ratios: Sequence[Ratio], weights: NDArray[np.int64]) -> dict:
    """Mean over the images in which the ratio is defined."""
    values = [ratio.value for ratio in ratios]
    defined = np.array([value is not None for value in values], dtype=np.float64)
    own = np.array([value or 0.0 for value in values])
    return _estimate(own, defined, weights) | {"images": int(defined.sum())}


def _estimate(above: NDArray, below: NDArray, weights: NDArray[np.int64]) -> dict:
    """Sum over sum, and its interval over the samples of `weights` (samples, images)."""
    drawn_above, drawn_below = weights @ above, weights @ below
    drawn = np.divide(drawn_above, drawn_below, out=np.full(len(weights), np.nan), where=drawn_below > 0)
    low, high = interval(drawn)
    return {"value": Ratio(above.sum(), below.sum()).value, "low": low, "high": high}


def _bootstrap_ap(parts: Sequence[ClassScore | None], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """AP at each IoU threshold, (1 + samples, 10): of the images, then of each sample of them."""
    pooled = PooledRanking.of([part.ranking if part else Ranking.empty() for part in parts])
    undefined = np.full(len(IOU_THRESHOLDS), np.nan)
    rows = [pooled.average_precision(), *(pooled.average_precision(sample) for sample in weights)]
    return np.array([undefined if row is None else row for row in rows])


def _summarise_ap(classes: Sequence[NDArray[np.float64]]) -> dict:
    """Mean AP over the classes that have a truth, with its interval; one class gives its own."""
    known = [table for table in classes if not np.isnan(table[0]).any()]
    if not known:
        return {name: {"value": None, "low": None, "high": None} for name in AP_NAMES}
    stacked = np.array(known)  # (classes, 1 + samples, 10)
    result = {}
    for name, thresholds in AP_NAMES.items():
        means = stacked[:, :, thresholds].mean(axis=(0, 2))  # (1 + samples,)
        low, high = interval(means[1:])
        result[name] = {"value": float(means[0]), "low": low, "high": high}
    return result


def _summarise_distractors(scores: Sequence[ImageScore]) -> dict:
    """For each kind its number (None for "elsewhere") and, per class, the false finds that it drew."""
    present = sum((score.distractors for score in scores), Counter())
    drawn: dict[str, Counter[str]] = {}
    for score in scores:
        for label, part in score.classes.items():
            drawn.setdefault(_name(label), Counter()).update(part.false_by_kind)
    kinds = [*sorted(present), ELSEWHERE] if present else []
    return {kind: {"present": present.get(kind)} | {n: c[kind] for n, c in drawn.items()} for kind in kinds}
