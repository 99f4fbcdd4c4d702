"""What a row scored: every figure of every class, over its seeds, with intervals by patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, LABEL_NAMES, Cuts
from irnet.metrics import ClassScore
from irnet.metrics.calibration import calibration
from irnet.metrics.coco_ap import AP_NAMES, PooledRanking, Ranking
from irnet.metrics.degree import DEGREE_NAMES
from irnet.study.compare import (
    Difference,
    Estimate,
    difference,
    image_mean,
    over_seeds,
    pooled,
    relative_gain,
)
from irnet.study.rows import FIGURES, Row
from irnet.study.scoring import SeedScores, collect

CELL = LABEL_NAMES[CYTOPLASM]
OVERLAP_RECALL = f"overlap_recall/{CELL}"

Weights = NDArray[np.int64]  # (samples, images)
Cost = Mapping[str, Any]  # of cost.json


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassResult:
    """One class of one row."""

    truths: int
    predictions: float  # mean over the seeds
    means: dict[str, Estimate]  # name of a score -> mean of images
    pooled: dict[str, Estimate]
    ap: dict[str, Estimate]  # empty for a method without scores
    by_degree: dict[str, dict[str, Estimate]]  # overlap degree -> name -> pooled
    false_finds: dict[str, float]  # kind of distractor -> mean over the seeds
    calibration: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "truths": self.truths,
            "predictions": self.predictions,
            "image_mean": _plain(self.means),
            "pooled": _plain(self.pooled),
            "ap": _plain(self.ap),
            "by_degree": {degree: _plain(scores) for degree, scores in self.by_degree.items()},
            "false_finds": self.false_finds,
            "calibration": self.calibration,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class RowResult:
    """One row over all seeds that are finished."""

    row: Row
    seeds: tuple[int, ...]
    cuts: tuple[Cuts, ...]  # of each seed
    classes: dict[str, ClassResult]  # by name
    costs: tuple[Cost, ...]  # of each seed

    def main(self, figure: str) -> Estimate | None:
        """A figure of the main table, such as aji/cytoplasm: the mean of images, as in the paper."""
        score, _, name = figure.partition("/")
        return self.classes[name].means.get(score) if name in self.classes else None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "key": self.row.key,
            "title": self.row.title,
            "note": self.row.note,
            "paper": dict(self.row.paper),
            "seeds": [*self.seeds],
            "thresholds": [{LABEL_NAMES[label]: cut for label, cut in cuts.items()} for cuts in self.cuts],
            "classes": {name: part.to_json() for name, part in self.classes.items()},
            "costs": [dict(cost) for cost in self.costs],
        }


def row_result(row: Row, scores: Sequence[SeedScores], costs: Sequence[Cost], weights: Weights) -> RowResult:
    """Put the scores of a row's seeds together; `weights` are those of `scoring.patient_weights`."""
    labels = sorted({label for seed in scores for image in seed.images for label in image.classes})
    return RowResult(
        row=row,
        seeds=tuple(seed.seed for seed in scores),
        cuts=tuple(seed.cuts for seed in scores),
        classes={LABEL_NAMES[label]: _class_result(row, scores, label, weights) for label in labels},
        costs=tuple(costs),
    )


def compare_rows(result: RowResult, control: RowResult | None) -> dict[str, Difference]:
    """Paired difference of each figure of the main table to the control row, and of the overlap recall."""
    if control is None or control.row == result.row:
        return {}
    found = {}
    for figure in FIGURES:
        ours, theirs = result.main(figure), control.main(figure)
        if ours is not None and theirs is not None:
            found[figure] = difference(ours, theirs)
    if CELL in result.classes and CELL in control.classes:
        ours, theirs = (part.classes[CELL].pooled["overlap_recall"] for part in (result, control))
        found[OVERLAP_RECALL] = difference(ours, theirs)
    return {figure: part for figure, part in found.items() if part.value is not None}


def gains(result: RowResult, control: RowResult | None) -> dict[str, dict[str, float | None]]:
    """Relative gain of each figure over the control row: ours, and the paper's."""
    if control is None or control.row == result.row:
        return {}
    return {
        figure: {
            "ours": relative_gain(_value(result.main(figure)), _value(control.main(figure))),
            "paper": relative_gain(result.row.paper.get(figure), control.row.paper.get(figure)),
        }
        for figure in FIGURES
    }


def _class_result(row: Row, scores: Sequence[SeedScores], label: int, weights: Weights) -> ClassResult:
    parts = [_parts(seed, label) for seed in scores]
    names = dict.fromkeys(name for part in _all(parts) for name in part.ratios)
    ratios = {
        name: collect(scores, label, lambda part, name=name: part.ratios.get(name)) for name in names
    }  # (seeds, images, 2)
    false = sum((part.false_by_kind for part in _all(parts)), Counter())
    return ClassResult(
        truths=sum(part.truths for part in parts[0]),
        predictions=sum(part.predictions for part in _all(parts)) / len(scores),
        means={name: image_mean(table, weights) for name, table in ratios.items()},
        pooled={name: pooled(table, weights) for name, table in ratios.items()},
        ap=_precisions(parts) if row.scored else {},
        by_degree={degree: _by_degree(scores, label, degree, weights) for degree in DEGREE_NAMES},
        false_finds={kind: count / len(scores) for kind, count in sorted(false.items())},
        calibration=_calibration(parts) if row.scored else None,
    )


def _by_degree(
    scores: Sequence[SeedScores], label: int, degree: str, weights: Weights
) -> dict[str, Estimate]:
    parts = _all([_parts(seed, label) for seed in scores])
    names = dict.fromkeys(name for part in parts for name in part.by_degree[degree])
    return {
        name: pooled(
            collect(scores, label, lambda part, name=name: part.by_degree[degree].get(name)), weights
        )
        for name in names
    }


def _precisions(parts: Sequence[Sequence[ClassScore]]) -> dict[str, Estimate]:
    """Average precision of each seed over all its images; seeds are never pooled."""
    tables = [PooledRanking.of([part.ranking for part in seed]).average_precision() for seed in parts]
    return {
        name: over_seeds([None if table is None else float(table[which].mean()) for table in tables])
        for name, which in AP_NAMES.items()
    }


def _calibration(parts: Sequence[Sequence[ClassScore]]) -> dict[str, Any]:
    rankings = [Ranking.empty(), *(part.ranking for part in _all(parts))]
    reached = [np.zeros(0), *(part.matched_iou for part in _all(parts))]
    return calibration(np.concatenate([r.scores for r in rankings]), np.concatenate(reached))


def _parts(seed: SeedScores, label: int) -> list[ClassScore]:
    """The class in each image in which it was annotated."""
    return [image.classes[label] for image in seed.images if label in image.classes]


def _all(parts: Sequence[Sequence[ClassScore]]) -> list[ClassScore]:
    return [part for seed in parts for part in seed]


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.to_json() for name, estimate in estimates.items()}


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value
