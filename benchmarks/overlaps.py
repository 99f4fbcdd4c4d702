"""Where overlaps are lost: to cells that are missed, or to outlines that run short.

    python benchmarks/overlaps.py composites colour --model bundled

Of the pixels under two or more true cytoplasms: those held by the matched find of each of them (overlap
recall), those of a cell that is missed altogether, and those beyond the outline of a cell that is found.
"""

import argparse
from pathlib import Path

import numpy as np

from irnet.cells import CYTOPLASM, Cells
from irnet.data.formats.coco import read_coco
from irnet.engine.evaluate import find_all
from irnet.engine.methods import open_method
from irnet.metrics.match import Pairwise, match_iou


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="annotated sets of small images")
    parser.add_argument("--model", default="bundled")
    arguments = parser.parse_args()
    method = open_method(None, arguments.model, "auto")
    for path in arguments.data:
        entries = read_coco(path)
        found = find_all(method, (entry.read() for entry in entries))
        pixels, ious, missed = np.zeros(3, dtype=np.int64), [], 0  # held, missed, short
        for entry, cells in zip(entries, found, strict=True):
            kept = cells.of(CYTOPLASM)
            kept = kept.select(kept.scores >= method.scores.get(CYTOPLASM, 0.0))
            truths = entry.truth.cells.of(CYTOPLASM)
            pairs = Pairwise.between(truths, kept)
            matches = match_iou(pairs)
            pixels += share_out(truths, kept, dict(matches.tolist()))
            ious += pairs.iou[matches[:, 0], matches[:, 1]].tolist()
            missed += len(truths) - len(matches)
        held, lost, short = pixels / pixels.sum()
        print(
            f"{path.name}: overlap held {held:.3f}, in missed cells {lost:.3f}, beyond short outlines "
            f"{short:.3f}; {missed} of {missed + len(ious)} cells missed, mean IoU {np.mean(ious):.3f}"
        )


def share_out(truths: Cells, finds: Cells, partner: dict[int, int]) -> np.ndarray:
    """Pixels (3,) under two or more truths: held, of a missed cell, beyond an outline."""
    true, found = truths.to_dense(), finds.to_dense()  # (n, H, W) of small images
    shared = true.sum(axis=0) >= 2
    lost, short = np.zeros_like(shared), np.zeros_like(shared)
    for truth, mask in enumerate(true):
        if truth in partner:
            short |= mask & ~found[partner[truth]]
        else:
            lost |= mask
    parts = shared & ~lost & ~short, shared & lost, shared & short & ~lost
    return np.array([np.count_nonzero(part) for part in parts])


if __name__ == "__main__":
    main()
