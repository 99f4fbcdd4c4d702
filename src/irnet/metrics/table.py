"""A summary as a plain text table for terminals and logs."""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

from irnet.cells import LABEL_NAMES
from irnet.metrics.causes import Counts
from irnet.metrics.changes import ChangeCounts
from irnet.metrics.figures import Figure, by_figure, by_subject, titles
from irnet.metrics.links import PARTS, PLACES
from irnet.metrics.paired import Comparison
from irnet.metrics.statistics import Estimate
from irnet.metrics.summary import ClassSummary, DegreeScores, PooledEstimate, ScoreSummary, Summary, Way

UNDEFINED = "-"
DEGREE_COLUMNS = {
    "F1": "f1",
    "AJI": "aji",
    "outline distance, um": "boundary_mean_um",
    "outline distance, px": "boundary_mean_px",
}
ISBI = {
    "isbi2014": ("DSC", "TPRp", "FPRp", "FNRo"),
    "isbi-greedy": ("DSC", "TPRp", "FPRp", "FNRo", "FDRo"),
}


def render_table(summary: Summary) -> str:
    """Lines of text, with the mistakes (`count_mistakes`) where the summary has them.

    A dash stands for an undefined score.
    """
    classes = summary.classes
    parts = [
        _heading(summary),
        _align([["", *classes], *by_figure(FIGURES, list(classes.values()))]),
        f"mask AP .50:.95, mean of classes: {_value(summary.mean_ap.ap)}",
        *(_degrees(name, part) for name, part in classes.items()),
    ]

    if summary.links:
        header = ["nuclei linked to cells", *PLACES.values()]
        parts.append(_align([header, *link_rows(summary.links, _value_and_found)]))
    if summary.distractors:
        parts.append(_distractors(summary))
    if summary.mistakes:
        parts.append(_mistakes(summary.mistakes, list(classes)))
    return "\n\n".join(parts) + "\n"


def render_comparison(comparison: Comparison, names: Sequence[str], changes: ChangeCounts) -> str:
    """Lines of text on the two methods of these names: A, B, and B less A; then what changed."""
    of = f"images: {comparison.images}"
    of += f", patients: {comparison.patients}" if comparison.patients else ""
    parts = [f"A: {names[0]}\nB: {names[1]}\n{of} [{comparison.intervals}]"]

    for title, scores in comparison.tables():
        rows = [[title, "A", "B", "B - A"]]
        for name, part in scores:
            sides = (_value(Estimate(value=side.value)) for side in (part.first, part.second))
            rows.append([name, *sides, part.difference.text(signed, UNDEFINED) + " *" * part.is_clear])
        parts.append(_align(rows))
    chance = "* the interval leaves 0 out; of twenty scores that do not differ, one does so by chance"
    parts.append("\n".join([chance, *comparison.remarks]))

    header = ["changed", *LABEL_NAMES.values()]
    parts.append(_align([header, *([kind, *map(str, by.values())] for kind, by in changes.items())]))
    return "\n\n".join(parts) + "\n"


def signed(value: float) -> str:
    """A difference, its sign before it.

    >>> signed(0.0125), signed(-0.5)
    ('+0.013', '-0.500')
    """
    return f"{value:+.3f}"


def link_rows(links: dict[str, ScoreSummary], text: Callable[[PooledEstimate], str]) -> list[list[str]]:
    """A row for each score of the links, a column for each of `links.PLACES`."""
    rows = []
    for part, title in PARTS.items():
        rows.append([title, *(text(links[f"link_{part}{place}"].pooled) for place in PLACES)])
    return rows


def _heading(summary: Summary) -> str:
    of = f"images: {summary.images}" + (f", patients: {summary.patients}" if summary.patients else "")
    bootstrap = summary.bootstrap
    if not bootstrap.samples:
        return f"{of} (too few for intervals)"
    return f"{of} [{bootstrap.level:.0%} intervals from {bootstrap.samples} samples of {summary.drawn}]"


def _degrees(name: str, part: ClassSummary) -> str:
    figures: list[Figure[DegreeScores]] = [
        Figure(f"{name} by overlap degree", itemgetter(0)),
        Figure("found", lambda degree: degree[1]["recall"].found),
    ]
    for title, score in DEGREE_COLUMNS.items():
        if all(score in scores for scores in part.by_degree.values()):  # in um or in px
            figures.append(Figure(title, _at_degree(score)))
    return _align([titles(figures), *by_subject(figures, part.by_degree.items())])


def _at_degree(score: str) -> Callable[[DegreeScores], str]:
    return lambda degree: _value(degree[1][score])


def _distractors(summary: Summary) -> str:
    header = ["false finds on", "present", *summary.classes]
    rows = [[kind, *map(_count, counts)] for kind, counts in summary.false_finds()]
    return _align([header, *rows])


def _mistakes(causes: Counts, names: Sequence[str]) -> str:
    header = ["mistakes: missed / false / poor", *names]
    rows = []
    for cause, part in causes.items():
        rows.append([cause, *(" / ".join(map(str, part[name].values())) for name in names)])
    return _align([header, *rows])


def _score(name: str, way: Way = "pooled") -> Callable[[ClassSummary], str | None]:
    def text(part: ClassSummary) -> str | None:
        estimate = part.estimate(name, way)
        return None if estimate is None else _value(estimate)

    return text


def _share(name: str) -> Callable[[ClassSummary], str]:
    return lambda part: _value_and_found(part.scores[name].pooled)


def _value_and_found(part: PooledEstimate) -> str:
    return f"{_value(part)}  {part.found}"


def _value(part: Estimate) -> str:
    return part.text(_number, UNDEFINED)


def _number(value: float) -> str:
    """Three digits after the point, more where three would leave nothing of the figure."""
    return f"{value:.2g}" if 0 < abs(value) < 0.01 else f"{value:.3f}"


def _count(value: int | None) -> str:
    return UNDEFINED if value is None else str(value)


def _cut(part: ClassSummary) -> str:
    cuts = " or ".join(f"{score:.3g}" for score in part.operating_scores) or UNDEFINED
    lowest = part.lowest_score
    return cuts if lowest is None else f"{cuts} (lowest seen {lowest:.3g})"


def _calibration(part: ClassSummary) -> str:
    errors = (part.calibration.ece_iou, part.calibration.ece_right)
    return " / ".join(UNDEFINED if error is None else _number(error) for error in errors)


def _align(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _outlines() -> Iterator[Figure[ClassSummary]]:
    """Distances between outlines, in um or, of images without a scale, in px."""
    for unit in ("um", "px"):
        for where, place in (("", ""), (", in overlap", "_overlap")):
            for what, key in (("distance", "mean"), ("95th percentile", "p95")):
                yield Figure(f"outline {what}, {unit}{where}", _score(f"boundary_{key}{place}_{unit}"))


def _isbi() -> Iterator[Figure[ClassSummary]]:
    for form, names in ISBI.items():
        for title in names:
            yield Figure(f"{form} {title}", _score(f"{form}.{title.lower()}"))


FIGURES: list[Figure[ClassSummary]] = [
    Figure("truths / predictions", lambda part: f"{part.truths} / {part.predictions}"),
    Figure("scores kept from", _cut),
    Figure("AJI, mean of images", _score("aji", "image_mean")),
    Figure("AJI, pooled", _score("aji")),
    Figure("F1, mean of images", _score("f1", "image_mean")),
    Figure("F1, pooled", _score("f1")),
    Figure("F1 by cover (GlaS), pooled", _score("f1_glas")),
    Figure("precision", _share("precision")),
    Figure("recall at IoU .5", _share("recall")),
    Figure("recall at IoU .7", _share("recall_70")),
    Figure("duplicates per truth", _score("duplicates")),
    Figure("mask AP .50:.95", _score("ap", "ap")),
    Figure("mask AP .50", _score("ap50", "ap")),
    Figure("mask AP .75", _score("ap75", "ap")),
    Figure("overlap recall", _score("overlap_recall")),
    Figure("overlap precision", _score("overlap_precision")),
    *_outlines(),
    Figure("boundary IoU", _score("boundary_iou")),
    Figure("boundary IoU, in overlap", _score("boundary_iou_overlap")),
    *_isbi(),
    Figure("calibration error, IoU / right", _calibration),
]
