"""What every test image scored in each row and seed: what differences are made of, for other statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from irnet.cells import CYTOPLASM, LABEL_NAMES
from irnet.data.files import write_text
from irnet.data.sample import Entry
from irnet.metrics.ratio import Ratio
from irnet.study.curves import SCORES, Sweep
from irnet.study.one_cut import ONE_CUTS
from irnet.study.render import to_csv
from irnet.study.results import RowResult
from irnet.study.scoring import SeedScores

DIGITS = 4


def write_images(
    out: Path, name: str, test: Sequence[Entry], sweeps: Sequence[Sweep], results: Sequence[RowResult]
) -> None:
    """Write images_NAME.csv: a line for each row, seed and test image; an undefined figure is empty.

    Columns: AJI and F1 of both classes at the row's own thresholds, the same at each cut of ONE_CUTS, as in
    aji/nucleus@0.05, and the pixels of overlap recall, found and all.
    """
    by_title = {one.title: one for one in sweeps}
    rows = []
    for result in results:
        rows += _with_cuts(result, by_title[result.row.title], test)
    write_text(out / f"images_{name}.csv", to_csv(rows))


def image_rows(key: str, scores: SeedScores, test: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """A line for each test image of one row and seed, at thresholds of its own."""
    for entry, image in zip(test, scores.images, strict=True):
        row = {"row": key, "seed": scores.seed, "image": entry.name, "patient": entry.patient}
        for label, part in image.classes.items():
            row |= {f"{score}/{LABEL_NAMES[label]}": _value(part.ratios[score]) for score in SCORES}

        if cytoplasm := image.classes.get(CYTOPLASM):
            overlap = cytoplasm.ratios["overlap_recall"]
            row |= {"overlap found, px": overlap.numerator, "overlap, px": overlap.denominator}
        yield row


def _with_cuts(result: RowResult, at_cuts: Sweep, test: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """The lines of all seeds of a row, with what each image scores at the cuts that all rows share."""
    for place, seed in enumerate(result.scores):
        for number, row in enumerate(image_rows(result.row.key, seed, test)):
            for label, score, cut in product(seed.images[number].classes, SCORES, ONE_CUTS):
                if result.row.scored:
                    ratio = at_cuts.ratio(score, label, cut, seed=place, image=number)
                    row[f"{score}/{LABEL_NAMES[label]}@{cut:g}"] = _value(ratio)
            yield row


def _value(ratio: Ratio) -> float | None:
    return None if ratio.value is None else round(ratio.value, DIGITS)
