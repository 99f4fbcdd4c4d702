"""Time and memory of pairing and measuring: 2000 cells, each with a nucleus, on 4000 x 4000 px.

    python benchmarks/morphometry.py [--cells 2000] [--side 4000]

CPU seconds of one process (one thread), once; peak memory of the process.
"""

import argparse
import platform
import resource
import time
from collections.abc import Callable

import numpy as np

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.morphometry.pairing import pair_nuclei, pairing_confidence
from irnet.morphometry.table import measure, to_csv

MARGIN = 150


def ellipse(axes: np.ndarray, turn: float) -> np.ndarray:
    """An instance's crop."""
    reach = int(np.ceil(axes.max()))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return (u / axes[0]) ** 2 + (v / axes[1]) ** 2 <= 1


def draw(count: int, side: int) -> tuple[np.ndarray, Cells]:
    """Cells with half axes of 50 to 100 px, nuclei of 10 to 18 near their middle, and a picture of them."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, side, (count, 2))
    both = np.concatenate([centres, centres + rng.normal(0, 8, (count, 2))]).astype(int)
    axes = np.concatenate([rng.uniform(50, 100, (count, 2)), rng.uniform(10, 18, (count, 2))])
    masks = [ellipse(pair, turn) for pair, turn in zip(axes, rng.uniform(0, np.pi, 2 * count), strict=True)]
    corners = [c - np.array(m.shape) // 2 + MARGIN for c, m in zip(both, masks, strict=True)]
    labels = np.repeat([CYTOPLASM, NUCLEUS], count)
    frame = (side + 2 * MARGIN, side + 2 * MARGIN)
    cells = Cells.build(masks, corners, labels, frame, mpp=0.25).shift(-MARGIN, -MARGIN, (side, side))
    picture = rng.integers(220, 236, (side, side, 3), dtype=np.uint8)
    for mask, (x, y) in zip(cells.masks, cells.offsets, strict=True):
        picture[y : y + mask.shape[0], x : x + mask.shape[1]][mask] //= 2
    return picture, cells


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--side", type=int, default=4000)
    options = parser.parse_args()
    picture, cells = draw(options.cells, options.side)
    linked = pair_nuclei(cells)
    print(f"{platform.machine()}: {len(cells)} instances on {options.side} x {options.side} px")
    for title, work in {
        "pairing": lambda: pair_nuclei(cells),
        "confidence": lambda: pairing_confidence(linked),
        "measuring without picture": lambda: measure(linked),
        "measuring": lambda: to_csv(measure(linked, "a.png", picture)),
    }.items():
        print(f"  {title:26} {seconds(work):6.2f} s")
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
