"""Two methods on the same images: what the second scores less the first, in the same bootstrap samples."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from irnet.cells import LABEL_NAMES
from irnet.errors import InputError
from irnet.metrics.coco_ap import AP_NAMES
from irnet.metrics.image import ImageScore
from irnet.metrics.image_set import Parts, Precisions, column_of, precisions_of, tables_of
from irnet.metrics.links import PARTS, PLACES
from irnet.metrics.ratio import Ratio
from irnet.metrics.statistics import (
    LEVEL,
    SAMPLES,
    Difference,
    Estimate,
    Ratios,
    SeededEstimate,
    Weights,
    difference,
    image_mean,
    interval,
    pooled,
    sample_weights,
)
from irnet.metrics.summary import Bootstrap, Way

PUT_TOGETHER: dict[Way, Callable[[Ratios, Weights], SeededEstimate]] = {
    "image_mean": image_mean,
    "pooled": pooled,
}


@dataclass(frozen=True, kw_only=True)
class PairedScore:
    """A score of both methods, and of the second less the first."""

    first: Estimate
    second: Estimate
    difference: Difference

    @classmethod
    def of(cls, first: SeededEstimate, second: SeededEstimate) -> "PairedScore":
        """From the scores in the same samples."""
        return cls(first=first, second=second, difference=difference(second, first))

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference leaves 0 out.

        One without width comes from the one patient in whom the score is defined, and says nothing.
        """
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and low < high and (low > 0 or high < 0)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        sides = {"first": self.first, "second": self.second, "difference": self.difference}
        values: dict[str, Any] = {}
        for name, part in sides.items():
            values[name] = {"value": part.value, "low": part.low, "high": part.high}
        values["difference"]["resolvable"] = self.difference.resolvable
        return values


FEW = 10  # patients or images: intervals of fewer are too narrow
SHOWN: tuple[tuple[str, str, Way], ...] = (  # title, score, how images are put together
    ("AJI, mean of images", "aji", "image_mean"),
    ("AJI, pooled", "aji", "pooled"),
    ("F1, mean of images", "f1", "image_mean"),
    ("F1, pooled", "f1", "pooled"),
    ("precision", "precision", "pooled"),
    ("recall at IoU .5", "recall", "pooled"),
    ("recall at IoU .7", "recall_70", "pooled"),
    ("duplicates per truth (less is better)", "duplicates", "pooled"),
    ("mask AP .50:.95", "ap", "ap"),
    ("mask AP .50", "ap50", "ap"),
    ("mask AP .75", "ap75", "ap"),
    ("overlap recall", "overlap_recall", "pooled"),
    ("overlap precision", "overlap_precision", "pooled"),
    ("outline distance, um (less is better)", "boundary_mean_um", "pooled"),
    ("outline distance, px (less is better)", "boundary_mean_px", "pooled"),
    ("boundary IoU", "boundary_iou", "pooled"),
)
SHOWN_LINKS: tuple[tuple[str, str, Way], ...] = tuple(
    (f"{title}: {where}", f"link_{part}{place}", "pooled")
    for place, where in PLACES.items()
    for part, title in PARTS.items()
)

PairedScores = dict[str, dict[Way, PairedScore]]  # name of a score -> how images are put together


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Scores of two methods on one set of images."""

    images: int
    patients: int | None  # None where the images name none
    bootstrap: Bootstrap
    classes: dict[str, PairedScores]  # by name
    links: PairedScores
    remarks: tuple[str, ...] = ()  # on what could not be compared

    @property
    def intervals(self) -> str:
        """Where the intervals come from."""
        of = "patients" if self.patients else "images"
        if not self.bootstrap.samples:
            return f"too few {of} for intervals"
        drawn = self.bootstrap
        text = f"{drawn.level:.0%} intervals from {drawn.samples} samples of {of}, the same for A and B"
        few = (self.patients or self.images) < FEW
        return f"{text}; of fewer than {FEW} {of} they are too narrow" if few else text

    def tables(self) -> Iterator[tuple[str, list[tuple[str, PairedScore]]]]:
        """What people look at: a title, and the scores that are defined, each with its name."""
        for name, scores in self.classes.items():
            yield name, [*_shown(scores, SHOWN)]
        if links := [*_shown(self.links, SHOWN_LINKS)]:
            yield "nuclei linked to cells", links

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        drawn = self.bootstrap
        return {
            "images": self.images,
            "patients": self.patients,
            "bootstrap": {"samples": drawn.samples, "level": drawn.level, "seed": drawn.seed},
            "classes": {name: _plain(scores) for name, scores in self.classes.items()},
            "links": _plain(self.links),
            "remarks": list(self.remarks),
        }


def compare_sets(
    first: Sequence[ImageScore],
    second: Sequence[ImageScore],
    patients: Sequence[str | None] | None = None,
    *,
    seed: int = 0,
    samples: int = SAMPLES,
    scored: bool = True,
) -> Comparison:
    """Compare the scores of two methods on the same images, in the same order.

    Args:
        first, second: of each image, from `score_image`.
        patients: of each image, or None; samples are then of patients instead of images.
        seed: of the bootstrap, whose samples are those of `summarise`.
        samples: of the bootstrap.
        scored: whether both methods give scores; there is no AP without.

    Raises:
        InputError: the two are not of as many images.
    """
    if len(first) != len(second):
        raise InputError(f"scores of {len(first)} and of {len(second)} images: compare the same images")
    weights = sample_weights(len(first), patients, seed=seed, samples=samples)
    labels = _labels_of(first) & _labels_of(second)

    classes = {}
    for label in sorted(labels):
        parts = column_of(first, label), column_of(second, label)
        scores = _pair(_ratios_of(parts[0]), _ratios_of(parts[1]), weights)
        if scored:
            scores |= _pair_precisions(parts, weights)
        classes[LABEL_NAMES[label]] = scores

    known = {patient for patient in patients or () if patient is not None}
    return Comparison(
        images=len(first),
        patients=len(known) or None,
        bootstrap=Bootstrap(samples=len(weights), level=LEVEL, seed=seed),
        classes=classes,
        links=_pair([score.links for score in first], [score.links for score in second], weights),
    )


def _labels_of(scores: Sequence[ImageScore]) -> set[int]:
    return {label for score in scores for label in score.classes}


def _ratios_of(parts: Parts) -> list[dict[str, Ratio]]:
    """The scores of one class of each image, none where it is not annotated."""
    return [part.ratios if part else {} for part in parts]


def _pair(
    of_first: Sequence[dict[str, Ratio]], of_second: Sequence[dict[str, Ratio]], weights: Weights
) -> PairedScores:
    """Every score that both methods have."""
    first, second = tables_of(of_first), tables_of(of_second)
    scores: PairedScores = {}
    for name in first:
        if name in second:
            scores[name] = {
                way: PairedScore.of(put(first[name], weights), put(second[name], weights))
                for way, put in PUT_TOGETHER.items()
            }
    return scores


def _pair_precisions(parts: Sequence[Parts], weights: Weights) -> PairedScores:
    """Average precision over all images."""
    first, second = (precisions_of(side, weights) for side in parts)
    return {
        name: {"ap": PairedScore.of(_mean(first, chosen), _mean(second, chosen))}
        for name, chosen in AP_NAMES.items()
    }


def _mean(table: Precisions, thresholds: slice) -> SeededEstimate:
    """The mean over thresholds of IoU, with its value in every sample."""
    value, *draws = table[:, thresholds].mean(axis=1).tolist()  # (1 + samples,)
    low, high = interval(np.array(draws))
    known = None if np.isnan(value) else value
    return SeededEstimate(value=known, low=low, high=high, seeds=(known,), draws=np.array(draws))


def _shown(scores: PairedScores, chosen: Iterable[tuple[str, str, Way]]) -> Iterator[tuple[str, PairedScore]]:
    for title, name, way in chosen:
        part = scores.get(name, {}).get(way)
        if part is not None and (part.first.value is not None or part.second.value is not None):
            yield title, part


def _plain(scores: PairedScores) -> dict[str, Any]:
    return {name: {way: part.to_json() for way, part in by_way.items()} for name, by_way in scores.items()}
