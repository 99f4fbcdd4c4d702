"""A summary as a plain text table for terminals and logs."""

from collections.abc import Callable, Sequence

DEGREE_COLUMNS = {
    "F1": "f1",
    "AJI": "aji",
    "outline distance, um": "boundary_mean_um",
    "outline distance, px": "boundary_mean_px",
}

Row = tuple[str, Callable[[dict], str | None]]  # title, text of one class's block (None: not scored)


def render_table(summary: dict) -> str:
    """Lines of text from what `summarise` returns, with `mistakes` (`count_mistakes`) where it has them.

    A dash stands for an undefined score.
    """
    blocks = summary["classes"]
    rows = [["", *blocks]]
    for title, text in ROWS:
        cells = [text(block) for block in blocks.values()]
        if any(cell is not None for cell in cells):
            rows.append([title, *(cell or "" for cell in cells)])
    mean_ap = f"mask AP .50:.95, mean of classes: {_value(summary['mean_ap']['ap'])}"
    parts = [_heading(summary), _align(rows), mean_ap]
    parts += [_degrees(name, block) for name, block in blocks.items()]
    if summary["links"]:
        parts.append(_links(summary["links"]))
    if summary["distractors"]:
        parts.append(_distractors(summary["distractors"], list(blocks)))
    if summary.get("mistakes"):
        parts.append(_mistakes(summary["mistakes"], list(blocks)))
    return "\n\n".join(parts) + "\n"


def _heading(summary: dict) -> str:
    bootstrap, patients = summary["bootstrap"], summary["patients"]
    of = f"images: {summary['images']}" + (f", patients: {patients}" if patients else "")
    if not bootstrap["samples"]:
        return f"{of} (too few for intervals)"
    drawn = "patients" if patients else "images"
    return f"{of} [{bootstrap['level']:.0%} intervals from {bootstrap['samples']} samples of {drawn}]"


def _degrees(name: str, block: dict) -> str:
    bins = block["by_degree"]
    shown = {
        title: key for title, key in DEGREE_COLUMNS.items() if all(key in part for part in bins.values())
    }
    rows = [
        [degree, _found(part["recall"]), *(_value(part[key]) for key in shown.values())]
        for degree, part in bins.items()
    ]
    return _align([[f"{name} by overlap degree", "found", *shown], *rows])


def _links(scores: dict) -> str:
    header = ["nuclei linked to cells", "all", "inside several cells"]
    titles = {
        "accuracy": "right, of those found with their cell",
        "recall": "recall",
        "precision": "precision",
    }
    rows = [
        [title, *(_value_and_found(scores[f"link_{name}{where}"]["pooled"]) for where in ("", "_ambiguous"))]
        for name, title in titles.items()
    ]
    return _align([header, *rows])


def _distractors(kinds: dict, names: Sequence[str]) -> str:
    header = ["false finds on", "present", *names]
    rows = [
        [kind, _count(part["present"]), *(_count(part.get(name)) for name in names)]
        for kind, part in kinds.items()
    ]
    return _align([header, *rows])


def _mistakes(causes: dict, names: Sequence[str]) -> str:
    header = ["mistakes: missed / false / poor", *names]
    rows = [
        [cause, *(" / ".join(map(str, part[name].values())) for name in names)]
        for cause, part in causes.items()
    ]
    return _align([header, *rows])


def _score(name: str, way: str) -> Callable[[dict], str | None]:
    def text(block: dict) -> str | None:
        return _value(block["scores"][name][way]) if name in block["scores"] else None

    return text


def _share(name: str) -> Callable[[dict], str]:
    return lambda block: _value_and_found(block["scores"][name]["pooled"])


def _value_and_found(part: dict) -> str:
    return f"{_value(part)}  {_found(part)}"


def _value(part: dict) -> str:
    if part["value"] is None:
        return "-"
    spread = "" if part["low"] is None else f" [{_number(part['low'])}, {_number(part['high'])}]"
    return _number(part["value"]) + spread


def _number(value: float) -> str:
    """Three digits after the point, more where three would leave nothing of the figure."""
    return f"{value:.2g}" if 0 < abs(value) < 0.01 else f"{value:.3f}"


def _found(part: dict) -> str:
    return f"{part['numerator']:.0f} of {part['denominator']:.0f}"


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _cut(block: dict) -> str:
    cuts = " or ".join(f"{score:.3g}" for score in block["operating_scores"]) or "-"
    lowest = block["lowest_score"]
    return cuts if lowest is None else f"{cuts} (lowest seen {lowest:.3g})"


def _calibration(block: dict) -> str:
    errors = [block["calibration"][name] for name in ("ece_iou", "ece_right")]
    return " / ".join("-" if error is None else _number(error) for error in errors)


def _align(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


ROWS: list[Row] = [
    ("truths / predictions", lambda block: f"{block['truths']} / {block['predictions']}"),
    ("scores kept from", _cut),
    ("AJI, mean of images", _score("aji", "image_mean")),
    ("AJI, pooled", _score("aji", "pooled")),
    ("F1, mean of images", _score("f1", "image_mean")),
    ("F1, pooled", _score("f1", "pooled")),
    ("F1 by cover (GlaS), pooled", _score("f1_glas", "pooled")),
    ("precision", _share("precision")),
    ("recall at IoU .5", _share("recall")),
    ("recall at IoU .7", _share("recall_70")),
    ("duplicates per truth", _score("duplicates", "pooled")),
    ("mask AP .50:.95", lambda block: _value(block["ap"]["ap"])),
    ("mask AP .50", lambda block: _value(block["ap"]["ap50"])),
    ("mask AP .75", lambda block: _value(block["ap"]["ap75"])),
    ("overlap recall", _score("overlap_recall", "pooled")),
    ("overlap precision", _score("overlap_precision", "pooled")),
    *(
        (f"outline {what}, {unit}{where}", _score(f"boundary_{key}{place}_{unit}", "pooled"))
        for unit in ("um", "px")
        for where, place in (("", ""), (", in overlap", "_overlap"))
        for what, key in (("distance", "mean"), ("95th percentile", "p95"))
    ),
    ("boundary IoU", _score("boundary_iou", "pooled")),
    ("boundary IoU, in overlap", _score("boundary_iou_overlap", "pooled")),
    *(
        (f"{form} {title}", _score(f"{form}.{title.lower()}", "pooled"))
        for form, titles in (
            ("isbi2014", ("DSC", "TPRp", "FPRp", "FNRo")),
            ("isbi-greedy", ("DSC", "TPRp", "FPRp", "FNRo", "FDRo")),
        )
        for title in titles
    ),
    ("calibration error, IoU / right", _calibration),
]
