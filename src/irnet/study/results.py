"""What a row scored: every figure of every class, over its seeds, with intervals by patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np

from irnet.cells import CYTOPLASM, LABEL_NAMES, Cuts
from irnet.metrics import ClassScore
from irnet.metrics.coco_ap import AP_NAMES, PooledRanking, Ranking
from irnet.metrics.degree import DEGREE_NAMES
from irnet.metrics.reliability import Reliability, reliability
from irnet.metrics.statistics import (
    Difference,
    Ratios,
    SeededEstimate,
    Weights,
    difference,
    image_mean,
    over_seeds,
    pooled,
    relative_gain,
)
from irnet.metrics.summary import Way
from irnet.study.rows import FIGURES, Row
from irnet.study.scoring import SeedScores, collect
from irnet.study.spread import share_spreads

CELL = LABEL_NAMES[CYTOPLASM]
OVERLAP_RECALL = f"overlap_recall/{CELL}"

Cost = Mapping[str, Any]  # of cost.json


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassResult:
    """One class of one row."""

    truths: int
    predictions: float  # mean over the seeds
    means: dict[str, SeededEstimate]  # name of a score -> mean of images
    pooled: dict[str, SeededEstimate]
    ap: dict[str, SeededEstimate]  # empty for a method without scores
    by_degree: dict[str, dict[str, SeededEstimate]]  # overlap degree -> name -> pooled
    false_finds: dict[str, float]  # kind of distractor -> mean over the seeds
    calibration: Reliability | None

    @property
    def ways(self) -> dict[Way, dict[str, SeededEstimate]]:
        """Every score of the class, by how images are put together."""
        return {"image_mean": self.means, "pooled": self.pooled, "ap": self.ap}

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "truths": self.truths,
            "predictions": self.predictions,
            **{way: _plain(scores) for way, scores in self.ways.items()},
            "by_degree": {degree: _plain(scores) for degree, scores in self.by_degree.items()},
            "false_finds": self.false_finds,
            "calibration": self.calibration and self.calibration.to_json(),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class RowResult:
    """One row over all seeds that are finished."""

    row: Row
    scores: tuple[SeedScores, ...]
    planned: int  # seeds, from 0 on
    classes: dict[str, ClassResult]  # by name
    costs: tuple[Cost, ...]  # of each seed
    weights: Weights  # (samples, images): the same for every row

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(seed.seed for seed in self.scores)

    @property
    def cuts(self) -> tuple[Cuts, ...]:
        """The thresholds of each seed."""
        return tuple(seed.cuts for seed in self.scores)

    def estimate(self, figure: str, way: Way = "image_mean") -> SeededEstimate | None:
        """A figure such as aji/cytoplasm, by default the mean of images, as in the paper; None if unknown."""
        score, _, name = figure.partition("/")
        return self.classes[name].ways[way].get(score) if name in self.classes else None

    def as_planned(self, estimate: SeededEstimate) -> SeededEstimate:
        """A figure of this row with a value for each planned seed, None where that is not finished."""
        found = dict(zip(self.seeds, estimate.seeds, strict=True))
        return replace(estimate, seeds=tuple(found.get(seed) for seed in range(self.planned)))

    def of_seeds(self, seeds: Sequence[int]) -> RowResult:
        """The row over some of its seeds."""
        if tuple(seeds) == self.seeds:
            return self
        places = [self.seeds.index(seed) for seed in seeds]
        scores, costs = [self.scores[i] for i in places], [self.costs[i] for i in places]
        return row_result(self.row, scores, costs, self.weights, planned=self.planned)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "key": self.row.key,
            "title": self.row.title,
            "note": self.row.note,
            "paper": dict(self.row.paper),
            "seeds": [*self.seeds],
            "seeds_planned": self.planned,
            "thresholds": [_by_name(cuts) for cuts in self.cuts],
            "classes": {name: part.to_json() for name, part in self.classes.items()},
            "costs": [dict(cost) for cost in self.costs],
        }


def row_result(
    row: Row, scores: Sequence[SeedScores], costs: Sequence[Cost], weights: Weights, *, planned: int
) -> RowResult:
    """Put the scores of a row's seeds together, of so many that are `planned`.

    `weights` (samples, images) are of `patient_weights`.
    """
    labels = sorted({label for seed in scores for image in seed.images for label in image.classes})

    return RowResult(
        row=row,
        scores=tuple(scores),
        planned=planned,
        classes={LABEL_NAMES[label]: _class_result(row, scores, label, weights) for label in labels},
        costs=tuple(costs),
        weights=weights,
    )


def share_seeds(result: RowResult, control: RowResult | None) -> tuple[RowResult, RowResult] | None:
    """A row and its control over the seeds that are finished in both; None without such a pair.

    Another seed of one of them is no difference between methods. A row without seeds stands beside all.
    """
    if control is None or control.row == result.row:
        return None
    if not (result.row.has_seeds and control.row.has_seeds):
        return result, control
    shared = [seed for seed in result.seeds if seed in control.seeds]
    return (result.of_seeds(shared), control.of_seeds(shared)) if shared else None


def compare_rows(results: Sequence[RowResult], control: RowResult | None) -> dict[str, dict[str, Difference]]:
    """Paired differences to the control row, by key: of each figure of the main table, and overlap recall.

    Rows with seeds share one spread over them. A row without a seed in common with the control has none.
    """
    found = {result.row.key: _compare(result, control) for result in results}
    seeded = {result.row.key: found[result.row.key] for result in results if result.row.has_seeds}
    return found | share_spreads(seeded)


def _compare(result: RowResult, control: RowResult | None) -> dict[str, Difference]:
    pair = share_seeds(result, control)
    if pair is None:
        return {}
    result, control = pair
    ways: dict[str, Way] = {**dict.fromkeys(FIGURES, "image_mean"), OVERLAP_RECALL: "pooled"}
    found = {}
    for figure, way in ways.items():
        ours, theirs = result.estimate(figure, way), control.estimate(figure, way)
        if ours is not None and theirs is not None:
            found[figure] = difference(result.as_planned(ours), control.as_planned(theirs))
    return {figure: part for figure, part in found.items() if part.value is not None}


def gains(result: RowResult, control: RowResult | None) -> dict[str, dict[str, float | None]]:
    """Relative gain of each figure over the control row: ours, and the paper's."""
    pair = share_seeds(result, control)
    if pair is None:
        return {}
    result, control = pair

    shares = {}
    for figure in FIGURES:
        shares[figure] = {
            "ours": relative_gain(_value(result.estimate(figure)), _value(control.estimate(figure))),
            "paper": relative_gain(result.row.paper.get(figure), control.row.paper.get(figure)),
        }
    return shares


def _class_result(row: Row, scores: Sequence[SeedScores], label: int, weights: Weights) -> ClassResult:
    seeds = [_parts(seed, label) for seed in scores]
    every = _all(seeds)
    tables = _ratios(scores, label)
    false = sum((part.false_by_kind for part in every), Counter())

    return ClassResult(
        truths=sum(part.truths for part in seeds[0]),
        predictions=sum(part.predictions for part in every) / len(scores),
        means={name: image_mean(table, weights) for name, table in tables.items()},
        pooled={name: pooled(table, weights) for name, table in tables.items()},
        ap=_precisions(seeds) if row.scored else {},
        by_degree={degree: _by_degree(scores, label, degree, weights) for degree in DEGREE_NAMES},
        false_finds={kind: count / len(scores) for kind, count in sorted(false.items())},
        calibration=_calibration(every) if row.scored else None,
    )


def _ratios(scores: Sequence[SeedScores], label: int) -> dict[str, Ratios]:
    """Every score of a class in each image and seed, (seeds, images, 2)."""
    parts = _all([_parts(seed, label) for seed in scores])
    names = dict.fromkeys(name for part in parts for name in part.ratios)
    return {name: collect(scores, label, lambda part, name=name: part.ratios.get(name)) for name in names}


def _by_degree(
    scores: Sequence[SeedScores], label: int, degree: str, weights: Weights
) -> dict[str, SeededEstimate]:
    """The pooled scores of a class at one overlap degree."""
    parts = _all([_parts(seed, label) for seed in scores])
    names = dict.fromkeys(name for part in parts for name in part.by_degree[degree])

    estimates = {}
    for name in names:
        table = collect(scores, label, lambda part, name=name: part.by_degree[degree].get(name))
        estimates[name] = pooled(table, weights)
    return estimates


def _precisions(seeds: Sequence[Sequence[ClassScore]]) -> dict[str, SeededEstimate]:
    """Average precision of each seed over all its images; seeds are never pooled."""
    rankings = [PooledRanking.of(list(map(attrgetter("ranking"), seed))) for seed in seeds]
    tables = [ranking.average_precision() for ranking in rankings]  # (10,) each, None without a truth

    estimates = {}
    for name, thresholds in AP_NAMES.items():
        values = [None if table is None else float(table[thresholds].mean()) for table in tables]
        estimates[name] = over_seeds(values)
    return estimates


def _calibration(parts: Sequence[ClassScore]) -> Reliability:
    """Of the predictions of all seeds."""
    rankings = [Ranking.empty(), *(part.ranking for part in parts)]
    reached = [np.zeros(0), *(part.matched_iou for part in parts)]
    return reliability(np.concatenate([ranking.scores for ranking in rankings]), np.concatenate(reached))


def _parts(seed: SeedScores, label: int) -> list[ClassScore]:
    """The class in each image in which it was annotated."""
    return [image.classes[label] for image in seed.images if label in image.classes]


def _all(seeds: Sequence[Sequence[ClassScore]]) -> list[ClassScore]:
    return [part for seed in seeds for part in seed]


def _by_name(cuts: Cuts) -> dict[str, float]:
    return {LABEL_NAMES[label]: cut for label, cut in cuts.items()}


def _plain(estimates: Mapping[str, SeededEstimate]) -> dict[str, Any]:
    return {name: estimate.to_json() for name, estimate in estimates.items()}


def _value(estimate: SeededEstimate | None) -> float | None:
    return None if estimate is None else estimate.value
