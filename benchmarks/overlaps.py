"""Where overlaps are lost: to cells that are missed, or to outlines that run short; AJI where most overlaps.

    python benchmarks/overlaps.py composites colour --model bundled

Of the pixels under two or more true cytoplasms: those held by the matched find of each of them (overlap
recall), those of a cell that is missed altogether, and those beyond the outline of a cell that is found. The
densest fifth of the fields is that of the largest mean share of a cell under another one.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, Cells, Cuts, reaching
from irnet.data.coco.coco import read_coco
from irnet.data.sample import Entry
from irnet.inference.methods import find_all, open_method
from irnet.inference.scale import OWN
from irnet.metrics import score_image, summarise
from irnet.metrics.match import Pairwise, match_iou


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="annotated sets of small images")
    parser.add_argument("--model", default="bundled")
    arguments = parser.parse_args()
    method = open_method(None, arguments.model, "auto")
    for path in arguments.data:
        entries = read_coco(path)
        found = find_all(method, (entry.read() for entry in entries), scale=OWN)
        print(f"{path.name}: {losses(entries, found, method.scores)}")
        print(f"  {densest(entries, found, method.scores)}", flush=True)


def losses(entries: Sequence[Entry], found: Sequence[Cells], cuts: Cuts) -> str:
    """Who holds the overlaps of cytoplasms, and how well the cells that are found are outlined."""
    pixels, ious, missed = np.zeros(3, dtype=np.int64), [], 0  # held, missed, short
    for entry, cells in zip(entries, found, strict=True):
        truths, preds = entry.content.cells.of(CYTOPLASM), cells.select(reaching(cells, cuts)).of(CYTOPLASM)
        pairs = Pairwise.between(truths, preds)
        matches = match_iou(pairs)
        pixels += share_out(truths, preds, dict(matches.tolist()))
        ious += pairs.iou[pairs.find(matches)].tolist()
        missed += len(truths) - len(matches)
    held, lost, short = pixels / pixels.sum()
    return (
        f"overlap held {held:.3f}, in missed cells {lost:.3f}, beyond short outlines {short:.3f}; "
        f"{missed} of {missed + len(ious)} cells missed, mean IoU of the others {np.mean(ious):.3f}"
    )


def densest(entries: Sequence[Entry], found: Sequence[Cells], cuts: Cuts) -> str:
    """Pooled AJI of cytoplasms in the fifth of the fields that overlaps most."""
    degrees = np.array([overlapped(entry.content.cells.of(CYTOPLASM)) for entry in entries])
    fields = np.argsort(-degrees, kind="stable")[: max(1, len(entries) // 5)]
    summary = summarise([score_image(entries[i].content, found[i], cuts) for i in fields])
    aji = summary.classes["cytoplasm"].scores["aji"].pooled
    return (
        f"densest fifth ({len(fields)} fields, {degrees[fields].min():.2f} to {degrees[fields].max():.2f} of "
        f"a cell under another one): AJI {aji.text()}"
    )


def overlapped(cells: Cells) -> float:
    """Mean share of a cell under that other one which covers most of it."""
    shared = cells.intersections(cells)
    np.fill_diagonal(shared, 0)
    return float(np.mean(shared.max(axis=1, initial=0) / cells.areas)) if len(cells) else 0.0


def share_out(truths: Cells, preds: Cells, partner: dict[int, int]) -> NDArray[np.int64]:
    """Pixels (3,) under two or more truths: held, of a missed cell, beyond an outline."""
    true, found = truths.to_dense(), preds.to_dense()  # (n, H, W) of small images
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
