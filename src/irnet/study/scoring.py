"""From the prediction files of a row to scores of every image: thresholds from validation, then test, once.

Nothing here knows a network: scoring can be done again from OUT/rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from irnet.cells import LABEL_NAMES, Cells, Cuts
from irnet.data.coco.coco import read_coco
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.metrics import ClassScore, ImageScore, choose_scores, score_image
from irnet.metrics.ratio import Ratio
from irnet.metrics.statistics import SAMPLES, Ratios, Weights, sample_weights

NO_MATCH = 0.5  # threshold of a class of which validation finds nothing right
VAL, TEST = "val.json", "test.json"  # predictions in the folder of a row and seed


@dataclass(frozen=True, eq=False, kw_only=True)
class SeedScores:
    """The test images of one row and seed, scored."""

    seed: int
    cuts: Cuts  # empty for a method without scores
    images: tuple[ImageScore, ...]  # in the order of the test entries


def score_seed(
    folder: Path, seed: int, val: Sequence[Entry], test: Sequence[Entry], *, scored: bool = True
) -> SeedScores:
    """Score test.json of `folder` at the thresholds that val.json gives. `scored`: there are scores to cut.

    Raises `InputError` when a file lacks an image of `val` or `test`.
    """
    cuts = choose_cuts(val, read_predicted_cells(folder / VAL, val)) if scored else {}
    found = read_predicted_cells(folder / TEST, test)
    images = tuple(score_image(e.content, cells, cuts) for e, cells in zip(test, found, strict=True))
    return SeedScores(seed=seed, cuts=cuts, images=images)


def choose_cuts(val: Sequence[Entry], found: Sequence[Cells]) -> Cuts:
    """Threshold of each class by pooled F1 on validation images; NO_MATCH where nothing is right."""
    chosen = choose_scores([entry.content for entry in val], found)
    return {label: chosen.get(label, NO_MATCH) for label in LABEL_NAMES}


def read_predicted_cells(path: Path, entries: Sequence[Entry]) -> list[Cells]:
    """The predictions of a file, in the order of `entries`. Raises `InputError` when some are missing."""
    found = {entry.name: entry.content.cells for entry in read_coco(path, unreviewed="take")}
    if missing := [entry.name for entry in entries if entry.name not in found]:
        raise InputError(
            f"{path}: no prediction for {len(missing)} images, such as {missing[0]}: remove the folder "
            f"{path.parent} and run the row again"
        )
    return [found[entry.name] for entry in entries]


def patient_weights(test: Sequence[Entry], samples: int = SAMPLES) -> Weights:
    """How often each bootstrap sample draws each test image, (samples, images): one draw for all rows."""
    return sample_weights(len(test), [entry.patient for entry in test], seed=0, samples=samples)


def collect(scores: Sequence[SeedScores], label: int, pick: Callable[[ClassScore], Ratio | None]) -> Ratios:
    """The ratio that `pick` takes from each seed's and image's score of a class; undefined where it is not.

    >>> collect([], 1, lambda score: score.ratios["aji"]).shape
    (0, 0, 2)
    """
    rows = []
    for seed in scores:
        rows.append([_pick(image, label, pick) for image in seed.images])
    return np.array(rows, dtype=np.float64).reshape(len(scores), -1 if scores else 0, 2)


def _pick(image: ImageScore, label: int, pick: Callable[[ClassScore], Ratio | None]) -> Ratio:
    part = image.classes.get(label)
    return (pick(part) if part else None) or Ratio(0, 0)
