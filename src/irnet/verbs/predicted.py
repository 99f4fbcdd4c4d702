"""What is scored: finished predictions that are read, or what a method finds in the images now."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from irnet.cells import LABEL_NAMES, NO_PARENT, Cells, Content, Cuts, reaching
from irnet.data.checks.needs import need_images
from irnet.data.coco.coco import entries_of
from irnet.data.coco.location import locate
from irnet.data.coco.run_record import RunRecord, load_checked
from irnet.data.file_names import PREDICTIONS
from irnet.data.files import sha256
from irnet.data.lookup import Names
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.inference.first_look import scale_of_set
from irnet.inference.methods import METHODS, find_all, open_method
from irnet.inference.scale import OWN
from irnet.metrics.border import all_without_cut
from irnet.metrics.summary import Evaluated
from irnet.morphometry.pairing import pair_nuclei
from irnet.progress import each
from irnet.wording import number_of

_logger = logging.getLogger(__name__)


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
    known: Sequence[Content] = ()  # what a file says of each image, where it was read from one
    whole: bool | None = None  # whether candidates of low scores are there too; None where that is not known

    @property
    def said(self) -> Sequence[Content | None]:
        """What a file says of each image, None where none does."""
        return self.known or [None] * len(self.cells)

    def origin(
        self, source: str | Path, data: str | Path, own: OwnData, *, exclude_border: bool
    ) -> Evaluated:
        """Return what summary.json says of it."""
        return Evaluated(
            method=self.method,
            source=str(source),
            sha256=self.sha256,
            data=str(data),
            data_sha256=sha256(locate(data)),
            scale=self.scale,
            exclude_border=exclude_border,
            views=self.views,
            mpp=own.mpp,
            patients=own.patients,
        )

    def without_cut(self) -> Predicted:
        """The same without what the border cuts. Raises `InputError` where that leaves nothing annotated."""
        truths, cells = all_without_cut(self.truths, self.cells)
        if not any(len(truth.cells) for truth in truths):
            raise InputError("--exclude-border: the border cuts all that is annotated: leave it out")
        return self._replace(truths=truths, cells=cells)


def obtain(
    source: str | Path,
    entries: Sequence[Entry],
    data: str | Path,
    *,
    score: float | None,
    device: str,
    views: int,
) -> Predicted:
    """Return what `source` finds, or found, in the images of `data`; see `evaluate`."""
    if file := predictions_file(source):
        if views != 1:
            raise InputError(f"{source}: predictions are made already: leave --views out")
        found = read_predicted(file, entries, score)
    else:
        need_images(entries, data)
        found = _segmented(source, entries, device, score=score, views=views)
    return found._replace(cells=[_linked(cells, found.cuts) for cells in found.cells])


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
    images = (entry.read() for entry in each(entries, "segmenting", lambda entry: entry.name))
    return Predicted(
        truths=[entry.content for entry in entries],
        cells=find_all(method, images, scale=scale),
        cuts=method.scores if score is None else dict.fromkeys(LABEL_NAMES, score),
        scored=method.scored,
        method=method.name,
        sha256=sha256(method.source) if method.source else None,
        views=views,
        scale=scale.record() if scale is not OWN else None,
        whole=True,
    )


def _refuse_absent(source: str | Path) -> None:
    """Raise `InputError` where `source` is neither predictions nor weights."""
    from irnet.inference.weights import find_weights

    if not find_weights(source).exists():
        raise InputError(
            f"{source}: neither predictions nor weights: name a folder or COCO file of predictions, a "
            "weights file, a run's folder, bundled, bundled-research or jomls"
        )


def _refuse_other_sizes(file: Path, entries: Sequence[Entry], found: Mapping[str, Content]) -> None:
    """Raise `InputError` where an image was segmented in another size than it is annotated in."""
    for entry in entries:
        height, width = entry.content.cells.image_shape
        other = found[entry.name].cells.image_shape
        if other != (height, width):
            raise InputError(
                f"{file}: {entry.name} has {other[0]} x {other[1]} pixels (height x width) there and "
                f"{height} x {width} where it is annotated: predict the images that are annotated"
            )


def _warn_of_other_images(file: Path, entries: Sequence[Entry], run: RunRecord) -> None:
    """Warn of images whose files are not those that a run segmented under their names."""
    known = {entry.name: (entry.path, run.hashes.get(entry.name)) for entry in entries}
    other = [
        name for name, (path, digest) in known.items() if digest and path.is_file() and sha256(path) != digest
    ]
    if other:
        _logger.warning(
            "%s: %d of %s are other files than those that were segmented, such as %s: if they are other "
            "pictures, the scores mean nothing",
            file,
            len(other),
            number_of(len(entries), "image"),
            other[0],
        )


def read_predicted(file: Path, entries: Sequence[Entry], score: float | None = None) -> Predicted:
    """Return what a COCO file of predictions says of each image. Raises `InputError` where it lacks one."""
    document, run = load_checked(file)
    document = replace(document, names=Names(entry.name for entry in entries))
    every = entries_of(document, crowd="instances", unreviewed="take")
    found = {entry.name: entry.content for entry in every}
    if missing := [entry.name for entry in entries if entry.name not in found]:
        raise InputError(
            f"{file}: no prediction for {len(missing)} of {len(entries)} images, such as {missing[0]}; "
            "predict them first, or evaluate on the others alone"
        )

    _refuse_other_sizes(file, entries, found)
    _warn_of_other_images(file, entries, run)

    if score is not None and not document.scored:
        raise InputError(f"{file}: its instances have no scores to cut by: leave --score out")
    if score is not None and not 0 <= score <= 1:
        raise InputError(f"score {score:g} is out of range: give 0 to 1")

    info = document.data.get("info")
    info = info if isinstance(info, dict) else {}
    truths = [_looked_for(entry.content, found[entry.name]) for entry in entries]
    if truths and not any(np.isin(truth.cells.labels, [*truth.annotated]).any() for truth in truths):
        raise InputError(f"{file}: says of no annotated class what was looked for: there is nothing to score")
    return Predicted(
        truths=truths,
        cells=[found[entry.name].cells for entry in entries],
        known=[found[entry.name] for entry in entries],
        cuts=None if score is None else dict.fromkeys(LABEL_NAMES, score),
        scored=document.scored,
        method=info.get("method"),
        sha256=document.sha256,
        views=info.get("views"),
        whole=False if run.scores else None,
    )


def _linked(cells: Cells, cuts: Cuts | None) -> Cells:
    """Return cells without any link with those that the instances from the cuts on suggest."""
    if (cells.parents != NO_PARENT).any():
        return cells
    return pair_nuclei(cells, reaching(cells, cuts))


def _looked_for(truth: Content, found: Content) -> Content:
    """Return the truth without classes that a tool does not look for, as its `annotated` says."""
    return replace(truth, annotated=truth.annotated & found.annotated)
