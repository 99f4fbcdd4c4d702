"""The parts of a table's page, each a Markdown table over rows of results; a dash is an undefined figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from irnet.cells import LABEL_NAMES
from irnet.metrics.degree import DEGREE_NAMES
from irnet.metrics.distractors import ELSEWHERE
from irnet.metrics.figures import Figure, by_subject, titles
from irnet.metrics.statistics import Difference, SeededEstimate
from irnet.metrics.summary import Way
from irnet.study.render import NONE, number, number_table, percent, with_bounds
from irnet.study.results import CELL, OVERLAP_RECALL, RowResult, compare_rows, gains
from irnet.study.rows import FIGURES, TITLES

ISBI = (  # title, score, digits
    ("DSC", "isbi2014.dsc", 3),
    ("TPRp", "isbi2014.tprp", 3),
    ("FPRp", "isbi2014.fprp", 5),
    ("FNRo", "isbi2014.fnro", 3),
    ("FNRo, greedy", "isbi-greedy.fnro", 3),
    ("FDRo, greedy", "isbi-greedy.fdro", 3),
)
COSTS = {  # title -> key in cost.json, factor, digits
    "training steps": ("train_steps", 1, 0),
    "training, s": ("train_seconds", 1, 0),
    "peak memory, training, MB": ("train_peak_mb", 1, 0),
    "s an image": ("seconds_per_image", 1, 2),
    "CPU s an image": ("cpu_seconds_per_image", 1, 2),
    "peak memory, test, MB": ("predict_peak_mb", 1, 0),
    "parameters, M": ("parameters", 1e-6, 2),
}


def _agreeing(part: Difference) -> str:
    unknown = f", {part.unknown} not known" if part.unknown else ""
    return f"{part.agreeing} of {len(part.seeds)}{unknown}"


DIFFERENCES: list[Figure[Difference]] = [
    Figure("difference", with_bounds),
    Figure("seeds that agree", _agreeing),
    Figure("half-width", lambda part: number(part.half_width)),
    Figure("spread over seeds", lambda part: number(part.spread)),
    Figure("resolvable", lambda part: number(part.resolvable)),
]

Text = Callable[[RowResult], str | None]  # what a column says of a row; None is a dash


def main_table(results: Sequence[RowResult]) -> str:
    """AJI and F1 with interval by patient and spread over seeds, the paper's own figures beside them."""
    return _named(results, main_figures())


def main_figures() -> list[Figure[RowResult]]:
    """The columns of the main table."""
    figures = []
    for figure in FIGURES:
        figures += [Figure(TITLES[figure], _mean(figure)), Figure("paper", _paper(figure))]
    return figures


def gain_table(results: Sequence[RowResult], control: RowResult | None) -> str:
    """Relative gains over the control row, ours / the paper's."""
    rows = []
    for result in results:
        if shares := gains(result, control):
            texts = [f"{percent(part['ours'])} / {percent(part['paper'])}" for part in shares.values()]
            rows.append([result.row.title, *texts])
    return number_table(["row", *TITLES.values()], rows)


def difference_table(results: Sequence[RowResult], control: RowResult | None) -> str:
    """Paired differences to the control row, and the smallest that they could have shown."""
    differences = compare_rows(results, control)
    return table_of_differences({result.row.title: differences[result.row.key] for result in results})


def table_of_differences(differences: Mapping[str, Mapping[str, Difference]]) -> str:
    """The same of differences by row and figure."""
    names = TITLES | {OVERLAP_RECALL: "overlap recall"}
    rows = []
    for title, parts in differences.items():
        for figure, texts in zip(parts, by_subject(DIFFERENCES, parts.values()), strict=True):
            rows.append([f"{title}, {names[figure]}", *texts])
    return number_table(["row, figure", *titles(DIFFERENCES)], rows)


def pooled_table(results: Sequence[RowResult]) -> str:
    """AJI and F1 pooled over all images: large images and crowded ones weigh more."""
    return _named(results, [Figure(TITLES[figure], _pooled(figure)) for figure in FIGURES])


def overlap_table(results: Sequence[RowResult]) -> str:
    """What happens where cells overlap: pixels held by all their owners, hidden outlines, duplicates."""
    unit = _unit(results)
    scores = {
        "overlap recall": "overlap_recall",
        "overlap precision": "overlap_precision",
        f"outline off, {unit}": f"boundary_mean_{unit}",
        f"in overlaps, {unit}": f"boundary_mean_overlap_{unit}",
        f"95th percentile there, {unit}": f"boundary_p95_overlap_{unit}",
        "duplicates a truth": "duplicates",
    }
    figures = [Figure(title, _pooled(f"{score}/{CELL}")) for title, score in scores.items()]
    return _named(results, figures, first="row, cytoplasm")


def precision_table(results: Sequence[RowResult]) -> str:
    """COCO mask AP, mean and spread over seeds."""
    figures = []
    for label in LABEL_NAMES.values():
        for title, score in (("AP", "ap"), ("AP .50", "ap50"), ("AP .75", "ap75")):
            figures.append(Figure(f"{title} {label}", _mean(f"{score}/{label}", "ap")))
    return _named(results, figures)


def isbi_table(results: Sequence[RowResult]) -> str:
    """The figures of the ISBI 2014 challenge: never to be read alone, they hardly see misses."""
    figures = [Figure(title, _bare(f"{score}/{CELL}", digits)) for title, score, digits in ISBI]
    return _named(results, figures, first="row, cytoplasm")


def degree_table(results: Sequence[RowResult], label: str = CELL) -> str:
    """F1, AJI and outline distance by the share of a truth that others of its class cover."""
    scores = {"F1": "f1", "AJI": "aji"}
    if label == CELL:
        unit = _unit(results)
        scores[f"outline, {unit}"] = f"boundary_mean_{unit}"

    figures = []
    for title, score in scores.items():
        for degree in DEGREE_NAMES:
            figures.append(Figure(f"{title} at {degree}", _at_degree(label, degree, score)))
    return _named(results, figures, first=f"row, {label}")


def distractor_table(results: Sequence[RowResult], present: dict[str, int]) -> str:
    """False finds by kind of distractor, cytoplasm / nuclei, mean over seeds; "" where no kind is known."""
    if not present:
        return ""
    figures = [Figure(f"{kind} ({present[kind]} there)", _false(kind)) for kind in sorted(present)]
    return _named(results, [*figures, Figure(ELSEWHERE, _false(ELSEWHERE))])


def threshold_table(results: Sequence[RowResult]) -> str:
    """The thresholds chosen on validation, of each seed, and what they left."""
    figures = []
    for label, name in LABEL_NAMES.items():
        figures += [Figure(f"{name} from", _thresholds(label)), Figure("finds for truths", _counts(name))]
    return _named(results, figures)


def cost_table(results: Sequence[RowResult]) -> str:
    """Time, memory and size, means over the seeds."""
    figures = [Figure(title, _cost(*place)) for title, place in COSTS.items()]
    return _named(results, [*figures, Figure("device", _devices)])


def mean_cost(result: RowResult, key: str, factor: float = 1.0) -> float | None:
    """Mean of a figure of cost.json over the seeds that have it."""
    known: list[Any] = [cost[key] for cost in result.costs if cost.get(key) is not None]
    return factor * sum(known) / len(known) if known else None


def with_spread(estimate: SeededEstimate | None) -> str:
    """Value, interval by patient and, after the sign ±, the standard deviation over seeds."""
    if estimate is None or estimate.spread is None:
        return with_bounds(estimate)
    return f"{with_bounds(estimate)} ± {number(estimate.spread)}"


def _named(results: Sequence[RowResult], figures: Sequence[Figure[RowResult]], first: str = "row") -> str:
    """A row for each result, a column for each figure; `first` is over the names of the rows."""
    columns = [Figure(first, lambda result: result.row.title), *figures]
    return number_table(titles(columns), by_subject(columns, results))


def _mean(figure: str, way: Way = "image_mean") -> Text:
    return lambda result: with_spread(result.estimate(figure, way))


def _paper(figure: str) -> Text:
    return lambda result: number(result.row.paper.get(figure), 4)


def _pooled(figure: str) -> Text:
    return lambda result: with_bounds(result.estimate(figure, "pooled"))


def _bare(figure: str, digits: int) -> Text:
    """The pooled value without interval."""

    def text(result: RowResult) -> str:
        estimate = result.estimate(figure, "pooled")
        return number(estimate and estimate.value, digits)

    return text


def _at_degree(label: str, degree: str, score: str) -> Text:
    def text(result: RowResult) -> str | None:
        degrees = result.classes[label].by_degree if label in result.classes else {}
        estimate = degrees.get(degree, {}).get(score)
        return None if estimate is None else number(estimate.value)

    return text


def _false(kind: str) -> Text:
    def text(result: RowResult) -> str:
        parts = [result.classes.get(name) for name in LABEL_NAMES.values()]
        return " / ".join(NONE if part is None else _count(part.false_finds.get(kind, 0.0)) for part in parts)

    return text


def _thresholds(label: int) -> Text:
    return lambda result: ", ".join(number(cuts.get(label)) for cuts in result.cuts)


def _counts(name: str) -> Text:
    def text(result: RowResult) -> str | None:
        part = result.classes.get(name)
        return None if part is None else f"{part.predictions:.0f} for {part.truths}"

    return text


def _cost(key: str, factor: float, digits: int) -> Text:
    return lambda result: number(mean_cost(result, key, factor), digits)


def _devices(result: RowResult) -> str:
    return ", ".join(sorted({str(cost.get("device", NONE)) for cost in result.costs}))


def _unit(results: Sequence[RowResult]) -> str:
    """Unit of lengths: um where every image has a scale."""
    names = {name for r in results if CELL in r.classes for name in r.classes[CELL].pooled}
    return "px" if "boundary_mean_px" in names else "um"


def _count(mean: float) -> str:
    """One digit, none of a whole number."""
    return f"{mean:.1f}".removesuffix(".0")
