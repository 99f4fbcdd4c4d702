"""How far the answer from windows is from that of the whole image, with the bundled weights.

    python benchmarks/windows.py --fields 4

The rule of ownership is exact for candidates that do not depend on where a window lies
(tests/slides/test_seams.py); a network's do a little, through its receptive field and the suppression
inside each window. Fields of 1536 px hold nine cores of 512 px.
"""

import argparse
import time

import numpy as np

from irnet.cells import LABEL_NAMES, Cells, Content, reaching
from irnet.inference.predict import Predictor
from irnet.metrics import score_image, summarise
from irnet.slides.seams import segment_windows, survivors
from irnet.synthetic import generate

SIDE, MPP, CORE = 1536, 0.37, 512
CUTS_IOU = 0.9  # two answers that agree to this IoU are called the same cell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fields", type=int, default=4)
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("--halo", type=int, nargs="+", default=[384, 512])
    arguments = parser.parse_args()
    predictor = Predictor.load(device="cpu")
    nms = dict(zip(LABEL_NAMES, predictor.settings.predict.nms.model_dump().values(), strict=True))
    rows: dict[str, list[tuple[Content, Cells, Cells]]] = {f"halo {halo} px": [] for halo in arguments.halo}
    seconds = dict.fromkeys(["whole", *rows], 0.0)
    for seed in range(arguments.seed, arguments.seed + arguments.fields):
        image, truth = generate(seed, size=(SIDE, SIDE), mpp=MPP, layout="cps")
        begun = time.process_time()
        whole = predictor.find(image, MPP).cells
        whole = whole.select(survivors(whole, nms=nms))
        whole = whole.select(reaching(whole, predictor.scores))
        seconds["whole"] += time.process_time() - begun
        for halo, row in zip(arguments.halo, rows, strict=True):
            begun = time.process_time()
            cells = segment_windows(
                lambda window: predictor.find(np.ascontiguousarray(window), MPP).cells,
                image,
                core=CORE,
                halo=halo,
                nms=nms,
            )
            seconds[row] += time.process_time() - begun
            rows[row].append((truth, whole, cells.select(reaching(cells, predictor.scores))))
    report(rows, seconds, arguments.fields)


def report(
    rows: dict[str, list[tuple[Content, Cells, Cells]]], seconds: dict[str, float], fields: int
) -> None:
    """Print agreement with the whole image, and both against the truth."""
    print(
        "| | class | cells whole / windows | same at IoU .9 | AJI to whole "
        "| AJI to truth, whole / windows | CPU s a field, whole / windows |"
    )
    print("|---|---|---|---|---|---|---|")
    for row, triples in rows.items():
        for label, name in LABEL_NAMES.items():
            pairs = [(whole.of(label), found.of(label)) for _, whole, found in triples]
            same = sum(int((a.iou(b).max(axis=1, initial=0) > CUTS_IOU).sum()) for a, b in pairs)
            count = [sum(map(len, side)) for side in zip(*pairs, strict=True)]
            to_whole = aji([(Content(cells=whole), found) for _, whole, found in triples], name)
            to_truth = [aji([(triple[0], triple[i]) for triple in triples], name) for i in (1, 2)]
            cost = f"{seconds['whole'] / fields:.1f} / {seconds[row] / fields:.1f}"
            print(
                f"| {row} | {name} | {count[0]} / {count[1]} | {same} of {count[0]} | {to_whole:.4f} "
                f"| {to_truth[0]:.4f} / {to_truth[1]:.4f} | {cost} |"
            )


def aji(pairs: list[tuple[Content, Cells]], name: str) -> float:
    """Pooled AJI of a class."""
    summary = summarise([score_image(truth, found) for truth, found in pairs], samples=0)
    return summary.classes[name].scores["aji"].pooled.value


if __name__ == "__main__":
    main()
