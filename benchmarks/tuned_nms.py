"""What do the rows of a study score once each has a suppression of its own, chosen on validation images?

    python benchmarks/tuned_nms.py STUDY --rows maskrcnn irnet-no-irm irnet-no-drm irnet -o tuned-60.csv
    python benchmarks/regime.py tuned-60.csv

Duplicate removal and non-maximum suppression do the same work, and `irnet study` leaves the IoU of the latter
as the recipe has it. Here the finds that it wrote are suppressed once more, by boxes or by masks, each class
at the IoU that gives the highest AJI on the validation images, with the score threshold that goes with it.
Test images are scored at those alone. Only seeds of which all rows are finished are taken.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.files import write_text
from irnet.data.sample import Entry
from irnet.metrics import score_image
from irnet.slides.seams import survivors, survivors_at_seams
from irnet.study.images import image_rows
from irnet.study.jobs import Job, is_finished
from irnet.study.record import Study, open_study
from irnet.study.render import to_csv
from irnet.study.rows import TABLE1, TABLE2
from irnet.study.scoring import TEST, VAL, SeedScores, choose_cuts, read_predicted_cells

IOUS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55)  # the recipe has .55 and .5, of boxes
ROWS = {row.key: row for row in (*TABLE1, *TABLE2) if row.scored}

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
    parser.add_argument("--rows", nargs="+", choices=ROWS, required=True)
    parser.add_argument("--by", choices=WAYS, default="boxes", help="what overlaps")
    parser.add_argument("-o", "--out", type=Path, required=True, help="scores of every test image, a CSV")
    arguments = parser.parse_args()

    study = open_study(None, arguments.study)
    lines = []
    for seed in finished_seeds(study, arguments.rows):
        for row in arguments.rows:
            scores = score_tuned(study, row, seed, WAYS[arguments.by])
            lines += image_rows(row, scores, study.parts.test)
    write_text(arguments.out, to_csv(lines))


def finished_seeds(study: Study, rows: Sequence[str]) -> list[int]:
    """The seeds of which all these rows are finished. Ends the program where there is none."""
    jobs = {seed: [Job(ROWS[row], seed) for row in rows] for seed in range(study.seeds)}
    seeds = [seed for seed, of_seed in jobs.items() if all(is_finished(study, job) for job in of_seed)]
    if not seeds:
        raise SystemExit(f"{study.out}: no seed of which all these rows are finished")
    return seeds


def score_tuned(study: Study, row: str, seed: int, keep: Keep) -> SeedScores:
    """The test images of a row and seed; says which IoU it chose."""
    folder, val, test = study.folder(row, seed), study.parts.val, study.parts.test
    nms = choose(val, read_predicted_cells(folder / VAL, val), keep)
    chosen = ", ".join(f"{LABEL_NAMES[label]} {iou:g}" for label, iou in nms.items())
    print(f"- {ROWS[row].title}, seed {seed}: {chosen}", flush=True)

    cuts = choose_cuts(val, [keep(cells, nms) for cells in read_predicted_cells(folder / VAL, val)])
    found = read_predicted_cells(folder / TEST, test)
    scores = [
        score_image(entry.content, keep(cells, nms), cuts) for entry, cells in zip(test, found, strict=True)
    ]
    return SeedScores(seed=seed, cuts=cuts, images=tuple(scores))


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


if __name__ == "__main__":
    main()
