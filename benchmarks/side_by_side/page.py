"""The table and the two plots of what `side_by_side measure` has measured."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

Looks = Sequence[Mapping[str, Any]]

ACROSS = ("side", "cells")
NAMES = {"side": "side of the field, px", "cells": "cells in the field"}
COLOURS = (*matplotlib.colormaps["tab10"].colors, "darkgoldenrod", "black")  # of the tools, in their order


def show(looks: Looks, out: Path, titles: Mapping[str, str], rival: str) -> None:
    """Write table.md, side.svg and cells.svg to a folder.

    Args:
        looks: of `looks.jsonl`.
        out: the folder.
        titles: name of each tool for people, in the order of the table.
        rival: the tool that the ratios are of.
    """
    (out / "table.md").write_text("\n".join(table(looks, titles, rival)) + "\n")
    matplotlib.rcParams |= {"svg.hashsalt": "irnet", "svg.fonttype": "none", "font.size": 9}
    for across in ACROSS:
        figure = draw(looks, titles, across)
        figure.savefig(out / f"{across}.svg", metadata={"Date": None})


def table(looks: Looks, titles: Mapping[str, str], rival: str) -> list[str]:
    """Markdown: of each tool its CPU seconds, their ratio within rounds, memory, and larger fields."""
    side, cells = (looks[0][key] for key in ACROSS)
    sizes = sorted({row["side"] for row in looks} - {side})
    rivals = {row["round"]: row["cpu_s"] for row in _of(looks, rival, side=side, cells=cells)}

    lines = [f"| | CPU s | of Mask R-CNN | peak MiB | {' | '.join(f'{one} px, CPU s' for one in sizes)} |"]
    lines.append("|---" * (4 + len(sizes)) + "|")
    for tool, title in titles.items():
        rows = _of(looks, tool, side=side, cells=cells)
        larger = [_of_density(looks, tool, one, side, cells) for one in sizes]
        if not rows:
            reasons = [
                row["failed"].split(": ")[-2:][0] for row in looks if row["tool"] == tool and "failed" in row
            ]
            lines.append(
                f"| {title} | {reasons[0] if reasons else 'not measured'} |" + " |" * (2 + len(sizes))
            )
            continue

        seconds = statistics.median(row["cpu_s"] for row in rows)
        ratios = [row["cpu_s"] / rivals[row["round"]] for row in rows if row["round"] in rivals]
        ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
        peak = max(row["peak_mib"] for row in rows)
        lines.append(f"| {title} | {seconds:.2f} | {ratio} | {peak} | {' | '.join(larger)} |")
    return lines


def _of(looks: Looks, tool: str, **at: int) -> list[Mapping[str, Any]]:
    """The looks of a tool at a field that came to something."""
    return [
        row
        for row in looks
        if row["tool"] == tool and "failed" not in row and all(row[key] == value for key, value in at.items())
    ]


def _of_density(looks: Looks, tool: str, side: int, first: int, cells: int) -> str:
    """CPU seconds at a larger or smaller field as dense as the first, or why there are none."""
    count = round(cells * (side / first) ** 2)
    rows = [row for row in looks if (row["tool"], row["side"], row["cells"]) == (tool, side, count)]
    if not rows:
        return ""
    return rows[0].get("failed") or f"{rows[0]['cpu_s']:.1f}"


def draw(looks: Looks, titles: Mapping[str, str], across: str) -> Figure:
    """CPU seconds, and memory, over the side of fields or over the cells in them."""
    first = looks[0]
    density = first["cells"] / first["side"] ** 2
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panels = dict(zip(("cpu_s", "peak_mib"), figure.subplots(1, 2), strict=True))
    for colour, (tool, title) in zip(COLOURS, titles.items(), strict=False):
        for key, axes in panels.items():
            _line(
                axes, looks, (tool, title.replace("`", ""), colour), across=across, key=key, density=density
            )

    panels["cpu_s"].set_ylabel("CPU s")
    panels["peak_mib"].set_ylabel("peak memory, MiB")
    for axes in panels.values():
        axes.set(xscale="log", yscale="log", xlabel=NAMES[across])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        xs = sorted({x for line in axes.lines for x in line.get_xdata()})
        axes.set_xticks(xs, [f"{x:,}" for x in xs])
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = panels["cpu_s"].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _line(
    axes: Axes, looks: Looks, tool: tuple[str, str, Any], *, across: str, key: str, density: float
) -> None:
    """One curve for fields of one density, or one for each side with several numbers of cells.

    `tool` is its name in the looks, its name for people and its colour; what is not irnet has broken lines.
    """
    name, title, colour = tool
    curves: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in looks:
        if row["tool"] != name or "failed" in row:
            continue
        alike = abs(row["cells"] - density * row["side"] ** 2) <= 1
        if across == "side" and alike:
            curves[0][row["side"]].append(row[key])
        if across == "cells":
            curves[row["side"]][row["cells"]].append(row[key])

    style = "-" if title.startswith("irnet") else "--"
    for side, points in sorted(curves.items()):
        if len(points) < 2:
            continue
        xs = sorted(points)
        ys = [statistics.median(points[x]) for x in xs]
        label = f"{title}, {side} px" if across == "cells" else title
        axes.plot(xs, ys, style, marker="os"[side > 1000], markersize=3, label=label, color=colour)
