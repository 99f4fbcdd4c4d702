"""CPU seconds and scores of JOMLS, field by field.

To reach: 10 CPU seconds for 1000 x 1000 px at .2529 um per pixel with 11 cells, compilation left out (the
authors' MATLAB took 1000 s an image).

    python benchmarks/jomls.py [--fields 3] [--cells 11]     # generated fields
    python benchmarks/jomls.py --data DIR                    # an annotated set of your own
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.baselines.jomls import JOMLS
from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS, Content
from irnet.data.coco.coco import read_coco
from irnet.metrics import ImageScore, score_image, summarise
from irnet.synthetic import generate

MPP = 0.2529
COLUMNS = [(CYTOPLASM, name) for name in ("aji", "f1", "overlap_recall")] + [
    (NUCLEUS, name) for name in ("aji", "f1")
]
EXTRA = ("precision", "recall", "isbi2014.dsc", "isbi2014.tprp", "isbi2014.fprp", "isbi2014.fnro")

Field = tuple[str, NDArray[np.uint8], Content]


def draw_fields(fields: int, cells: int) -> Iterator[Field]:
    """Generated fields of so many cells."""
    for seed in range(fields):
        image, truth = generate(seed, mpp=MPP, count=cells)
        yield f"seed {seed}", image, truth


def read_fields(data: Path) -> Iterator[Field]:
    """The images of an annotated set."""
    for entry in read_coco(data):
        sample = entry.read()
        yield sample.name, sample.image, sample.content


def measure(field: Field) -> tuple[float, ImageScore]:
    """CPU seconds and scores of one field."""
    name, image, truth = field
    start = time.process_time()
    found = JOMLS()(image, truth.cells.mpp)
    seconds = time.process_time() - start
    score = score_image(truth, found)
    parts = [len(found.of(CYTOPLASM)), len(truth.cells.of(CYTOPLASM))]
    print_row(name, seconds, parts, [score.classes[label].ratios[key].value for label, key in COLUMNS])
    return seconds, score


def print_row(name: str, seconds: float, counts: list[int], values: list[float | None]) -> None:
    """One line of the table; what is undefined is a dash."""
    cells = "".join(f"{'-' if value is None else format(value, '.3f'):>9}" for value in values)
    print(f"{name:16}{seconds:8.1f}{counts[0]:7}{counts[1]:7}{cells}", flush=True)


def main() -> None:
    """Print a row for each field and one for all, their scores pooled and their seconds averaged."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fields", type=int, default=3)
    parser.add_argument("--cells", type=int, default=11, help="cytoplasms of a generated field")
    parser.add_argument("--data", type=Path, help="a set in COCO form instead")
    options = parser.parse_args()
    JOMLS()(generate(0, size=(200, 200), mpp=MPP)[0], MPP)  # compiles
    heads = "".join(f"{name:>9}" for name in ("AJI", "F1", "ovl.rec", "nuc AJI", "nuc F1"))
    print(f"{'field':16}{'CPU s':>8}{'found':>7}{'true':>7}{heads}")
    fields = read_fields(options.data) if options.data else draw_fields(options.fields, options.cells)
    seconds, scores = zip(*map(measure, fields), strict=True)
    classes = summarise(scores).classes
    pooled = {label: classes[LABEL_NAMES[label]] for label in (CYTOPLASM, NUCLEUS)}
    counts = [pooled[CYTOPLASM].predictions, pooled[CYTOPLASM].truths]
    values = [pooled[label].scores[key].pooled.value for label, key in COLUMNS]
    print_row("all", float(np.mean(seconds)), counts, values)
    for label in pooled:
        more = {key: pooled[label].scores[key].pooled.value for key in EXTRA}
        print(LABEL_NAMES[label], ", ".join(f"{k} {v:.3f}" for k, v in more.items() if v is not None))


if __name__ == "__main__":
    main()
