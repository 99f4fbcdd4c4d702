"""What assistance saves an annotator: answers at clicks and boxes, and interactions until AJI .95.

    python benchmarks/assist.py SET [SET ...] --fields 40     # annotated fields: data sets of irnet
    python benchmarks/assist.py generated --fields 20         # generated ones, seeds from 70000
    python benchmarks/assist.py generated --time              # seconds of one core in a field of 1000 px

A simulated annotator (annotator.py) works on the fields of a set. *Reach*: a cell that no prediction matches
at IoU .5 is clicked: is one of the first two candidates at IoU .8? The same of every cell, as if it alone
were missing. A box is drawn around each with every side 5 % off: is its mask at .85? *Interactions* until the
AJI of both classes is .95, the worst cell first: by hand a click a vertex; by correcting what was predicted a
click to delete and a drag a vertex, a cell drawn anew where that is less; with assistance also a click for a
missing cell, a key for the next candidate, a drag for a box. Shares with 95 % Wilson intervals.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from annotator import Plot, click, drag_box, draw, iou, mend, plot_of
from numpy.typing import NDArray

import irnet
from irnet.cells import LABEL_NAMES, Cells
from irnet.data.coco.coco import read_coco
from irnet.data.image import read_image
from irnet.geometry.masks import Mask
from irnet.inference.predict import Predictor
from irnet.inference.prompts import EncodedImage

MATCHED, LOOKS_RIGHT, BOX_RIGHT, DONE = 0.5, 0.8, 0.85, 0.95
BETTER = 0.005  # than that an outline becomes, for it to be the mean of all
SHOWN = 2  # candidates that the annotator looks at
FIRST_SEED, SIDE, MPP = 70_000, 512, 0.37
WAYS = ("by hand", "correcting", "assisted")

Field = tuple[NDArray[np.uint8], Cells]


def main() -> None:
    """Print the table of each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets", nargs="+", help="data sets, or `generated`")
    parser.add_argument("--fields", type=int, default=40, help="how many of each, the first")
    parser.add_argument("--aji", type=float, default=DONE, help="that the annotator is content with")
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--time", action="store_true", help="time prompts instead")
    arguments = parser.parse_args()
    predictor = Predictor.load(arguments.weights, device="cpu", engine=arguments.engine)
    if arguments.time:
        return clock(predictor)

    for name in arguments.sets:
        reach: dict[tuple[str, str], list[bool]] = defaultdict(list)
        work: dict[str, list[int]] = defaultdict(list)
        rng = np.random.default_rng(0)
        for image, truth in fields(name, arguments.fields):
            mpp = truth.mpp or MPP
            encoded, found = predictor.encode(image, mpp), predictor.predict(image, mpp)
            partner = match(truth, found)
            ask_all(encoded, truth, found, partner=partner, rng=rng, reach=reach)
            for way in WAYS:
                work[way].append(
                    annotate(way, encoded, truth, found, partner=partner, rng=rng, aji=arguments.aji)
                )
        report(name, reach, work)


def fields(name: str, count: int) -> Iterator[Field]:
    """Images with their true cells."""
    if name == "generated":
        for seed in range(FIRST_SEED, FIRST_SEED + count):
            image, content = irnet.generate(seed, size=(SIDE, SIDE), mpp=MPP, layout="dense")
            yield image, content.cells
        return
    for entry in read_coco(Path(name))[:count]:
        yield read_image(entry.path).pixels, entry.content.cells


def match(truth: Cells, found: Cells) -> NDArray[np.int64]:
    """Which instance found is each true one, (n,), -1 for none; one to one, the best pairs first."""
    overlap = truth.iou(found) * (truth.labels[:, None] == found.labels[None])
    partner, free = np.full(len(truth), -1), np.ones(len(found), dtype=bool)
    for i, j in np.dstack(np.unravel_index(np.argsort(-overlap, axis=None), overlap.shape))[0]:
        if overlap[i, j] >= MATCHED and partner[i] < 0 and free[j]:
            partner[i], free[j] = j, False
    return partner


def ask_all(
    encoded: EncodedImage,
    truth: Cells,
    found: Cells,
    *,
    partner: NDArray[np.int64],
    rng: np.random.Generator,
    reach: dict[tuple[str, str], list[bool]],
) -> None:
    """Click on each cell as if it alone were missing, and draw a box around it."""
    for index in range(len(truth)):
        name = LABEL_NAMES[int(truth.labels[index])]
        others = found.select(np.arange(len(found)) != partner[index])
        best = max(clicked(encoded, truth, index, known=others, rng=rng), default=0.0)
        kinds = ["every", "missed"] if partner[index] < 0 else ["every"]
        for kind in kinds:
            reach[name, f"click, {kind}"].append(best >= LOOKS_RIGHT)

        drawn = encoded.mask_of(drag_box(truth, index, rng), name)
        for kind in kinds:
            reach[name, f"box, {kind}"].append(bool(drawn.iou(truth.select([index]))[0, 0] >= BOX_RIGHT))


def clicked(
    encoded: EncodedImage, truth: Cells, index: int, *, known: Cells, rng: np.random.Generator
) -> list[float]:
    """IoU of the candidates that a click on a cell shows."""
    label = int(truth.labels[index])
    found = encoded.candidates(click(truth, index, rng), label, known=known)
    return found.cells.select(~found.known)[:SHOWN].iou(truth.select([index]))[:, 0].tolist()


def annotate(
    way: str,
    encoded: EncodedImage,
    truth: Cells,
    found: Cells,
    *,
    partner: NDArray[np.int64],
    rng: np.random.Generator,
    aji: float,
) -> int:
    """Interactions until the AJI of each class is high enough."""
    if way == "by hand":
        found, partner = Cells.empty(truth.image_shape), np.full(len(truth), -1)
    false = set(range(len(found))) - set(partner.tolist())
    total = len(false)  # deleted

    for label in LABEL_NAMES:
        mine = np.flatnonzero(truth.labels == label).tolist()
        start = {i: found.select([partner[i]]) if partner[i] >= 0 else None for i in mine}
        plots = {i: plot_of(truth, i, start[i]) for i in mine}
        masks = {i: on_plot(start[i], plots[i]) for i in mine}

        for i in sorted(mine, key=lambda i: -loss(masks[i], plots[i])):
            if jaccard(masks, plots) >= aji:
                break
            spent = 0
            if way == "assisted" and iou(masks[i], plots[i].truth) < LOOKS_RIGHT:
                masks[i], spent = ask(encoded, truth, i, masks[i], plots[i], known=found, rng=rng)
            masks[i], mended = finish(masks[i], plots[i], aji + BETTER)
            total += spent + mended
    return total


def ask(
    encoded: EncodedImage,
    truth: Cells,
    index: int,
    mask: Mask,
    plot: Plot,
    *,
    known: Cells,
    rng: np.random.Generator,
) -> tuple[Mask, int]:
    """Click, go on to the next candidate, draw a box, until a mask looks right: the best, and how many."""
    label, spent, best = int(truth.labels[index]), 0, mask
    there = encoded.candidates(click(truth, index, rng), label, known=known)
    shown = SHOWN if not mask.any() else 0  # what is there already gets a box
    for cell in there.cells.select(~there.known)[:shown]:
        spent += 1
        best = max(best, on_plot(cell, plot), key=lambda each: iou(each, plot.truth))
        if iou(best, plot.truth) >= LOOKS_RIGHT:
            return best, spent

    drawn = on_plot(encoded.mask_of(drag_box(truth, index, rng), label), plot)
    return max(best, drawn, key=lambda each: iou(each, plot.truth)), spent + 1


def finish(mask: Mask, plot: Plot, good: float) -> tuple[Mask, int]:
    """Mend a mask until it has an IoU of `good`, or draw the cell anew where that is less."""
    drawn, by_hand = draw(plot, good)
    mended, drags = mend(mask, plot, good, by_hand) if mask.any() else (mask, by_hand)
    return (mended, drags) if iou(mended, plot.truth) >= good else (drawn, by_hand)


def on_plot(cell: Cells | None, plot: Plot) -> Mask:
    """The mask of one cell on a plot."""
    if cell is None:
        return np.zeros_like(plot.truth)
    (x, y), (height, width) = plot.corner, plot.truth.shape
    return cell.cover([0], (x, y, x + width, y + height))


def loss(mask: Mask, plot: Plot) -> int:
    """Pixels that are wrong."""
    return int(np.count_nonzero(mask ^ plot.truth))


def jaccard(masks: dict[int, Mask], plots: dict[int, Plot]) -> float:
    """Aggregated Jaccard index of masks that belong to true cells, none left over."""
    shared = sum(np.count_nonzero(masks[i] & plots[i].truth) for i in masks)
    either = sum(np.count_nonzero(masks[i] | plots[i].truth) for i in masks)
    return float(shared / either) if either else 1.0


def report(name: str, reach: dict[tuple[str, str], list[bool]], work: dict[str, list[int]]) -> None:
    """Print the shares and the interactions of a set."""
    print(f"\n{Path(name).name}: {len(work[WAYS[0]])} fields")
    for (label, kind), right in sorted(reach.items()):
        low, high = wilson(sum(right), len(right))
        print(f"  {label:9} {kind:13} {np.mean(right):.3f} [{low:.3f}, {high:.3f}] of {len(right)}")

    sums = {way: sum(work[way]) for way in WAYS}
    for way, total in sums.items():
        print(
            f"  {way:10} {total} interactions, {total / len(work[way]):.1f} a field, "
            f"{total / sums[WAYS[0]]:.3f} of those by hand"
        )


def clock(predictor: Predictor) -> None:
    """Print CPU seconds of this process for a prediction, an encoding and prompts."""
    image, content = irnet.generate(FIRST_SEED, size=(1000, 1000), mpp=MPP)
    boxes = content.cells.boxes[:40]
    predictor.predict(image, mpp=MPP)  # what is made at first use

    spent = {}
    start = time.process_time()
    predictor.predict(image, mpp=MPP)
    spent["predict"] = time.process_time() - start

    start = time.process_time()
    encoded = predictor.encode(image, mpp=MPP)
    spent["encode"] = time.process_time() - start

    for what in (None, "cytoplasm"):
        start = time.process_time()
        for box in boxes:
            encoded.candidates((box[:2] + box[2:]) / 2, what)
        spent[f"candidates, {what or 'both'}"] = (time.process_time() - start) / len(boxes)
    start = time.process_time()
    for box in boxes:
        encoded.mask_of(box, "cytoplasm")
    spent["mask_of one box"] = (time.process_time() - start) / len(boxes)
    print(predictor.engine.name, *(f"{what} {seconds:.3f} s" for what, seconds in spent.items()), sep="; ")


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    z, share = 1.96, right / count
    middle, wide = (
        share + z**2 / (2 * count),
        z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)),
    )
    return (middle - wide) / (1 + z**2 / count), (middle + wide) / (1 + z**2 / count)


if __name__ == "__main__":
    main()
