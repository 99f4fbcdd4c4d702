"""Curves of the score cut against F1 and AJI: what part of a gain is one of thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.files import write_atomic
from irnet.data.sample import Entry
from irnet.metrics.aji import aji
from irnet.metrics.ignore import outside_ignored
from irnet.metrics.match import Pairwise, match_iou
from irnet.metrics.ratio import Ratio
from irnet.metrics.statistics import relative_gain
from irnet.report.plot import Line, Panel, draw_panels
from irnet.study.render import number, number_table, percent, to_csv
from irnet.study.results import RowResult
from irnet.study.rows import FIGURES, TITLES

LOOSE_CUT = 0.05  # from which the authors' later code keeps the boxes of every method
CUTS = np.round(np.arange(0.05, 0.96, 0.05), 2)
SCORES = {"f1": "F1", "aji": "AJI"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """Mean of images of one row's F1 and AJI at every cut, averaged over seeds."""

    title: str
    values: dict[tuple[str, int], NDArray[np.float64]]  # (score, label) -> (cuts,) nan where undefined

    def at(self, figure: str, cut: float = LOOSE_CUT) -> float | None:
        """A figure of the main table, such as aji/cytoplasm, at one of CUTS; None where it is undefined."""
        score, _, name = figure.partition("/")
        (label,) = (label for label in LABEL_NAMES if LABEL_NAMES[label] == name)
        return _plain(float(self.values[score, label][CUTS.tolist().index(cut)]))


def sweep(title: str, entries: Sequence[Entry], found: Sequence[Sequence[Cells]]) -> Sweep:
    """Score the predictions of each seed (`found`, one list of images each) at every cut of CUTS."""
    values = {}
    for label in LABEL_NAMES:
        tables = []
        for seed in found:
            for entry, cells in zip(entries, seed, strict=True):
                if label in entry.content.annotated:
                    tables.append(_image_scores(entry, cells, label))

        stacked = np.array(tables).reshape(-1, len(CUTS), len(SCORES))  # (seeds x images, cuts, 2)
        for index, name in enumerate(SCORES):
            values[name, label] = _mean(stacked[:, :, index])
    return Sweep(title=title, values=values)


def write_curves(out: Path, name: str, sweeps: Sequence[Sweep], results: Sequence[RowResult]) -> None:
    """Write curves_NAME.csv and curves_NAME.svg; dots are the thresholds chosen on validation."""
    rows = [row for one in sweeps for row in _rows(one)]
    write_atomic(out / f"curves_{name}.csv", to_csv(rows).encode())

    panels = [_panel(sweeps, results, score, label) for label in LABEL_NAMES for score in SCORES]
    write_atomic(out / f"curves_{name}.svg", draw_panels(panels, columns=len(SCORES)).encode())


def loose_table(sweeps: Sequence[Sweep], results: Sequence[RowResult], control: RowResult | None) -> str:
    """AJI and F1 of rows with scores at LOOSE_CUT, and their relative gains over the control row."""
    by_title = {one.title: one for one in sweeps}
    base = by_title.get(control.row.title) if control else None
    rows = []
    for result in results:
        if not result.row.scored:
            continue
        mine = by_title[result.row.title]
        rows.append([result.row.title, *(_loose(mine, base, figure) for figure in FIGURES)])
    return number_table(["row", *TITLES.values()], rows)


def _loose(mine: Sweep, base: Sweep | None, figure: str) -> str:
    """A figure at LOOSE_CUT, and its gain over the base, which has none over itself."""
    value = mine.at(figure)
    gain = relative_gain(value, base.at(figure)) if base and base is not mine else None
    return number(value) if gain is None else f"{number(value)} ({percent(gain)})"


def _rows(one: Sweep) -> list[dict[str, Any]]:
    """A row for each class and cut, with every score there."""
    rows = []
    for label, name in LABEL_NAMES.items():
        for index, cut in enumerate(CUTS):
            scores = {score: _plain(one.values[score, label][index]) for score in SCORES}
            rows.append({"row": one.title, "class": name, "cut": float(cut), **scores})
    return rows


def _panel(sweeps: Sequence[Sweep], results: Sequence[RowResult], score: str, label: int) -> Panel:
    by_title = {result.row.title: result for result in results}
    lines = []
    for one in sweeps:
        result = by_title[one.title]
        estimate = result.estimate(f"{score}/{LABEL_NAMES[label]}")
        cuts = [seed[label] for seed in result.cuts if label in seed]
        chosen = (float(np.mean(cuts)), estimate.value) if cuts and estimate and estimate.value else None

        points = [(float(x), float(y)) for x, y in zip(CUTS, one.values[score, label], strict=True) if y == y]
        lines.append(Line(title=one.title, points=points, dot=chosen, dashed=not result.row.scored))
    return Panel(title=f"{SCORES[score]}, {LABEL_NAMES[label]}", x="score cut", lines=lines)


def _image_scores(entry: Entry, found: Cells, label: int) -> list[tuple[float, float]]:
    """F1 and AJI of one image at every cut, nan where undefined."""
    truths, preds = (outside_ignored(c.of(label), entry.content.ignore) for c in (entry.content.cells, found))
    pairs = Pairwise.between(truths, preds)

    rows = []
    for cut in CUTS:
        kept = pairs.keep(preds.scores >= cut)
        n, m = len(kept.truth_areas), len(kept.pred_areas)
        rows.append((_number(Ratio(2 * len(match_iou(kept)), n + m)), _number(aji(kept))))
    return rows


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the images (images, cuts) in which the score is defined, (cuts,)."""
    known = np.isfinite(values)
    times = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(sums, times, out=np.full(len(times), np.nan), where=times > 0)


def _number(ratio: Ratio) -> float:
    return np.nan if ratio.value is None else ratio.value


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
