"""The parts of a table's page, each a Markdown table over rows of results; a dash is an undefined figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from irnet.cells import LABEL_NAMES
from irnet.metrics.degree import DEGREE_NAMES
from irnet.study.compare import Estimate
from irnet.study.render import NONE, number, number_table, percent, with_bounds
from irnet.study.results import CELL, OVERLAP_RECALL, ClassResult, RowResult, compare_rows, gains
from irnet.study.rows import FIGURES, TITLES

ISBI = tuple(f"isbi2014.{name}" for name in ("dsc", "tprp", "fprp", "fnro"))
GREEDY = ("isbi-greedy.fnro", "isbi-greedy.fdro")
COSTS = {  # title -> key in cost.json, factor, digits
    "training steps": ("train_steps", 1, 0),
    "training, s": ("train_seconds", 1, 0),
    "peak memory, training, MB": ("train_peak_mb", 1, 0),
    "s an image": ("seconds_per_image", 1, 2),
    "CPU s an image": ("cpu_seconds_per_image", 1, 2),
    "peak memory, test, MB": ("predict_peak_mb", 1, 0),
    "parameters, M": ("parameters", 1e-6, 2),
}


def main_table(results: Sequence[RowResult]) -> str:
    """AJI and F1 with interval by patient and spread over seeds, the paper's own figures beside them."""
    header = ["row", *(title for figure in FIGURES for title in (TITLES[figure], "paper"))]
    rows = [
        [
            result.row.title,
            *(
                text
                for figure in FIGURES
                for text in (with_spread(result.main(figure)), number(result.row.paper.get(figure), 4))
            ),
        ]
        for result in results
    ]
    return number_table(header, rows)


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
    header = [
        "row, figure",
        "difference",
        "seeds that agree",
        "half-width",
        "spread over seeds",
        "resolvable",
    ]
    titles = TITLES | {OVERLAP_RECALL: "overlap recall"}
    rows = []
    for result in results:
        for figure, part in compare_rows(result, control).items():
            agree = f"{part.agreeing} of {len(part.seeds)}"
            figures = [number(part.half_width), number(part.spread), number(part.resolvable)]
            rows.append([f"{result.row.title}, {titles[figure]}", with_bounds(part), agree, *figures])
    return number_table(header, rows)


def pooled_table(results: Sequence[RowResult]) -> str:
    """AJI and F1 pooled over all images: large images and crowded ones weigh more."""
    rows = []
    for result in results:
        parts = [(figure.partition("/")) for figure in FIGURES]
        texts = [with_bounds(_pooled(result, name, score)) for score, _, name in parts]
        rows.append([result.row.title, *texts])
    return number_table(["row", *TITLES.values()], rows)


def overlap_table(results: Sequence[RowResult]) -> str:
    """What happens where cells overlap: pixels held by all their owners, hidden outlines, duplicates."""
    unit = _unit(results)
    columns = {
        "overlap recall": "overlap_recall",
        "overlap precision": "overlap_precision",
        f"outline off, {unit}": f"boundary_mean_{unit}",
        f"in overlaps, {unit}": f"boundary_mean_overlap_{unit}",
        f"95th percentile there, {unit}": f"boundary_p95_overlap_{unit}",
        "duplicates a truth": "duplicates",
    }
    rows = [
        [
            result.row.title,
            *(with_bounds(_pooled(result, CELL, name)) for name in columns.values()),
        ]
        for result in results
    ]
    return number_table(["row, cytoplasm", *columns], rows)


def precision_table(results: Sequence[RowResult]) -> str:
    """COCO mask AP, mean and spread over seeds."""
    names = {"AP": "ap", "AP .50": "ap50", "AP .75": "ap75"}
    header = ["row", *(f"{title} {label}" for label in LABEL_NAMES.values() for title in names)]
    rows = []
    for result in results:
        parts = [result.classes.get(label) for label in LABEL_NAMES.values()]
        texts = [
            with_spread(part.ap.get(name) if part else None) for part in parts for name in names.values()
        ]
        rows.append([result.row.title, *texts])
    return number_table(header, rows)


def isbi_table(results: Sequence[RowResult]) -> str:
    """The figures of the ISBI 2014 challenge: never to be read alone, they hardly see misses."""
    header = ["row, cytoplasm", "DSC", "TPRp", "FPRp", "FNRo", "FNRo, greedy", "FDRo, greedy"]
    rows = []
    for result in results:
        estimates = [_pooled(result, CELL, name) for name in (*ISBI, *GREEDY)]
        digits = [3, 3, 5, 3, 3, 3]
        texts = [number(e.value if e else None, d) for e, d in zip(estimates, digits, strict=True)]
        rows.append([result.row.title, *texts])
    return number_table(header, rows)


def degree_table(results: Sequence[RowResult], label: str = CELL) -> str:
    """F1, AJI and outline distance by the share of a truth that others of its class cover."""
    unit = _unit(results)
    names = {"F1": "f1", "AJI": "aji"} | (
        {f"outline, {unit}": f"boundary_mean_{unit}"} if label == CELL else {}
    )
    header = [f"row, {label}", *(f"{title} at {degree}" for title in names for degree in DEGREE_NAMES)]
    rows = []
    for result in results:
        bins = result.classes[label].by_degree if label in result.classes else {}
        estimates = [bins.get(degree, {}).get(name) for name in names.values() for degree in DEGREE_NAMES]
        rows.append([result.row.title, *(number(e.value if e else None) for e in estimates)])
    return number_table(header, rows)


def distractor_table(results: Sequence[RowResult], present: dict[str, int]) -> str:
    """False finds by kind of distractor, cytoplasm / nuclei, mean over seeds; "" where no kind is known."""
    if not present:
        return ""
    kinds = [*sorted(present), "elsewhere"]
    rows = []
    for result in results:
        parts = [result.classes.get(name) for name in LABEL_NAMES.values()]
        rows.append([result.row.title, *(" / ".join(_false(p, kind) for p in parts) for kind in kinds)])
    header = ["row", *(f"{kind} ({present[kind]} there)" if kind in present else kind for kind in kinds)]
    return number_table(header, rows)


def threshold_table(results: Sequence[RowResult]) -> str:
    """The thresholds chosen on validation, of each seed, and what they left."""
    rows = []
    for result in results:
        texts = []
        for label, name in LABEL_NAMES.items():
            part = result.classes.get(name)
            texts.append(", ".join(number(cuts.get(label)) for cuts in result.cuts))
            texts.append(f"{part.predictions:.0f} for {part.truths}" if part else NONE)
        rows.append([result.row.title, *texts])
    header = ["row", *(t for name in LABEL_NAMES.values() for t in (f"{name} from", "finds for truths"))]
    return number_table(header, rows)


def cost_table(results: Sequence[RowResult]) -> str:
    """Time, memory and size, means over the seeds."""
    rows = []
    for result in results:
        texts = [number(mean_cost(result, key, factor), digits) for key, factor, digits in COSTS.values()]
        devices = sorted({str(cost.get("device", NONE)) for cost in result.costs})
        rows.append([result.row.title, *texts, ", ".join(devices)])
    return number_table(["row", *COSTS, "device"], rows)


def mean_cost(result: RowResult, key: str, factor: float = 1.0) -> float | None:
    """Mean of a figure of cost.json over the seeds that have it."""
    known: list[Any] = [cost[key] for cost in result.costs if cost.get(key) is not None]
    return factor * sum(known) / len(known) if known else None


def with_spread(estimate: Estimate | None) -> str:
    """Value, interval by patient and, after the sign ±, the standard deviation over seeds."""
    if estimate is None or estimate.spread is None:
        return with_bounds(estimate)
    return f"{with_bounds(estimate)} ± {number(estimate.spread)}"


def _pooled(result: RowResult, label: str, name: str) -> Estimate | None:
    part = result.classes.get(label)
    return part.pooled.get(name) if part else None


def _unit(results: Sequence[RowResult]) -> str:
    """Unit of lengths: um where every image has a scale."""
    names = {name for r in results if CELL in r.classes for name in r.classes[CELL].pooled}
    return "px" if "boundary_mean_px" in names else "um"


def _false(part: ClassResult | None, kind: str) -> str:
    return NONE if part is None else f"{part.false_finds.get(kind, 0.0):.1f}".removesuffix(".0")
