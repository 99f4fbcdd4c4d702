"""All scores of a set of images, with bootstrap intervals: `summarise`."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES
from irnet.errors import InputError
from irnet.metrics.coco_ap import AP_NAMES, IOU_THRESHOLDS, PooledRanking, Ranking
from irnet.metrics.degree import DEGREE_NAMES
from irnet.metrics.distractors import ELSEWHERE
from irnet.metrics.image import ClassScore, ImageScore
from irnet.metrics.ratio import Ratio
from irnet.metrics.reliability import reliability
from irnet.metrics.statistics import (
    LEVEL,
    SAMPLES,
    Estimate,
    Ratios,
    Weights,
    image_mean,
    interval,
    pooled,
    sample_weights,
)
from irnet.metrics.summary import (
    Bootstrap,
    ClassSummary,
    MeanEstimate,
    PooledEstimate,
    PrecisionSummary,
    ScoreSummary,
    Summary,
)

UNDEFINED = Ratio(0, 0)

Parts = Sequence[ClassScore | None]  # one class in every image, None where it was not annotated
Precisions = NDArray[np.float64]  # (1 + samples, 10) AP at each IoU of the images, then of samples of them


def summarise(
    scores: Sequence[ImageScore],
    patients: Sequence[str | None] | None = None,
    seed: int = 0,
    samples: int = SAMPLES,
    *,
    scored: bool = True,
) -> Summary:
    """Put the scores of images together, with intervals.

    Args:
        scores: of each image, from `score_image`.
        patients: of each image, or None; intervals are then over patients instead of images.
        seed: makes the intervals repeatable.
        samples: of the bootstrap.
        scored: whether the method gives scores; AP, calibration and cuts are undefined without.

    Returns:
        `Summary`: each score has its mean over the images where it is defined and its pooled value, each with
        a 95 % bootstrap interval; what is undefined is None. `to_json` gives summary.json.

    Raises:
        InputError: there is not a patient, or None, for each image.

    Example:
        >>> import irnet
        >>> truths = [irnet.generate(seed, size=(200, 200), mpp=0.5, count=2)[1] for seed in (1, 2)]
        >>> scores = [irnet.score_image(truth, truth.cells) for truth in truths]
        >>> irnet.summarise(scores).classes["nucleus"].scores["f1"].pooled.value
        1.0
    """
    if patients is not None and len(patients) != len(scores):
        raise InputError(
            f"{len(scores)} images, but {len(patients)} patients: name one for each image, or None"
        )

    weights = sample_weights(len(scores), patients, seed=seed, samples=samples)
    labels = sorted({label for score in scores for label in score.classes})
    columns: dict[int, Parts] = {label: column_of(scores, label) for label in labels}
    precisions = {label: precisions_of(parts, weights) for label, parts in columns.items()} if scored else {}

    return Summary(
        images=len(scores),
        patients=len({p for p in patients or () if p is not None}) or None,
        scored=scored,
        bootstrap=Bootstrap(samples=len(weights), level=LEVEL, seed=seed),
        classes={
            _name(label): _summarise_class(parts, precisions.get(label), weights)
            for label, parts in columns.items()
        },
        links=_summarise_ratios([score.links for score in scores], weights),
        mean_ap=_summarise_precisions(list(precisions.values())),
        distractors=_summarise_distractors(scores),
    )


def column_of(scores: Sequence[ImageScore], label: int) -> Parts:
    return [score.classes.get(label) for score in scores]


def _name(label: int) -> str:
    return LABEL_NAMES.get(label, str(label))


def _summarise_class(parts: Parts, precisions: Precisions | None, weights: Weights) -> ClassSummary:
    """One class over all images; without `precisions` its predictions have no scores."""
    known = [part for part in parts if part is not None]
    with_scores = known if precisions is not None else []
    every_score = np.concatenate([np.zeros(0), *(part.ranking.scores for part in with_scores)])
    reached = np.concatenate([np.zeros(0), *(part.matched_iou for part in with_scores)])

    return ClassSummary(
        images=len(known),
        truths=sum(part.truths for part in known),
        predictions=sum(part.predictions for part in known),
        scores=_summarise_ratios([part.ratios if part else {} for part in parts], weights),
        by_degree={degree: _summarise_degree(parts, degree, weights) for degree in DEGREE_NAMES},
        operating_scores=sorted({part.operating_score for part in with_scores}),
        lowest_score=float(every_score.min()) if len(every_score) else None,
        calibration=reliability(every_score, reached),
        ap=_summarise_precisions([] if precisions is None else [precisions]),
    )


def _summarise_degree(parts: Parts, degree: str, weights: Weights) -> dict[str, PooledEstimate]:
    """Pooled scores of the truths of one overlap degree."""
    tables = tables_of([part.by_degree[degree] if part else {} for part in parts])
    return {name: _pooled(table, weights) for name, table in tables.items()}


def _summarise_ratios(images: Sequence[dict[str, Ratio]], weights: Weights) -> dict[str, ScoreSummary]:
    """Pooled value and mean of the images of every score."""
    return {
        name: ScoreSummary(pooled=_pooled(table, weights), image_mean=_image_mean(table, weights))
        for name, table in tables_of(images).items()
    }


def tables_of(images: Sequence[dict[str, Ratio]]) -> dict[str, Ratios]:
    """Each score's ratio in every image, (1, images, 2), undefined where the image has none."""
    names = dict.fromkeys(name for ratios in images for name in ratios)
    return {name: _table(images, name) for name in names}


def _table(images: Sequence[dict[str, Ratio]], name: str) -> Ratios:
    return np.array([[ratios.get(name, UNDEFINED) for ratios in images]], dtype=np.float64)


def _pooled(table: Ratios, weights: Weights) -> PooledEstimate:
    """Sum of numerators over sum of denominators."""
    found = pooled(table, weights)
    above, below = table[0].T  # (images,) each
    return PooledEstimate(
        value=found.value,
        low=found.low,
        high=found.high,
        numerator=float(above.sum()),
        denominator=float(below.sum()),
    )


def _image_mean(table: Ratios, weights: Weights) -> MeanEstimate:
    """Mean over the images in which the ratio is defined."""
    found = image_mean(table, weights)
    defined = int(np.count_nonzero(table[0, :, 1]))
    return MeanEstimate(value=found.value, low=found.low, high=found.high, images=defined)


def precisions_of(parts: Parts, weights: Weights) -> Precisions:
    """AP at each IoU threshold, (1 + samples, 10): of the images, then of each sample of them."""
    ranking = PooledRanking.of([part.ranking if part else Ranking.empty() for part in parts])
    undefined = np.full(len(IOU_THRESHOLDS), np.nan)
    rows = [ranking.average_precision(), *(ranking.average_precision(sample) for sample in weights)]
    return np.array([undefined if row is None else row for row in rows])


def _summarise_precisions(classes: Sequence[Precisions]) -> PrecisionSummary:
    """Mean AP over the classes that have a truth, with its interval; one class gives its own."""
    known = [table for table in classes if not np.isnan(table[0]).any()]
    if not known:
        return PrecisionSummary(**dict.fromkeys(AP_NAMES, Estimate(value=None)))

    stacked = np.array(known)  # (classes, 1 + samples, 10)
    estimates = {}
    for name, thresholds in AP_NAMES.items():
        means = stacked[:, :, thresholds].mean(axis=(0, 2))  # (1 + samples,)
        low, high = interval(means[1:])
        estimates[name] = Estimate(value=float(means[0]), low=low, high=high)
    return PrecisionSummary(**estimates)


def _summarise_distractors(scores: Sequence[ImageScore]) -> dict[str, dict[str, int | None]]:
    """For each kind its number (None for "elsewhere") and, per class, the false finds that it drew."""
    present = sum((score.distractors for score in scores), Counter())
    if not present:
        return {}

    drawn: dict[str, Counter[str]] = {}
    for score in scores:
        for label, part in score.classes.items():
            drawn.setdefault(_name(label), Counter()).update(part.false_by_kind)

    summary: dict[str, dict[str, int | None]] = {}
    for kind in [*sorted(present), ELSEWHERE]:
        counts = {name: found[kind] for name, found in drawn.items()}
        summary[kind] = {"present": present.get(kind), **counts}
    return summary
