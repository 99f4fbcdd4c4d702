"""Charts of a summary of scores: score cut, calibration, overlap degree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from irnet.cells import LABEL_NAMES, Cells, Content, Cuts
from irnet.metrics.degree import DEGREE_NAMES
from irnet.metrics.operating import f1_curve
from irnet.metrics.statistics import Estimate
from irnet.metrics.summary import ClassSummary
from irnet.report.colours import LINES
from irnet.report.plot import Line, Panel, draw_panels

COLOURS = (LINES[2], LINES[6], LINES[5])
POINTS = 200  # of a curve at most
CURVES = {"F1": "f1", "precision": "precision", "recall": "recall"}
DEGREES = {"F1": "f1", "AJI": "aji", "recall": "recall"}
BESIDE = 0.025  # of an axis: intervals of one degree stand side by side


def draw_cuts(truths: Sequence[Content], found: Sequence[Cells], cuts: Cuts) -> Markup:
    """F1, precision and recall of each class at every score cut, the cut in use marked on F1."""
    panels = []
    for label, name in LABEL_NAMES.items():
        curve = f1_curve(truths, found, label)
        chosen = np.linspace(0, len(curve.scores) - 1, min(POINTS, len(curve.scores))).round().astype(int)
        kept = np.flatnonzero(curve.scores >= cuts.get(label, 0.0))

        lines = []
        for title, key in CURVES.items():
            values = getattr(curve, key)
            points = [(float(curve.scores[i]), float(values[i])) for i in chosen if np.isfinite(values[i])]
            dot = (float(curve.scores[kept[-1]]), float(values[kept[-1]])) if len(kept) else None
            lines.append(Line(title=title, points=points, dot=dot if key == "f1" else None))
        panels.append(Panel(title=name, x="score cut", lines=lines, whole=True))
    return Markup(draw_panels(panels, columns=2, colours=COLOURS))


def draw_calibration(classes: dict[str, ClassSummary]) -> Markup:
    """IoU with the match, and the share of right finds, against the score; on the diagonal it is right."""
    panels = []
    for name, part in classes.items():
        lines = [
            _calibration_line(part, "mean IoU with the match", "iou"),
            _calibration_line(part, "share of right finds", "right"),
        ]
        panels.append(Panel(title=name, x="mean score", lines=lines, diagonal=True, whole=True))
    return Markup(draw_panels(panels, columns=2, colours=COLOURS))


def draw_degrees(classes: dict[str, ClassSummary]) -> Markup:
    """F1, AJI and recall of each class, with intervals, by the share of a cell that others cover."""
    places = [(i + 0.5) / len(DEGREE_NAMES) for i in range(len(DEGREE_NAMES))]
    ticks = tuple(zip(places, DEGREE_NAMES, strict=True))
    panels = []
    for name, part in classes.items():
        lines = []
        for number, (title, key) in enumerate(DEGREES.items()):
            shift = (number - 1) * BESIDE
            estimates = [part.by_degree[degree][key] for degree in DEGREE_NAMES]
            lines.append(_degree_line(title, [x + shift for x in places], estimates))
        panels.append(Panel(title=name, x="share covered by others", lines=lines, ticks=ticks, whole=True))
    return Markup(draw_panels(panels, columns=2, colours=COLOURS))


def _calibration_line(part: ClassSummary, title: str, key: str) -> Line:
    """A point for each bin of scores with a prediction."""
    points = []
    for one in part.calibration.bins:
        reached = getattr(one, key)
        if one.score is not None and reached is not None:
            points.append((one.score, reached))
    return Line(title=title, points=points, marked=True)


def _degree_line(title: str, places: Sequence[float], estimates: Sequence[Estimate]) -> Line:
    """A point with a bar for each estimate that is defined; without an interval the bar has no length."""
    points, bars = [], []
    for x, estimate in zip(places, estimates, strict=True):
        value, low, high = estimate.value, estimate.low, estimate.high
        if value is None:
            continue
        points.append((x, value))
        bars.append((x, value if low is None else low, value if high is None else high))
    return Line(title=title, points=points, bars=bars, marked=True)
