"""Scores of a method or of finished predictions against annotated images, and a gallery of the mistakes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from irnet.cells import LABEL_NAMES, NO_PARENT, Cells, Content, Cuts, reaching
from irnet.data.checks.needs import need_annotated, need_images
from irnet.data.coco.coco import entries_of, read_coco
from irnet.data.coco.run_record import PREDICTIONS, load_checked
from irnet.data.files import as_json, sha256, write_atomic
from irnet.data.lookup import Names
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.inference.first_look import scale_of_set
from irnet.inference.methods import METHODS, find_all, open_method
from irnet.inference.scale import OWN
from irnet.metrics import Summary, render_table, score_image, summarise
from irnet.metrics.border import all_without_cut
from irnet.metrics.causes import count_mistakes
from irnet.metrics.summary import Evaluated
from irnet.morphometry.pairing import pair_nuclei
from irnet.report.gallery import gallery_page
from irnet.report.mistakes import ComparedImage
from irnet.verbs.swapped import refuse_swapped

_logger = logging.getLogger(__name__)


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
        InputError: `source` is neither, or has no prediction for some image of `data`; nothing is annotated
            there, or images to segment are missing; or `views` are asked of finished predictions.
    """
    refuse_swapped("evaluate", source, data)
    entries = own.complete(read_coco(data), data)
    need_annotated(entries, data)
    if file := predictions_file(source):
        if views != 1:
            raise InputError(f"{source}: predictions are made already: leave --views out")
        found = read_predicted(file, entries, score)
    else:
        need_images(entries, data)
        found = _segmented(source, entries, device, score=score, views=views)

    found = found._replace(cells=[_linked(cells, found.cuts) for cells in found.cells])
    if exclude_border:
        found = found.without_cut()

    summary = _scores(entries, found)
    compared = [
        ComparedImage.of(entry, truth, cells, found.cuts)
        for entry, truth, cells in zip(entries, found.truths, found.cells, strict=True)
    ]
    mistakes = count_mistakes(image.mistakes for image in compared)
    origin = Evaluated(
        method=found.method,
        source=str(source),
        sha256=found.sha256,
        data=str(data),
        scale=found.scale,
        exclude_border=exclude_border,
        views=found.views,
    )

    summary = replace(summary, evaluated=origin, mistakes=mistakes)
    table = render_table(summary) + ("\nwithout what the border cuts\n" if exclude_border else "")

    out = Path(out_dir)
    write_atomic(out / "summary.json", as_json(summary.to_json()))
    write_atomic(out / "table.txt", table.encode())
    name = Path(data).resolve().name
    gallery = gallery_page(compared, mistakes, data=name, method=found.method, scored=found.scored)
    write_atomic(out / "gallery.html", gallery.encode())
    return Evaluation(summary, table)


def _scores(entries: Sequence[Entry], found: Predicted) -> Summary:
    """The scores of what was found, image by image and together."""
    scored = []
    for truth, cells in zip(found.truths, found.cells, strict=True):
        scored.append(score_image(truth, cells, found.cuts))

    patients = [entry.patient for entry in entries]
    return summarise(scored, patients if any(patients) else None, scored=found.scored)


class Predicted(NamedTuple):
    """What is scored, image by image, and what it came from."""

    truths: list[Content]  # without classes that nothing was looked for of
    cells: list[Cells]
    cuts: Cuts | None
    scored: bool
    method: str | None
    sha256: str | None  # of the predictions or the weights
    views: int | None  # of each image, None where that is not known
    scale: dict[str, Any] | None = None  # how images of unknown um per pixel were taken, if estimated

    def without_cut(self) -> Predicted:
        """The same without what the border cuts."""
        truths, cells = all_without_cut(self.truths, self.cells)
        return self._replace(truths=truths, cells=cells)


def predictions_file(source: str | Path) -> Path | None:
    """Return the COCO file that `source` is or holds; None when it means a method."""
    path = Path(source)
    if path.is_dir() and (path / PREDICTIONS).exists() and str(source) not in METHODS:
        return path / PREDICTIONS
    return path if path.suffix == ".json" else None


def _segmented(
    source: str | Path, entries: Sequence[Entry], device: str, *, score: float | None, views: int
) -> Predicted:
    named = str(source) in METHODS
    if not named:
        _refuse_absent(source)

    method = open_method(str(source) if named else None, None if named else source, device, views=views)
    method.check(score=score)

    scale = scale_of_set(method, entries)
    return Predicted(
        truths=[entry.content for entry in entries],
        cells=find_all(method, (entry.read() for entry in entries), scale=scale),
        cuts=method.scores if score is None else dict.fromkeys(LABEL_NAMES, score),
        scored=method.scored,
        method=method.name,
        sha256=sha256(method.source) if method.source else None,
        views=views,
        scale=scale.record() if scale is not OWN else None,
    )


def _refuse_absent(source: str | Path) -> None:
    """Raise `InputError` where `source` is neither predictions nor weights."""
    from irnet.inference.weights import find_weights

    if not find_weights(source).exists():
        raise InputError(
            f"{source}: neither predictions nor weights: name a folder or COCO file of predictions, a "
            "weights file, a run's folder, bundled, bundled-research or jomls"
        )


def read_predicted(file: Path, entries: Sequence[Entry], score: float | None = None) -> Predicted:
    """Return what a COCO file of predictions says of each image. Raises `InputError` where it lacks one."""
    document = replace(load_checked(file)[0], names=Names(entry.name for entry in entries))
    found = {entry.name: entry.content for entry in entries_of(document, crowd="instances")}
    if missing := [entry.name for entry in entries if entry.name not in found]:
        raise InputError(
            f"{file}: no prediction for {len(missing)} of {len(entries)} images, such as {missing[0]}; "
            "predict them first, or evaluate on the others alone"
        )

    if score is not None and not document.scored:
        raise InputError(f"{file}: its instances have no scores to cut by: leave --score out")

    info = document.data.get("info")
    info = info if isinstance(info, dict) else {}
    return Predicted(
        truths=[_looked_for(entry.content, found[entry.name]) for entry in entries],
        cells=[found[entry.name].cells for entry in entries],
        cuts=None if score is None else dict.fromkeys(LABEL_NAMES, score),
        scored=document.scored,
        method=info.get("method"),
        sha256=document.sha256,
        views=info.get("views"),
    )


def _linked(cells: Cells, cuts: Cuts | None) -> Cells:
    """Return cells without any link with those that the instances from the cuts on suggest."""
    if (cells.parents != NO_PARENT).any():
        return cells
    return pair_nuclei(cells, reaching(cells, cuts))


def _looked_for(truth: Content, found: Content) -> Content:
    """Return the truth without classes that a tool does not look for, as its `annotated` says."""
    return replace(truth, annotated=truth.annotated & found.annotated)
