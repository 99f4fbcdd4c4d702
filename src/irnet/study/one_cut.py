"""One score cut for all rows, as the paper may have had it: what they gain without own thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from irnet.cells import LABEL_NAMES
from irnet.metrics.statistics import Difference, SeededEstimate, difference, relative_gain
from irnet.study.curves import Sweep
from irnet.study.render import PageSection, number, number_table, percent, with_bounds
from irnet.study.results import RowResult, share_seeds
from irnet.study.rows import FIGURES, TITLES
from irnet.study.sections import table_of_differences
from irnet.study.spread import share_spreads

ONE_CUTS = {  # why it is read
    0.05: "the authors' later code keeps all boxes from that score on",
    0.5: "the cut of `irnet predict` for weights that nobody calibrated",
}
_LABELS = {name: label for label, name in LABEL_NAMES.items()}


class CutRow(NamedTuple):
    """A row at the cut that all rows share."""

    title: str
    scores: dict[str, SeededEstimate]  # figure of the main table -> mean of images
    differences: dict[str, Difference]  # to the control row; empty for that itself
    gains: dict[str, float | None]  # relative, over the control row

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        scores = {figure: estimate.to_json() for figure, estimate in self.scores.items()}
        differences = {figure: part.to_json() for figure, part in self.differences.items()}
        return {"row": self.title, "scores": scores, "differences": differences, "gains": self.gains}


def rows_at(
    cut: float, sweeps: Sequence[Sweep], results: Sequence[RowResult], control: RowResult | None
) -> list[CutRow]:
    """Every row whose finds have scores, at one cut."""
    by_title = {one.title: one for one in sweeps}
    rows = []
    for result in results:
        title = result.row.title
        if result.row.scored:
            scores = _scores(cut, by_title[title], result)
            rows.append(CutRow(title, scores, *_against(cut, result, control, by_title)))

    compared = share_spreads({row.title: row.differences for row in rows})  # what has scores has seeds
    return [row._replace(differences=compared[row.title]) for row in rows]


def one_cut_sections(cut: float, rows: Sequence[CutRow], control: RowResult | None) -> list[PageSection]:
    """The parts of a page about one cut."""
    title = f"All rows from a score of {number(cut, 2)} on"
    main = PageSection(
        title,
        "Mean of images, and the relative gain over the control, without thresholds of their own: "
        f"{ONE_CUTS[cut]}. What a row gains here and not above, it gains by scores that are low where they "
        "should be, which a threshold gives as well.",
        number_table(["row", *TITLES.values()], [[row.title, *_texts(row)] for row in rows]),
    )
    if control is None:
        return [main]
    paired = table_of_differences({row.title: row.differences for row in rows})
    return [main, PageSection(f"{title}: paired difference to {control.row.title}", "", paired)]


def _scores(cut: float, one: Sweep, result: RowResult) -> dict[str, SeededEstimate]:
    scores = {}
    for figure in FIGURES:
        score, _, name = figure.partition("/")
        scores[figure] = result.as_planned(one.at(score, _LABELS[name], cut))
    return scores


def _against(
    cut: float, result: RowResult, control: RowResult | None, sweeps: Mapping[str, Sweep]
) -> tuple[dict[str, Difference], dict[str, float | None]]:
    """Differences and relative gains over the control row, in the seeds that both have."""
    pair = share_seeds(result, control)
    if pair is None:
        return {}, {}

    ours, base = (_scores(cut, sweeps[one.row.title].of_seeds(one.seeds), one) for one in pair)
    differences = {figure: difference(ours[figure], base[figure]) for figure in FIGURES}
    known = {figure: part for figure, part in differences.items() if part.value is not None}
    return known, {figure: relative_gain(ours[figure].value, base[figure].value) for figure in FIGURES}


def _texts(row: CutRow) -> list[str]:
    texts = []
    for figure, estimate in row.scores.items():
        gain = row.gains.get(figure)
        texts.append(with_bounds(estimate) + ("" if gain is None else f" ({percent(gain)})"))
    return texts
