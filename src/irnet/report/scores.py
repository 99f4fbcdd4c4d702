"""The page of how predictions scored: tables with intervals, charts, the worst images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.sample import Entry
from irnet.metrics import Summary
from irnet.metrics.figures import Figure, by_figure
from irnet.metrics.links import PLACES
from irnet.metrics.statistics import Estimate
from irnet.metrics.summary import ClassSummary, Evaluated, PooledEstimate, ScoreSummary, Way
from irnet.metrics.table import link_rows
from irnet.report.found import Page
from irnet.report.gallery import count_table
from irnet.report.page import Table, render
from irnet.report.score_charts import DEGREES, draw_calibration, draw_cuts, draw_degrees
from irnet.report.worst import ScoredImage, draw_worst, image_table
from irnet.wording import UNKNOWN, number_and_noun

SCORES = {  # docs/reference/metrics.md says what each one is
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "recall_70": "recall at IoU .7",
    "aji": "AJI",
    "duplicates": "duplicates per truth",
    "overlap_recall": "overlap recall",
    "overlap_precision": "overlap precision",
    "boundary_iou": "boundary IoU",
    "boundary_mean_um": "outline distance, µm",
    "boundary_p95_um": "outline distance, 95th percentile, µm",
    "boundary_mean_px": "outline distance, px",
    "boundary_p95_px": "outline distance, 95th percentile, px",
}
APS = {"ap": "mask AP .50:.95", "ap50": "mask AP .50", "ap75": "mask AP .75"}
WAYS: dict[Way, str] = {"image_mean": "mean of images", "pooled": "pooled"}


def scores_page(
    summary: Summary,
    evaluated: Evaluated,
    pairs: Sequence[tuple[Entry, Cells]],
    *,
    title: str,
    reason: str | None = None,
) -> Page:
    """The page of a summary of `irnet evaluate`, and of what was `evaluated`.

    `pairs` are the images with their truth, each with every prediction of it; without them there are neither
    curves nor pictures, and the page gives the `reason`.
    """
    classes = summary.classes
    by_name = {name: label for label, name in LABEL_NAMES.items()}
    cuts = {by_name[name]: min(part.operating_scores, default=0.0) for name, part in classes.items()}
    scored = [ScoredImage.at(entry, found, cuts) for entry, found in pairs]
    cases, missing = draw_worst(scored)
    truths, found = [entry.content for entry, _ in pairs], [cells for _, cells in pairs]

    html = render(
        "scores.html",
        title=title,
        method=evaluated.method,
        headline=_headline(summary),
        intervals=_intervals(summary),
        tables=[_score_table(classes), *_link_table(summary.links), *_false_tables(summary)],
        cuts=draw_cuts(truths, found, cuts) if pairs and summary.scored else None,
        calibration=draw_calibration(classes) if summary.scored else None,
        degrees=draw_degrees(classes),
        degree_tables=[_degree_table(name, part) for name, part in classes.items()],
        reason=reason,
        cases=cases,
        missing=missing,
        images=image_table(scored) if scored else None,
        provenance=_provenance(summary, evaluated),
    )
    return Page(html, [f"no picture: {reason}" for reason in missing])


def _headline(summary: Summary) -> list[tuple[str, str]]:
    numbers = [number_and_noun(summary.images, "image")]
    numbers += [number_and_noun(summary.patients, "patient")] if summary.patients else []
    for name, part in summary.classes.items():
        for score in ("f1", "aji"):
            estimate = part.estimate(score, "image_mean") or Estimate(value=None)
            numbers.append((Estimate(value=estimate.value).text(), f"{SCORES[score]}, {name}"))
    return numbers


def _intervals(summary: Summary) -> str:
    return f"{summary.intervals}." if summary.bootstrap.samples else "Too few images for intervals."


def _score_table(classes: dict[str, ClassSummary]) -> Table:
    figures = [Figure(title, _text_of(score)) for score, title in SCORES.items()]
    figures += [Figure(title, _text_of_precision(score)) for score, title in APS.items()]
    subjects: list[tuple[ClassSummary, Way]] = [(part, way) for part in classes.values() for way in WAYS]
    columns = ["score", *(f"{name}, {title}" for name in classes for title in WAYS.values())]
    return Table(columns=columns, rows=by_figure(figures, subjects, missing=UNKNOWN))


def _text_of(score: str) -> Callable[[tuple[ClassSummary, Way]], str | None]:
    """Of a class, put together in one of the WAYS."""

    def text(subject: tuple[ClassSummary, Way]) -> str | None:
        part, way = subject
        estimate = part.estimate(score, way)
        return None if estimate is None else estimate.text()

    return text


def _text_of_precision(score: str) -> Callable[[tuple[ClassSummary, Way]], str | None]:
    """The same of AP, which has no mean of images."""

    def text(subject: tuple[ClassSummary, Way]) -> str | None:
        part, way = subject
        return getattr(part.ap, score).text() if way == "pooled" else None

    return text


def _link_table(links: dict[str, ScoreSummary]) -> list[Table]:
    """None where no image has links."""
    if not links:
        return []
    rows = link_rows(links, PooledEstimate.text)
    return [Table(caption="Nuclei linked to cells", columns=["", *PLACES.values()], rows=rows)]


def _false_tables(summary: Summary) -> list[Table]:
    """False finds by what they lie on, where the data name distractors; mistakes by cause, where any."""
    tables = []
    if rows := [[kind, *counts] for kind, counts in summary.false_finds()]:
        tables.append(Table(caption="False finds", columns=["on", "present", *summary.classes], rows=rows))
    if summary.mistakes:  # not of an older irnet
        tables.append(count_table(summary.mistakes, caption="Mistakes by cause"))
    return tables


def _degree_table(name: str, part: ClassSummary) -> Table:
    rows = []
    for degree, scores in part.by_degree.items():
        count = int(scores["recall"].denominator)
        rows.append([degree, count, *(scores[key].text() for key in DEGREES.values())])
    return Table(caption=name, columns=["share covered", "true", *DEGREES], rows=rows)


def _provenance(summary: Summary, evaluated: Evaluated) -> list[tuple[str, str]]:
    facts = {
        "method": evaluated.method,
        "scored": Path(evaluated.source).name,
        "SHA-256": evaluated.sha256,
        "data": Path(evaluated.data).name,
        "um per pixel, given": None if evaluated.mpp is None else f"{evaluated.mpp:g}",
        "cut by the border": "left out" if evaluated.exclude_border else "scored",
    }

    for name, part in summary.classes.items():
        cuts = " or ".join(f"{score:.3g}" for score in part.operating_scores)
        facts[f"{name}, scores kept from"] = cuts if summary.scored else None
        lowest = part.lowest_score
        facts[f"{name}, lowest score seen"] = None if lowest is None else f"{lowest:.3g}"
    return [(name, str(value)) for name, value in facts.items() if value]
