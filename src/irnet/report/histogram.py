"""Histograms as SVG, the median marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from irnet.report.colours import LINES
from irnet.report.page import figure
from irnet.report.plot import TICKS, nice_step

WIDTH, HEIGHT = 320, 150  # of the axes, px
LEFT, TOP, RIGHT, BOTTOM = 44, 22, 16, 42  # around them
FEWEST, MOST = 10, 24  # bins over the values
ROOM = 5  # bins at least, so that a single one does not fill the axes
BAR, MEDIAN = LINES[6], LINES[5]


def draw_histogram(values: Sequence[float], x: str, *, whole: bool = False) -> str:
    """The text of an SVG picture of how `values` are spread; `x` says what they are.

    `whole` numbers have bins about them. Without a value there is nothing but a sentence.
    """
    if not len(values):
        return _svg(
            f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">nothing to show</text>' + _label(x)
        )

    edges = bin_edges(values, whole=whole)
    counts = np.histogram(values, edges)[0]
    low, high = float(edges[0]), float(edges[-1])
    tall = max(1, int(counts.max()))

    parts = [_rulings(tall), _label(x), _x_ticks(low, high, whole)]
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        start, end = _across(left, low, high), _across(right, low, high)
        top = HEIGHT * (1 - count / tall)
        parts.append(
            f'<rect x="{start + 0.5:.1f}" y="{top:.1f}" width="{max(0.5, end - start - 1):.1f}" '
            f'height="{HEIGHT - top:.1f}" fill="{BAR}"/>'
        )

    middle = float(np.median(values))
    at = _across(middle, low, high)
    parts.append(f'<path d="M{at:.1f} 0V{HEIGHT}" stroke="{MEDIAN}" stroke-width="1.5"/>')
    parts.append(f'<text x="{at:.1f}" y="-6" text-anchor="middle">median {figure(middle)}</text>')
    return _svg("".join(parts))


def bin_edges(values: Sequence[float], *, whole: bool = False) -> NDArray[np.float64]:
    """Ends of bins of one round width that hold all values, more of them for more values.

    >>> bin_edges([1, 2, 2, 3], whole=True).tolist()
    [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5]
    """
    low, high = float(min(values)), float(max(values))
    wanted = int(np.clip(1.5 * math.sqrt(len(values)), FEWEST, MOST))
    step = nice_step(max(high - low, 0.01 * abs(high), 1e-3), wanted)
    shift = 0.0
    if whole:
        step, shift = max(1.0, step), -0.5
    first = math.floor((low - shift) / step + 1e-9)
    count = math.floor((high - shift) / step + 1e-9) + 1 - first
    pad = max(0, ROOM - count + 1) // 2
    ends = (first - pad + np.arange(count + 1 + 2 * pad, dtype=np.float64)) * step + shift
    return ends.round(10)


def _across(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) * WIDTH


def _rulings(tall: int) -> str:
    step = max(1, math.ceil(nice_step(tall, 4)))
    return "".join(
        f'<path d="M0 {y:.1f}H{WIDTH}" stroke="currentColor" stroke-opacity="{0.12 if count else 0.7}"/>'
        f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{count}</text>'
        for count in range(0, tall + 1, step)
        for y in [HEIGHT * (1 - count / tall)]
    )


def _x_ticks(low: float, high: float, whole: bool) -> str:
    step = nice_step(high - low, TICKS)
    step = max(1.0, step) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return "".join(
        f'<text x="{_across(i * step, low, high):.1f}" y="{HEIGHT + 17}" text-anchor="middle">'
        f"{i * step:.10g}</text>"
        for i in range(first, last + 1)
    )


def _label(x: str) -> str:
    return f'<text x="{WIDTH / 2}" y="{HEIGHT + 36}" text-anchor="middle">{escape(x)}</text>'


def _svg(inner: str) -> str:
    size = f"{LEFT + WIDTH + RIGHT} {TOP + HEIGHT + BOTTOM}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" fill="currentColor" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="12">'
        f'<g transform="translate({LEFT},{TOP})">{inner}</g></svg>'
    )
