"""Time of a generated field, and its densities, sizes, numbers and overlaps beside those of real smears.

To reach: 1 s for 1000 x 1000 at .2529 um per pixel, 100 ms for 512 x 512 at .37, on one core.

    python benchmarks/generator.py [--fields 40] [--csv FILE]

CPU milliseconds of one process, medians over fields; the first field of each kind, which draws the
textures, is not counted.
"""

import argparse
import csv
import os
import platform
import statistics
import time
from pathlib import Path
from typing import get_args

import numpy as np

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Content
from irnet.synthetic import generate
from irnet.synthetic.layout import LayoutName
from irnet.synthetic.stain import Palette

FIELDS = [(1000, 0.2529), (512, 0.37), (1024, 0.37)]
STATISTICS_SIDE, STATISTICS_MPP = 512, 0.37


def time_fields(fields: int) -> list[tuple[str, float]]:
    """Name and CPU ms of each kind of field."""
    rows = []
    for side, mpp in FIELDS:
        for palette, layout in (("grey", "dense"), ("grey", "cps"), ("pap", "dense"), ("pap", "cps")):
            taken = []
            for seed in range(fields + 1):
                start = time.process_time()
                generate(seed, size=(side, side), mpp=mpp, layout=layout, palette=palette)
                taken.append(time.process_time() - start)
            name = f"{side} x {side} at {mpp:g}, {palette}, {layout}"
            rows.append((name, 1000 * statistics.median(taken[1:])))
    return rows


def count_overlaps(truths: list[Content]) -> list[tuple[str, float]]:
    """Numbers a field, share of overlapped cells, IoU of overlapping pairs, share of the field covered."""
    overlapped, ious, covered = [], [], []
    for truth in truths:
        cells = truth.cells.of(CYTOPLASM)
        shared, areas = cells.intersections(cells).astype(float), cells.areas.astype(float)
        np.fill_diagonal(shared, 0)
        overlapped += list(shared.max(axis=1, initial=0) > 0)
        a, b = np.nonzero(np.triu(shared))
        ious += list(shared[a, b] / (areas[a] + areas[b] - shared[a, b]))
        covered.append(cells.to_dense().any(axis=0).mean())
    return [
        ("cytoplasms a field", float(np.mean([len(t.cells.of(CYTOPLASM)) for t in truths]))),
        ("nuclei a field", float(np.mean([len(t.cells.of(NUCLEUS)) for t in truths]))),
        ("share of cells overlapped", float(np.mean(overlapped))),
        ("IoU of overlapping pairs, median", float(np.median(ious))),
        ("IoU of overlapping pairs, 95 %", float(np.percentile(ious, 95))),
        ("share of the field covered", float(np.mean(covered))),
    ]


def measure_densities(pictures: list[np.ndarray], truths: list[Content]) -> list[tuple[str, float]]:
    """Optical densities of single cytoplasms and nuclei, and nuclear areas, as measured on real fields."""
    cytoplasm, nuclei, areas = [], [], []
    for picture, truth in zip(pictures, truths, strict=True):
        grey = picture[..., 0].astype(float)
        density = np.log10(np.percentile(grey, 95) / np.maximum(grey, 1))
        cells = truth.cells
        whole, inner = cells.of(CYTOPLASM).to_dense(), cells.of(NUCLEUS).to_dense()
        single = (whole.sum(axis=0) == 1) & ~inner.any(axis=0)
        cytoplasm += [np.median(density[mask & single]) for mask in whole if (mask & single).any()]
        nuclei += [np.median(density[mask]) for mask in inner]
        linked = cells.select((cells.labels == NUCLEUS) & (cells.parents != NO_PARENT))
        areas += list(linked.areas * STATISTICS_MPP**2)
    rows = []
    for name, values in (
        ("single cytoplasm, OD", cytoplasm),
        ("nucleus, OD", nuclei),
        ("nucleus, um2", areas),
    ):
        rows += [(f"{name}, {q} %", float(np.percentile(values, q))) for q in (5, 50, 95)]
    return rows


def main() -> None:
    """Print the tables and, when asked, write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fields", type=int, default=40, help="fields of each kind")
    parser.add_argument("--csv", type=Path, help="write the figures there too")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}")
    rows = [("time", name, value) for name, value in time_fields(max(4, options.fields // 4))]
    for layout in get_args(LayoutName):
        side = 1000 if layout == "cps" else STATISTICS_SIDE
        mpp = 0.2529 if layout == "cps" else STATISTICS_MPP
        drawn = [draw(seed, side, mpp, layout, "grey") for seed in range(options.fields)]
        rows += [(layout, name, value) for name, value in count_overlaps([truth for _, truth in drawn])]
        if layout == "dense":
            measured = measure_densities(*map(list, zip(*drawn, strict=True)))
            rows += [("grey", name, value) for name, value in measured]
    for group, name, value in rows:
        print(f"{group:8}{name:44}{value:10.3f}")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("group", "name", "value"), *rows])


def draw(
    seed: int, side: int, mpp: float, layout: LayoutName, palette: Palette
) -> tuple[np.ndarray, Content]:
    """A square field."""
    return generate(seed, size=(side, side), mpp=mpp, layout=layout, palette=palette)


if __name__ == "__main__":
    main()
