"""How far the answer from windows is from that in one piece, and what it costs, with the bundled weights.

    python benchmarks/windows.py --fields 3 --windows 1280/256 1024/384

The rule of ownership is exact for candidates that do not depend on where a window lies
(tests/slides/test_seams.py); a network's do a little: through its receptive field, the norms of its pyramid,
which see the whole window, and its limits of candidates. Windows are named core/halo, px; their seams lie at
other places where cores are of another size. CPU seconds of one process, the field's drawing left out.
"""

import argparse
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from irnet.cells import LABEL_NAMES, Cells, Content, reaching
from irnet.inference import segmenter, windows
from irnet.inference.predict import Predictor
from irnet.metrics import score_image, summarise
from irnet.slides.windows import plan_windows
from irnet.synthetic import generate

MPP = 0.37
LAYOUTS = ("cps", "dense", "crowded")
SAME = 0.9  # two outlines that agree to this IoU are called the same cell


class Way(NamedTuple):
    """A way to look at a field: in one piece, or in windows."""

    name: str
    one_piece: int  # px a side
    windows: tuple[int, int]  # core and halo, px


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fields", type=int, default=3)
    parser.add_argument("--side", type=int, default=3072)
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("--windows", nargs="+", default=["1280/256"])
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--model")
    arguments = parser.parse_args()

    predictor = Predictor.load(arguments.model, device="cpu", engine=arguments.engine)
    ways = [Way("one piece", arguments.side, windows.WINDOWS[0])]
    for text in arguments.windows:
        core, halo = map(int, text.split("/"))
        ways.append(Way(text, 0, (core, halo)))

    truths, found, seconds = [], {way: [] for way in ways}, dict.fromkeys(ways, 0.0)
    for number in range(arguments.fields):
        image, truth = generate(
            arguments.seed + number,
            size=(arguments.side, arguments.side),
            mpp=MPP,
            layout=LAYOUTS[number % len(LAYOUTS)],
        )
        truths.append(truth)
        for way in ways:
            begun = time.process_time()
            found[way].append(look(predictor, image, way))
            seconds[way] += time.process_time() - begun
    report(truths, found, seconds, arguments.side)


def look(predictor: Predictor, image: np.ndarray, way: Way) -> Cells:
    """All candidates."""
    segmenter.ONE_PIECE, windows.WINDOWS = way.one_piece, (way.windows,)
    return predictor.find(image, MPP).cells


def report(
    truths: Sequence[Content], found: dict[Way, list[Cells]], seconds: dict[Way, float], side: int
) -> None:
    """Print each way's agreement with one piece, and both against the truth."""
    print(
        "| windows | class | found | same at IoU .9 | others | score shift: median, 95 % | AJI, F1 to truth "
        "| area seen | CPU s a field |\n|---|---|---|---|---|---|---|---|---|"
    )
    cuts = Predictor.load(device="cpu", engine="auto").scores
    whole = next(iter(found.values()))
    for way, fields in found.items():
        sure = [cells.select(reaching(cells, cuts)) for cells in fields]
        scores = summarise([score_image(*pair) for pair in zip(truths, sure, strict=True)], samples=0)
        for label, name in LABEL_NAMES.items():
            pairs = [
                (one.of(label), part.of(label), all_of.of(label))
                for one, part, all_of in zip(
                    (cells.select(reaching(cells, cuts)) for cells in whole), sure, fields, strict=True
                )
            ]
            ious = [one.iou(part).max(axis=1, initial=0) for one, part, _ in pairs]
            total, count = sum(len(one) for one, *_ in pairs), sum(len(part) for _, part, _ in pairs)
            same = int(sum((iou > SAME).sum() for iou in ious))
            shift = np.concatenate([shifts(one, all_of) for one, _, all_of in pairs])
            class_scores = scores.classes[name].scores
            aji, f1 = (class_scores[key].pooled.value for key in ("aji", "f1"))
            print(
                f"| {way.name} | {name} | {count} | {same / total:.4f} of {total} "
                f"| {(count - same) / total:.4f} "
                f"| {np.median(shift):.4f}, {np.percentile(shift, 95):.4f} | {aji:.4f}, {f1:.4f} "
                f"| {area(way, side):.2f} | {seconds[way] / len(fields):.1f} |",
                flush=True,
            )


def shifts(one: Cells, others: Cells) -> np.ndarray:
    """How much the scores differ of cells that both have."""
    if not len(one) or not len(others):
        return np.zeros(0)
    iou = one.iou(others)
    best = iou.argmax(axis=1)
    return np.abs(one.scores - others.scores[best])[iou.max(axis=1) > SAME]


def area(way: Way, side: int) -> float:
    """How often a pixel is seen, in the mean."""
    if way.one_piece >= side:
        return 1.0
    core, halo = way.windows
    frames = [window.frame_shape for window in plan_windows((side, side), core=core, halo=halo)]
    return sum(h * w for h, w in frames) / side**2


if __name__ == "__main__":
    main()
