"""Line plots as SVG: small multiples over one legend, so that no plotting library is needed.

Text and axes have the colour of the text around, and the ground has a class: a dark page shows them dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from irnet.report.colours import LINES

WIDTH, HEIGHT = 300, 220  # of a panel's axes, px
LEFT, TOP, RIGHT, BOTTOM = 48, 30, 14, 40  # around them
LINE_HEIGHT = 18  # of the legend
SAMPLE, GAP, LETTER = 34, 22, 6.6  # px of a line in it, between its entries, and of a letter, about
TICKS = 5

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve; lines of one title have one colour in all panels."""

    title: str
    points: Sequence[Point]
    dot: Point | None = None  # marked
    dashed: bool = False
    marked: bool = False  # every point
    bars: Sequence[tuple[float, float, float]] = ()  # x and both ends of intervals


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes. x runs from 0 to 1, y over what is drawn."""

    title: str
    x: str  # what the horizontal axis is
    lines: Sequence[Line]
    diagonal: bool = False  # draw x = y
    ticks: Sequence[tuple[float, str]] = tuple((i / TICKS, f"{i / TICKS:g}") for i in range(TICKS + 1))
    whole: bool = False  # y from 0 to 1, for every curve


def draw_panels(panels: Sequence[Panel], *, columns: int, colours: Sequence[str] = LINES) -> str:
    """The text of an SVG file: panels row by row, and one legend below them; `colours` in order of titles.

    The legend of several panels names them, or says that it is that of all.
    """
    titles = list(dict.fromkeys(line.title for panel in panels for line in panel.lines))
    of_title = {title: colours[i % len(colours)] for i, title in enumerate(titles)}

    across, down = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    rows = math.ceil(len(panels) / columns)
    entries = _legend(panels, of_title, rows * down + 0.6 * LINE_HEIGHT, columns * across)
    size = columns * across, rows * down + len(entries) * LINE_HEIGHT + 12

    parts = [
        f'<g transform="translate({i % columns * across + LEFT},{i // columns * down + TOP})">'
        f"{_panel(panel, of_title)}</g>"
        for i, panel in enumerate(panels)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {size[0]} {size[1]}" font-family="Helvetica, Arial, sans-serif" font-size="12" '
        f'fill="currentColor" role="img">\n'
        f'<rect class="ground" width="100%" height="100%" fill="white"/>\n'
        + "\n".join([*parts, *entries])
        + "\n</svg>\n"
    )


def _legend(panels: Sequence[Panel], colours: dict[str, str], top: float, width: float) -> list[str]:
    """Lines of the legend, each as wide as the picture at most."""
    named = " and ".join(panel.title for panel in panels) if len(panels) == 2 else "all panels"
    before = f"{named}:" if len(panels) > 1 else ""

    lines, x = [""], float(LEFT)
    if before:
        lines[-1] += f'<text x="{x:.1f}" y="{top + 4:.1f}">{escape(before)}</text>'
        x += _length(before) + GAP
    for title, colour in colours.items():
        if x + SAMPLE + _length(title) > width and lines[-1]:
            lines.append("")
            x = float(LEFT)
        lines[-1] += _entry(title, colour, x, top + (len(lines) - 1) * LINE_HEIGHT)
        x += SAMPLE + _length(title) + GAP
    return lines


def _length(text: str) -> float:
    """px of a text, about."""
    return LETTER * len(text)


def _panel(panel: Panel, colours: dict[str, str]) -> str:
    low, high, step = (0.0, 1.0, 0.2) if panel.whole else nice_range(_heights(panel))

    def place(point: Point) -> str:
        return f"{point[0] * WIDTH:.1f},{HEIGHT - (point[1] - low) / (high - low) * HEIGHT:.1f}"

    parts = [_axes(panel, low, high, step)]
    if panel.diagonal:
        ends = place((low, low)), place((min(high, 1.0), min(high, 1.0)))
        parts.append(
            f'<polyline points="{" ".join(ends)}" fill="none" stroke="currentColor" stroke-opacity=".4" '
            'stroke-dasharray="2 3"/>'
        )
    for line in panel.lines:
        colour, dashes = colours[line.title], ' stroke-dasharray="6 4"' if line.dashed else ""
        points = " ".join(place(point) for point in line.points)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        for x, *ends in line.bars:
            parts.append(f'<polyline points="{" ".join(place((x, y)) for y in ends)}" stroke="{colour}"/>')
        dots = line.points if line.marked else ()
        parts += [_dot(place(point), colour) for point in dots]
        if line.dot is not None:
            parts.append(_dot(place(line.dot), colour))
    return "".join(parts)


def _heights(panel: Panel) -> list[float]:
    ends = [end for line in panel.lines for _, *bar in line.bars for end in bar]
    return ends + [y for line in panel.lines for _, y in line.points]


def _dot(place: str, colour: str) -> str:
    x, y = place.split(",")
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}" stroke="white"/>'


def _axes(panel: Panel, low: float, high: float, step: float) -> str:
    parts = [
        f'<text x="{WIDTH / 2}" y="-10" text-anchor="middle" font-weight="bold">{escape(panel.title)}</text>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT + 34}" text-anchor="middle">{escape(panel.x)}</text>',
    ]

    for i in range(round((high - low) / step) + 1):
        value = low + i * step
        y = HEIGHT - (value - low) / (high - low) * HEIGHT
        parts.append(f'<path d="M0 {y:.1f}H{WIDTH}" stroke="currentColor" stroke-opacity=".12"/>')
        parts.append(f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{value:.10g}</text>')

    for x, text in panel.ticks:
        parts.append(
            f'<text x="{x * WIDTH:.1f}" y="{HEIGHT + 17}" text-anchor="middle">{escape(text)}</text>'
        )

    frame = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="currentColor" stroke-opacity=".7"/>'
    return "".join([*parts, frame])


def _entry(title: str, colour: str, x: float, y: float) -> str:
    end = x + SAMPLE - 8
    return (
        f'<line x1="{x:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{x + SAMPLE:.1f}" y="{y + 4:.1f}">{escape(title)}</text>'
    )


def nice_range(values: Sequence[float]) -> tuple[float, float, float]:
    """Round ends and step of an axis that holds the values; 0 to 1 where there are none.

    >>> nice_range([0.42, 0.71])
    (0.4, 0.8, 0.1)
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return 0.0, 1.0, 0.2
    step = nice_step(max(max(known) - min(known), 1e-3), TICKS)
    low, high = math.floor(min(known) / step + 1e-9), math.ceil(max(known) / step - 1e-9)
    return round(low * step, 10), round(max(high, low + 1) * step, 10), round(step, 10)


def nice_step(extent: float, most: int) -> float:
    """The least of 1, 2 and 5 times a power of ten of which `most` cover an extent.

    >>> nice_step(42.0, 5), nice_step(42.0, 20)
    (10.0, 5.0)
    """
    power = 10.0 ** math.floor(math.log10(extent / most))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if extent / (power * factor) <= most)
