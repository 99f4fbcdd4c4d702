"""Histograms as SVG, the median marked; values far from all others are counted in a bar at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from irnet.report.colours import LINES
from irnet.report.page import figure
from irnet.report.plot import TICKS, nice_step

WIDTH, HEIGHT = 320, 150  # of the axes, px
LEFT, TOP, RIGHT, BOTTOM = 44, 22, 26, 58  # around them
FEWEST, MOST = 10, 24  # bins over the values
ROOM = 5  # bins at least, so that a single one does not fill the axes
BAR, MEDIAN, BEYOND = LINES[6], LINES[5], LINES[0]
FAR = 3.0  # interquartile ranges beyond a quartile: what is further is far from the others (Tukey)
STRETCH = 1.5  # of the axis by what is far, from which on it gets a bar of its own
END, SPACE = 14, 6  # px of that bar, and between it and the others


def draw_histogram(values: Sequence[float], x: str, *, whole: bool = False) -> str:
    """The text of an SVG picture of how `values` are spread; `x` says what they are.

    `whole` numbers have bins about them. Values that would stretch the axis are counted in a grey bar at its
    end, and the picture says so. Without a value there is nothing but a sentence.
    """
    if not len(values):
        return _svg(
            f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">nothing to show</text>' + _label(x)
        )

    all_values = np.asarray(values, dtype=np.float64)
    low, high = usual_range(all_values)
    edges = bin_edges(np.clip(all_values, low, high).tolist(), whole=whole)
    below, above = int((all_values < edges[0]).sum()), int((all_values > edges[-1]).sum())
    counts = np.histogram(all_values, edges)[0]
    tall = max(1, int(counts.max()), below, above)
    axis = _Axis(float(edges[0]), float(edges[-1]), below > 0, above > 0)

    parts = [_rulings(tall), _label(x), _x_ticks(axis, whole)]
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        parts.append(_bar(axis.at(left), axis.at(right), count / tall, BAR))
    if below:
        parts.append(_bar(0, END, below / tall, BEYOND))
    if above:
        parts.append(_bar(WIDTH - END, WIDTH, above / tall, BEYOND))
    shift = 0.5 if whole else 0.0
    parts.append(_beyond(below, axis.low + shift, above, axis.high - shift))

    middle = float(np.median(all_values))
    at = axis.at(middle)
    parts.append(f'<path d="M{at:.1f} 0V{HEIGHT}" stroke="{MEDIAN}" stroke-width="1.5"/>')
    parts.append(f'<text x="{at:.1f}" y="-6" text-anchor="middle">median {figure(middle)}</text>')
    return _svg("".join(parts))


def usual_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Both ends of the values (n,), without those that are far from the others and would stretch an axis.

    >>> usual_range(np.array([1.0, 2.0, 2.0, 3.0, 4.0, 100.0]))
    (1.0, 4.0)
    """
    first, third = np.quantile(values, [0.25, 0.75])
    reach = FAR * (third - first)
    near = values[(values >= first - reach) & (values <= third + reach)]
    low, high = float(near.min()), float(near.max())

    least, most = float(values.min()), float(values.max())
    if not reach or most - least <= STRETCH * (high - low):
        return least, most
    return low, high


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


@dataclass(frozen=True)
class _Axis:
    """From values to px; at an end with a bar of its own there is less room."""

    low: float
    high: float
    below: bool
    above: bool

    def at(self, value: float) -> float:
        start, end = (END + SPACE) * self.below, WIDTH - (END + SPACE) * self.above
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return start + share * (end - start)


def _bar(start: float, end: float, height: float, colour: str) -> str:
    top = HEIGHT * (1 - height)
    return (
        f'<rect x="{start + 0.5:.1f}" y="{top:.1f}" width="{max(0.5, end - start - 1):.1f}" '
        f'height="{HEIGHT - top:.1f}" fill="{colour}"/>'
    )


def _beyond(below: int, low: float, above: int, high: float) -> str:
    """What the bars at the ends count, in words below the axis."""
    parts = []
    if below:
        text = f"{below} below {figure(low)}"
        parts.append(f'<text x="0" y="{HEIGHT + 52}" fill-opacity=".75">{text}</text>')
    if above:
        text = f"{above} above {figure(high)}"
        parts.append(
            f'<text x="{WIDTH}" y="{HEIGHT + 52}" text-anchor="end" fill-opacity=".75">{text}</text>'
        )
    return "".join(parts)


def _rulings(tall: int) -> str:
    step = max(1, math.ceil(nice_step(tall, 4)))
    return "".join(
        f'<path d="M0 {y:.1f}H{WIDTH}" stroke="currentColor" stroke-opacity="{0.12 if count else 0.7}"/>'
        f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{count}</text>'
        for count in range(0, tall + 1, step)
        for y in [HEIGHT * (1 - count / tall)]
    )


def _x_ticks(axis: _Axis, whole: bool) -> str:
    step = nice_step(axis.high - axis.low, TICKS)
    step = max(1.0, step) if whole else step
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    return "".join(
        f'<text x="{axis.at(i * step):.1f}" y="{HEIGHT + 17}" text-anchor="middle">{i * step:.10g}</text>'
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
