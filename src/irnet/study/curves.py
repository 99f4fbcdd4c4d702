"""Curves of the score cut against F1 and AJI: what part of a gain is one of thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.files import write_text
from irnet.data.sample import Entry
from irnet.metrics.aji import aji
from irnet.metrics.ignore import outside_ignored
from irnet.metrics.match import Pairwise, match_iou
from irnet.metrics.ratio import Ratio
from irnet.metrics.statistics import SeededEstimate, Weights, image_mean
from irnet.report.plot import Line, Panel, draw_panels
from irnet.study.render import to_csv
from irnet.study.results import RowResult
from irnet.study.scoring import patient_weights

CUTS = np.round(np.arange(0.05, 0.96, 0.05), 2)
SCORES = {"f1": "F1", "aji": "AJI"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """F1 and AJI of one row at every cut, in each seed and image."""

    title: str
    seeds: tuple[int, ...]
    ratios: dict[tuple[str, int], NDArray[np.float64]]  # (score, label) -> (seeds, images, cuts, 2)
    weights: Weights  # (samples, images) of `patient_weights`: the same for every row

    def at(self, score: str, label: int, cut: float) -> SeededEstimate:
        """The mean of images at one of CUTS; its value is None where it is undefined."""
        return image_mean(self.ratios[score, label][:, :, CUTS.tolist().index(cut)], self.weights)

    def of_seeds(self, seeds: Sequence[int]) -> Sweep:
        """The row over some of its seeds."""
        places = [self.seeds.index(seed) for seed in seeds]
        ratios = {key: values[places] for key, values in self.ratios.items()}
        return replace(self, seeds=tuple(seeds), ratios=ratios)

    def ratio(self, score: str, label: int, cut: float, *, seed: int, image: int) -> Ratio:
        """That of one seed, by its place, and one image."""
        return Ratio(*self.ratios[score, label][seed, image, CUTS.tolist().index(cut)].tolist())

    def line(self, score: str, label: int) -> list[float | None]:
        """The mean of images at every cut."""
        return [self.at(score, label, cut).value for cut in CUTS.tolist()]


def sweep(title: str, entries: Sequence[Entry], found: Mapping[int, Sequence[Cells]]) -> Sweep:
    """Score the predictions of each seed (`found`, seed -> cells of each image) at every cut of CUTS."""
    shape = (len(found), len(entries), len(CUTS), 2)
    ratios = {(score, label): np.zeros(shape) for score in SCORES for label in LABEL_NAMES}  # undefined
    for place, images in enumerate(found.values()):
        for index, (entry, cells) in enumerate(zip(entries, images, strict=True)):
            for label in entry.content.annotated:
                scores = _image_scores(entry, cells, label)
                for score, values in scores.items():
                    ratios[score, label][place, index] = values
    return Sweep(title=title, seeds=tuple(found), ratios=ratios, weights=patient_weights(entries))


def write_curves(out: Path, name: str, sweeps: Sequence[Sweep], results: Sequence[RowResult]) -> None:
    """Write curves_NAME.csv and curves_NAME.svg; dots are the thresholds chosen on validation."""
    rows = [row for one in sweeps for row in _rows(one)]
    write_text(out / f"curves_{name}.csv", to_csv(rows))

    panels = [_panel(sweeps, results, score, label) for label in LABEL_NAMES for score in SCORES]
    write_text(out / f"curves_{name}.svg", draw_panels(panels, columns=len(SCORES)))


def _rows(one: Sweep) -> list[dict[str, Any]]:
    """A row for each class and cut, with every score there."""
    rows = []
    for label, name in LABEL_NAMES.items():
        lines = [one.line(score, label) for score in SCORES]
        for cut, *values in zip(CUTS.tolist(), *lines, strict=True):
            rows.append(
                {"row": one.title, "class": name, "cut": cut, **dict(zip(SCORES, values, strict=True))}
            )
    return rows


def _panel(sweeps: Sequence[Sweep], results: Sequence[RowResult], score: str, label: int) -> Panel:
    by_title = {result.row.title: result for result in results}
    lines = []
    for one in sweeps:
        result = by_title[one.title]
        estimate = result.estimate(f"{score}/{LABEL_NAMES[label]}")
        cuts = [seed[label] for seed in result.cuts if label in seed]
        chosen = (float(np.mean(cuts)), estimate.value) if cuts and estimate and estimate.value else None

        values = zip(CUTS.tolist(), one.line(score, label), strict=True)
        points = [(x, y) for x, y in values if y is not None]
        lines.append(Line(title=one.title, points=points, dot=chosen, dashed=not result.row.scored))
    return Panel(title=f"{SCORES[score]}, {LABEL_NAMES[label]}", x="score cut", lines=lines)


def _image_scores(entry: Entry, found: Cells, label: int) -> dict[str, list[Ratio]]:
    """F1 and AJI of one image at every cut."""
    truths, preds = (outside_ignored(c.of(label), entry.content.ignore) for c in (entry.content.cells, found))
    pairs = Pairwise.between(truths, preds)

    scores: dict[str, list[Ratio]] = {"f1": [], "aji": []}
    for cut in CUTS:
        kept = pairs.keep(preds.scores >= cut)
        n, m = len(kept.truth_areas), len(kept.pred_areas)
        scores["f1"].append(Ratio(2 * len(match_iou(kept)), n + m))
        scores["aji"].append(aji(kept))
    return scores
