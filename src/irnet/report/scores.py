"""The page of how predictions scored: tables with intervals, charts, the worst images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.sample import Entry
from irnet.metrics.degree import DEGREE_NAMES
from irnet.report.found import Page
from irnet.report.gallery import count_table
from irnet.report.page import Table, render
from irnet.report.score_charts import DEGREES, draw_calibration, draw_cuts, draw_degrees
from irnet.report.worst import Scored, draw_worst, image_table
from irnet.wording import UNKNOWN, with_interval

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
LINKS = {"accuracy": "right, of those found with their cell", "recall": "recall", "precision": "precision"}
Summary = Mapping[str, Any]


def scores_page(
    summary: Summary, pairs: Sequence[tuple[Entry, Cells]], *, title: str, reason: str | None = None
) -> Page:
    """The page of a summary of `irnet evaluate`.

    `pairs` are the images with their truth, each with every prediction of it; without them there are neither
    curves nor pictures, and the page tells the `reason`.
    """
    classes = summary["classes"]
    by_name = {name: label for label, name in LABEL_NAMES.items()}
    cuts = {by_name[name]: min(block["operating_scores"] or [0.0]) for name, block in classes.items()}
    scored = [Scored.at(entry, found, cuts) for entry, found in pairs]
    cases, missing = draw_worst(scored)
    has_scores = summary["scored"]
    truths, found = [entry.content for entry, _ in pairs], [cells for _, cells in pairs]
    html = render(
        "scores.html",
        title=title,
        method=summary["evaluated"]["method"],
        headline=_headline(summary),
        intervals=_intervals(summary),
        tables=[_score_table(classes), *_link_table(summary["links"]), *_false_tables(summary)],
        cuts=draw_cuts(truths, found, cuts) if pairs and has_scores else None,
        calibration=draw_calibration(classes) if has_scores else None,
        degrees=draw_degrees(classes),
        degree_tables=[_degree_table(name, block) for name, block in classes.items()],
        reason=reason,
        cases=cases,
        missing=missing,
        images=image_table(scored) if scored else None,
        provenance=_provenance(summary),
    )
    return Page(html, missing)


def _headline(summary: Summary) -> list[tuple[str, str]]:
    images, patients = summary["images"], summary["patients"]
    told = [(str(images), "image" if images == 1 else "images")]
    told += [(str(patients), "patients")] if patients else []
    for name, block in summary["classes"].items():
        for key in ("f1", "aji"):
            value = block["scores"].get(key, {"image_mean": {"value": None}})["image_mean"]["value"]
            told.append((UNKNOWN if value is None else f"{value:.3f}", f"{SCORES[key]}, {name}"))
    return told


def _intervals(summary: Summary) -> str:
    bootstrap = summary["bootstrap"]
    if not bootstrap["samples"]:
        return "Too few images for intervals."
    drawn = "patients" if summary["patients"] else "images"
    return f"{bootstrap['level']:.0%} intervals from {bootstrap['samples']} bootstrap samples of {drawn}."


def _score_table(classes: Summary) -> Table:
    ways = {"image_mean": "mean of images", "pooled": "pooled"}
    rows = []
    for key, name in SCORES.items():
        if any(key in block["scores"] for block in classes.values()):
            blocks = [block["scores"].get(key) for block in classes.values()]
            rows.append([name, *(with_interval(b[way]) if b else UNKNOWN for b in blocks for way in ways)])
    for key, name in APS.items():
        rows.append([name, *(t for b in classes.values() for t in (UNKNOWN, with_interval(b["ap"][key])))])
    columns = ["score", *(f"{name}, {way}" for name in classes for way in ways.values())]
    return Table(columns=columns, rows=rows)


def _link_table(links: Summary) -> list[Table]:
    """None where no image has links."""
    places = {"": "all", "_ambiguous": "inside several cells"}
    rows = [
        [name, *(with_interval(links[f"link_{key}{place}"]["pooled"]) for place in places)]
        for key, name in LINKS.items()
        if links
    ]
    return (
        [Table(caption="Nuclei linked to cells", columns=["", *places.values()], rows=rows)] if rows else []
    )


def _false_tables(summary: Summary) -> list[Table]:
    """False finds by what they lie on, where the data name distractors; mistakes by cause, where any."""
    names = list(summary["classes"])
    rows = [
        [kind, part["present"], *(part.get(name) for name in names)]
        for kind, part in summary["distractors"].items()
    ]
    columns = ["on", "present", *names]
    tables = [Table(caption="False finds", columns=columns, rows=rows)] if rows else []
    counts = summary.get("mistakes")  # not of an older irnet
    return [*tables, count_table(counts, caption="Mistakes by cause")] if counts else tables


def _degree_table(name: str, block: Summary) -> Table:
    rows = []
    for degree in DEGREE_NAMES:
        part = block["by_degree"][degree]
        count = int(part["recall"]["denominator"])
        rows.append([degree, count, *(with_interval(part[key]) for key in DEGREES.values())])
    return Table(caption=name, columns=["share covered", "true", *DEGREES], rows=rows)


def _provenance(summary: Summary) -> list[tuple[str, str]]:
    evaluated = summary["evaluated"]
    facts = {
        "method": evaluated["method"],
        "scored": Path(evaluated["source"]).name,
        "SHA-256": evaluated["sha256"],
        "data": Path(evaluated["data"]).name,
        "cut by the border": "left out" if evaluated["exclude_border"] else "scored",
    }
    for name, block in summary["classes"].items():
        cuts = " or ".join(f"{score:.3g}" for score in block["operating_scores"])
        facts[f"{name}, scores kept from"] = cuts if summary["scored"] else None
        lowest = block["lowest_score"]
        facts[f"{name}, lowest score seen"] = None if lowest is None else f"{lowest:.3g}"
    return [(name, str(value)) for name, value in facts.items() if value]
