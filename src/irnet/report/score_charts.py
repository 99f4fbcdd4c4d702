"""Charts of a summary of scores: score cut, calibration, overlap degree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from irnet.cells import LABEL_NAMES, Cells, Content, Cuts
from irnet.metrics.degree import DEGREE_NAMES
from irnet.metrics.operating import f1_curve
from irnet.report.colours import LINES
from irnet.report.plot import Line, Panel, draw_panels

COLOURS = (LINES[2], LINES[6], LINES[5])
POINTS = 200  # of a curve at most
CURVES = {"F1": "f1", "precision": "precision", "recall": "recall"}
DEGREES = {"F1": "f1", "AJI": "aji", "recall": "recall"}
BESIDE = 0.025  # of an axis: intervals of one degree stand side by side
Summary = Mapping[str, Any]


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


def draw_calibration(classes: Summary) -> Markup:
    """IoU with the match, and the share of right finds, against the score; on the diagonal it is right."""
    panels = []
    for name, block in classes.items():
        rows = [row for row in block["calibration"]["bins"] if row["count"]]
        lines = [
            Line(title=title, points=[(row["score"], row[key]) for row in rows], marked=True)
            for title, key in (("mean IoU with the match", "iou"), ("share of right finds", "right"))
        ]
        panels.append(Panel(title=name, x="mean score", lines=lines, diagonal=True, whole=True))
    return Markup(draw_panels(panels, columns=2, colours=COLOURS))


def draw_degrees(classes: Summary) -> Markup:
    """F1, AJI and recall of each class, with intervals, by the share of a cell that others cover."""
    places = [(i + 0.5) / len(DEGREE_NAMES) for i in range(len(DEGREE_NAMES))]
    ticks = tuple(zip(places, DEGREE_NAMES, strict=True))
    panels = []
    for name, block in classes.items():
        lines = []
        for number, (title, key) in enumerate(DEGREES.items()):
            shift = (number - 1) * BESIDE
            parts = [block["by_degree"][degree][key] for degree in DEGREE_NAMES]
            known = [(x + shift, p) for x, p in zip(places, parts, strict=True) if p["value"] is not None]
            spread = [(x, p["value"] if p["low"] is None else p["low"], _high(p)) for x, p in known]
            lines.append(
                Line(title=title, points=[(x, p["value"]) for x, p in known], bars=spread, marked=True)
            )
        panels.append(Panel(title=name, x="share covered by others", lines=lines, ticks=ticks, whole=True))
    return Markup(draw_panels(panels, columns=2, colours=COLOURS))


def _high(part: Summary) -> float:
    return part["value"] if part["high"] is None else part["high"]
