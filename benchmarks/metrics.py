"""Time of the scores: AJI + F1 of one image, all of `score_image`, `summarise` and COCO AP.

To reach: AJI + F1 in 2 ms for 25 x 30 instances at 1000 x 1000 and in 150 ms for 1000 x 1000 at 4000 x 4000.

    python benchmarks/metrics.py [--csv FILE] [--repeats 20]

CPU seconds of one process (wall time beside it): medians over the repeats.
"""

import argparse
import csv
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from irnet.cells import CYTOPLASM, Cells, Content
from irnet.metrics import score_image, summarise
from irnet.metrics.aji import aji
from irnet.metrics.match import Pairwise, match_iou


def ellipse(axes: np.ndarray, turn: float) -> np.ndarray:
    """A cell's crop."""
    reach = int(np.ceil(axes.max()))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return (u / axes[0]) ** 2 + (v / axes[1]) ** 2 <= 1


def scene(truths: int, preds: int, side: int, seed: int = 0) -> tuple[Content, Cells]:
    """Cytoplasms of 35-65 um (half axes 70-130 px) and, as predictions, copies a few pixels off."""
    rng = np.random.default_rng(seed)
    axes, turns = rng.uniform(70, 130, (truths, 2)), rng.uniform(0, np.pi, truths)
    centres = rng.uniform(0, side, (truths, 2))
    again = np.arange(preds) % truths
    moved = centres[again] + rng.normal(0, 6, (preds, 2))
    stretched = axes[again] * rng.uniform(0.9, 1.1, (preds, 2))
    return (
        Content(cells=place(centres, axes, turns, np.ones(truths), side)),
        place(moved, stretched, turns[again], rng.random(preds), side),
    )


def place(centres: np.ndarray, axes: np.ndarray, turns: np.ndarray, scores: np.ndarray, side: int) -> Cells:
    """Ellipses cut to a square frame."""
    margin = 200
    masks = [ellipse(pair, turn) for pair, turn in zip(axes, turns, strict=True)]
    corners = [c - np.array(m.shape) // 2 + margin for c, m in zip(centres.astype(int), masks, strict=True)]
    frame = (side + 2 * margin, side + 2 * margin)
    cells = Cells.build(masks, corners, np.full(len(masks), CYTOPLASM), frame, scores=scores)
    return cells.shift(-margin, -margin, (side, side))


def measure(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median CPU and wall milliseconds."""
    work()
    cpu, wall = [], []
    for _ in range(repeats):
        start_cpu, start_wall = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - start_cpu)
        wall.append(time.perf_counter() - start_wall)
    return 1000 * statistics.median(cpu), 1000 * statistics.median(wall)


def aji_and_f1(truth: Content, pred: Cells) -> tuple:
    """What the figure to reach is about: from masks to both scores."""
    pairs = Pairwise.between(truth.cells, pred)
    return aji(pairs), len(match_iou(pairs))


def cases(repeats: int) -> list[tuple[str, float, float]]:
    """Name, CPU ms and wall ms of each case."""
    small, large = scene(25, 30, 1000), scene(1000, 1000, 4000)
    hundred = [score_image(*scene(25, 30, 1000, seed)) for seed in range(100)]
    few = max(1, repeats // 4)
    return [
        ("AJI + F1, 25 x 30 at 1000 x 1000", *measure(lambda: aji_and_f1(*small), repeats)),
        ("AJI + F1, 1000 x 1000 at 4000 x 4000", *measure(lambda: aji_and_f1(*large), few)),
        ("score_image, 25 x 30 at 1000 x 1000", *measure(lambda: score_image(*small), few)),
        ("score_image, 1000 x 1000 at 4000 x 4000", *measure(lambda: score_image(*large), 1)),
        ("summarise 100 images, 1000 samples", *measure(lambda: summarise(hundred), 1)),
        ("summarise 100 images, no interval", *measure(lambda: summarise(hundred, samples=0), few)),
    ]


def main() -> None:
    """Print the table and, when asked, write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, help="write the figures there too")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}")
    rows = cases(options.repeats)
    for name, cpu, wall in rows:
        print(f"{name:42} {cpu:9.1f} ms CPU {wall:9.1f} ms wall")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("case", "cpu_ms", "wall_ms"), *rows])


if __name__ == "__main__":
    main()
