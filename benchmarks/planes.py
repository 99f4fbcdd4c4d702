"""What is found on focal planes that are fused, on the sharpest of each square and on the middle one alone.

Generated fields become stacks of which half of the cells are sharp in one plane and half in another; what is
found on the sharp field is the measure. Also what fusing costs.

OMP_NUM_THREADS=1 python benchmarks/planes.py [--model WEIGHTS] [--planes 5] [--blur 3.5] [--fields 4]
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

import irnet
from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, Cells, reaching
from irnet.inference.predict import Predictor
from irnet.metrics.match import partners
from irnet.models.constants import by_label
from irnet.slides.focus import BEST, FUSE, InFocus
from irnet.slides.readers.slide import Box, Pixels, Slide

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "slides"))
from made_slides import focal_stack  # pyright: ignore[reportMissingImports]

SIDE, CELLS, MPP = 768, 50, 0.37  # of a field


class Stack(Slide):
    """Focal planes (Z, H, W, 3) in memory."""

    def __init__(self, planes: Pixels) -> None:
        self.stack, self.planes, self.levels = planes, len(planes), (planes.shape[1:3],)
        self.reader, self.files = "array", (Path("stack"),)

    def _read(self, plane: int, level: int, box: Box) -> Pixels:
        x1, y1, x2, y2 = box
        return self.stack[plane, y1:y2, x1:x2]


def share_of_half(cells: Cells, seed: int) -> np.ndarray:
    """Of the stain of each pixel (H, W), what is of one half of the cells; half where there is no cell."""
    both = np.zeros((2, *cells.image_shape), dtype=np.float32)
    whole = np.flatnonzero(cells.labels == CYTOPLASM)
    for place, number in enumerate(np.random.default_rng(seed).permutation(whole)):
        (x, y), mask = cells.offsets[number], cells.masks[number]
        both[place % 2, y : y + mask.shape[0], x : x + mask.shape[1]] += mask
    total = both.sum(axis=0)
    return np.where(total > 0, both[0] / np.maximum(total, 1), 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--engine", default="openvino", choices=("openvino", "torch"))
    parser.add_argument("--planes", type=int, default=5)
    parser.add_argument("--blur", type=float, default=3.5, help="px of the Gaussian, a plane")
    parser.add_argument("--fields", type=int, default=4)
    args = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    predictor = Predictor.load(args.model, device="cpu", engine=args.engine)
    cuts = by_label(predictor.settings.predict.score)

    found: dict[str, np.ndarray] = {}
    for seed in range(args.fields):
        field, content = irnet.generate(seed, size=(SIDE, SIDE), mpp=MPP, count=CELLS)
        sharp = args.planes // 4, args.planes - 1 - args.planes // 4
        share = share_of_half(content.cells, seed)
        stack = Stack(focal_stack(field, share, planes=args.planes, sharp=sharp, blur=args.blur))
        whole = 0, 0, SIDE, SIDE
        pictures = {"sharp field": field, "middle plane alone": stack.read(args.planes // 2, 0, whole)}
        for focus in (FUSE, BEST):
            begun = cpu()
            pictures[focus] = InFocus(stack, focus).read(0, 0, whole)
            cost = 1e9 * (cpu() - begun) / args.planes / SIDE**2
            if seed == 0:
                print(f"{focus}: {cost:.0f} CPU ms a megapixel and plane, without decoding")
        for name, picture in pictures.items():
            cells = predictor.find_at(1.0, picture).cells
            counts = count(cells.select(reaching(cells, cuts)), content.cells)
            found[name] = found.get(name, np.zeros_like(counts)) + counts

    for name, counts in found.items():
        shares = ", ".join(
            f"{text} {right} of {total} ({wrong} others)"
            for text, (right, total, wrong) in zip(LABEL_NAMES.values(), counts, strict=True)
        )
        share = counts[:, 0].sum() / found["sharp field"][:, 0].sum()
        print(f"{name}: {shares}, {share:.1%} of the sharp field's")


def count(found: Cells, truth: Cells) -> np.ndarray:
    """Of each class how many are found at IoU .5, how many there are, how many others are found, (2, 3)."""
    matched = partners(truth, found) != NO_PARENT
    rows = []
    for label in LABEL_NAMES:
        right = int((matched & (truth.labels == label)).sum())
        rows.append((right, int((truth.labels == label).sum()), int((found.labels == label).sum()) - right))
    return np.array(rows)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
