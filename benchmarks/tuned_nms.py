"""Do the rows of a study differ once each has a suppression of its own, chosen on validation images?

    python benchmarks/tuned_nms.py STUDY --rows maskrcnn irnet-no-irm irnet-no-drm irnet

Duplicate removal and non-maximum suppression do the same work, and `irnet study` leaves the IoU of the latter
as the recipe has it. Here the finds that it wrote are suppressed once more, by boxes and by masks, each class
at the IoU that gives the highest AJI on the validation images, with the score threshold that goes with it.
Test images are scored at those alone. Differences are paired, intervals 95 % by patient, of means of images.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from regime import told

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.sample import Entry
from irnet.metrics import score_image
from irnet.metrics.ratio import Ratio
from irnet.metrics.statistics import SeededEstimate, difference, image_mean
from irnet.slides.seams import survivors, survivors_at_seams
from irnet.study.jobs import Job, is_finished
from irnet.study.record import Study, open_study
from irnet.study.render import number_table, with_bounds
from irnet.study.rows import FIGURES, TABLE1, TABLE2, TITLES
from irnet.study.scoring import TEST, VAL, choose_cuts, patient_weights, read_predicted_cells

IOUS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55)  # the recipe has .55 and .5, of boxes
ROWS = {row.key: row for row in (*TABLE1, *TABLE2)}
LABELS = {name: label for label, name in LABEL_NAMES.items()}

Keep = Callable[[Cells, Mapping[int, float]], Cells]


def by_boxes(cells: Cells, nms: Mapping[int, float]) -> Cells:
    """What suppression of boxes leaves."""
    return cells.select(survivors_at_seams(cells, np.arange(len(cells)), nms=nms))


def by_masks(cells: Cells, nms: Mapping[int, float]) -> Cells:
    """What suppression of masks leaves."""
    return cells.select(survivors(cells, nms=nms))


WAYS: dict[str, Keep] = {"boxes": by_boxes, "masks": by_masks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--rows", nargs="+", choices=ROWS, required=True, help="the first is the control")
    arguments = parser.parse_args()
    study = open_study(None, arguments.study)
    seeds = [seed for seed in range(study.seeds) if _all_finished(study, arguments.rows, seed)]
    print(f"seeds {', '.join(map(str, seeds))}", flush=True)

    for way, keep in WAYS.items():
        print(f"\nSuppression of {way}\n", flush=True)
        scored = {row: score_row(study, row, seeds, keep) for row in arguments.rows}
        print(page(scored, arguments.rows[0]))


def score_row(study: Study, row: str, seeds: Sequence[int], keep: Keep) -> dict[str, SeededEstimate]:
    """The figures of a row on the test images, and say which IoU each seed chose."""
    val, test = study.parts.val, study.parts.test
    ratios = {figure: np.zeros((len(seeds), len(test), 2)) for figure in FIGURES}
    for place, seed in enumerate(seeds):
        folder = study.folder(row, seed)
        nms = choose(val, read_predicted_cells(folder / VAL, val), keep)
        print(
            f"- {ROWS[row].title}, seed {seed}: "
            + ", ".join(f"{LABEL_NAMES[k]} {v:g}" for k, v in nms.items())
        )

        cuts = choose_cuts(val, [keep(cells, nms) for cells in read_predicted_cells(folder / VAL, val)])
        for index, (entry, cells) in enumerate(
            zip(test, read_predicted_cells(folder / TEST, test), strict=True)
        ):
            score = score_image(entry.content, keep(cells, nms), cuts)
            for figure in FIGURES:
                name, _, label = figure.partition("/")
                part = score.classes.get(LABELS[label])
                ratios[figure][place, index] = part.ratios[name] if part else Ratio(0, 0)

    weights = patient_weights(test)
    return {figure: image_mean(table, weights) for figure, table in ratios.items()}


def choose(val: Sequence[Entry], found: Sequence[Cells], keep: Keep) -> dict[int, float]:
    """The IoU of each class that gives the highest mean AJI on validation images, at its own threshold."""
    best: dict[int, tuple[float, float]] = {}
    for iou in IOUS:
        kept = [keep(cells, dict.fromkeys(LABEL_NAMES, iou)) for cells in found]
        cuts = choose_cuts(val, kept)
        scores = [score_image(entry.content, cells, cuts) for entry, cells in zip(val, kept, strict=True)]
        for label in LABEL_NAMES:
            values = [s.classes[label].ratios["aji"].value for s in scores if label in s.classes]
            merit = float(np.mean([value for value in values if value is not None] or [0.0]))
            best[label] = max(best.get(label, (-1.0, iou)), (merit, iou))
    return {label: iou for label, (_, iou) in best.items()}


def page(scored: Mapping[str, Mapping[str, SeededEstimate]], control: str) -> str:
    """Figures, and differences to the control as `regime` tells them."""
    base, values, gains = scored[control], [], []
    for row, figures in scored.items():
        title = ROWS[row].title
        values.append([title, *(with_bounds(figures[figure]) for figure in FIGURES)])
        if row != control:
            gains.append([title, *(told(difference(figures[figure], base[figure])) for figure in FIGURES)])

    columns = [*TITLES.values()]
    over = f"over {ROWS[control].title}"
    return f"\n{number_table(['row', *columns], values)}\n\n{number_table([over, *columns], gains)}"


def _all_finished(study: Study, rows: Sequence[str], seed: int) -> bool:
    return all(is_finished(study, Job(ROWS[row], seed)) for row in rows)


if __name__ == "__main__":
    main()
