"""What label maps keep of overlapping cells, by the order in which cells are drawn.

irnet synth -o smears --images 40 --patients 8 --seed 0
python benchmarks/label_maps.py smears
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells, Content
from irnet.data.coco.coco import read_coco
from irnet.metrics import score_image, summarise
from irnet.metrics.flatten import flatten

ORDERS: dict[str, Callable[[Cells], NDArray]] = {  # on top -> depth of each cell
    "the smaller": lambda cells: cells.areas,
    "the larger": lambda cells: -cells.areas,
    "the first": lambda cells: np.arange(len(cells)),
    "the last": lambda cells: -np.arange(len(cells)),
}
FIGURES = ("aji", "f1", "recall_70", "overlap_recall")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", help="folder of a data set, or a COCO file")
    truths = [entry.content for entry in read_coco(parser.parse_args().data)]
    print("on top       class      ", *(f"{figure:>14}" for figure in FIGURES))
    for order, depth in ORDERS.items():
        for name, values in score(truths, depth).items():
            print(f"{order:12} {name:11}", *(f"{value:14.3f}" for value in values))


def score(truths: list[Content], depth: Callable[[Cells], NDArray]) -> dict[str, list[float]]:
    """Pooled figures of each class."""
    flat = [flatten(truth.cells, depth(truth.cells)) for truth in truths]
    pairs = zip(truths, flat, strict=True)
    summary = summarise([score_image(truth, cells) for truth, cells in pairs], samples=0, scored=False)
    return {
        name: [part.scores[figure].pooled.value or 0.0 for figure in FIGURES]
        for name, part in summary.classes.items()
    }


if __name__ == "__main__":
    main()
