"""Scores of a method or of finished predictions against annotated images, and a gallery of the mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from irnet.data.checks.needs import take_scored, warn_of_found
from irnet.data.coco.coco import read_coco
from irnet.data.files import as_json, refuse_overwriting, remove_drafts, write_atomic, write_text
from irnet.data.locking import writing
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.metrics import ImageScore, Summary, render_table, score_image, summarise
from irnet.metrics.causes import count_mistakes
from irnet.metrics.summary import Evaluated
from irnet.progress import each, stage
from irnet.report.gallery import gallery_page
from irnet.report.mistakes import ComparedImage
from irnet.verbs.predicted import Predicted, obtain, predictions_file
from irnet.verbs.swapped import refuse_swapped

SUMMARY, TABLE, GALLERY = "summary.json", "table.txt", "gallery.html"  # what is written
COMPARISON = "comparison.json"  # of two methods, by `compare`
REPORT = "report.html"  # of scores, by `irnet report`


class Evaluation(NamedTuple):
    """What `evaluate` wrote."""

    summary: Summary
    table: str


def evaluate(
    source: str | Path,
    data: str | Path,
    out_dir: str | Path,
    *,
    score: float | None = None,
    exclude_border: bool = False,
    device: str = "auto",
    views: int = 1,
    own: OwnData = OwnData(),
) -> Evaluation:
    """Score predictions or a method on a data set: summary.json, table.txt and gallery.html in `out_dir`.

    Args:
        source: a folder of `irnet predict` or `irnet import-predictions`, or a COCO file of predictions; or
            one of `methods.METHODS`, a weights file, a run's folder or "bundled": then every image is
            segmented first, and AP counts all candidates.
        data: a data set's folder or COCO file.
        score: cut for both classes; None is each class's operating threshold, or none for finished
            predictions. Where there are no scores, AP and calibration are undefined.
        exclude_border: leave out what the border cuts (`metrics.border`), as many annotators do.
        device: "auto", "cpu", "cuda" ...
        views: 1 or 4, of a network that segments; see `Predictor`.
        own: um per pixel and patients of the images, where `data` does not say them.

    Raises:
        InputError: `source` is none of these, or has no prediction for some image of `data`; nothing is
            annotated there, or images to segment are missing; or `views` are asked of finished predictions;
            or another is writing to `out_dir`.
    """
    refuse_swapped("evaluate", source, data)
    warn_of_found(data)
    entries = take_scored(own.complete(read_coco(data), data), data)
    refuse_scores_over(out_dir, source, data)

    with writing(out_dir, "irnet evaluate"):
        found = obtain(source, entries, data, score=score, device=device, views=views)
        if exclude_border:
            found = found.without_cut()

        origin = found.origin(source, data, own, exclude_border=exclude_border)
        evaluation = write_scores(entries, found, score_all(entries, found), origin, out_dir)
        remove_drafts([out_dir])
    return evaluation


def score_all(entries: Sequence[Entry], found: Predicted) -> list[ImageScore]:
    """Return the scores of each image."""
    scored = []
    for _, truth, cells in zip(each(entries, "scoring", _name), found.truths, found.cells, strict=True):
        scored.append(score_image(truth, cells, found.cuts))
    return scored


def write_scores(
    entries: Sequence[Entry],
    found: Predicted,
    scored: Sequence[ImageScore],
    origin: Evaluated,
    out_dir: str | Path,
) -> Evaluation:
    """Write the scores of the images, put together, and their mistakes to `out_dir`."""
    compared = []
    images = zip(each(entries, "comparing", _name), found.truths, found.cells, found.said, strict=True)
    for entry, truth, cells, said in images:
        compared.append(ComparedImage.of(entry, truth, cells, found.cuts, said))
    mistakes = count_mistakes(image.mistakes for image in compared)

    with stage("drawing samples for intervals"):
        summary = summarise(scored, patients_of(entries), scored=found.scored)
    summary = replace(summary, evaluated=origin, mistakes=mistakes)
    table = render_table(summary)
    table += "\nwithout what the border cuts\n" if origin.exclude_border else ""

    name = Path(origin.data).resolve().name
    gallery = gallery_page(compared, mistakes, data=name, method=found.method, scored=found.scored)

    out = Path(out_dir)
    remove_report(out)
    write_atomic(out / SUMMARY, as_json(summary.to_json()))
    write_text(out / TABLE, table)
    write_text(out / GALLERY, gallery)
    (out / COMPARISON).unlink(missing_ok=True)  # of two methods, written here before
    return Evaluation(summary, table)


def refuse_scores_over(folder: str | Path, *read: str | Path) -> None:
    """Raise InputError where scores would be written over predictions or a data set."""
    written = (SUMMARY, TABLE, GALLERY, REPORT, COMPARISON)
    files = [predictions_file(one) or one for one in read]
    refuse_overwriting((Path(folder) / name for name in written), files)


def remove_report(folder: Path) -> None:
    """Remove the page of scores that are about to be replaced, if `irnet report` made one."""
    if (folder / SUMMARY).is_file():
        (folder / REPORT).unlink(missing_ok=True)


def patients_of(entries: Sequence[Entry]) -> list[str | None] | None:
    """Return the patient of each image; None where none is named."""
    patients = [entry.patient for entry in entries]
    return patients if any(patients) else None


def _name(entry: Entry) -> str:
    return entry.name
