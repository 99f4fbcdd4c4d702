"""`irnet predict`: images in; predictions, overlays, a table and the record of the run out.

An image that cannot be read, for which memory runs out, or that fails in any other way, is reported and the
others go on.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from irnet.cells import LABEL_NAMES, Cuts, Truth
from irnet.data.files import sha256, write_atomic
from irnet.data.formats.beside import name_files
from irnet.data.formats.coco import write_coco
from irnet.data.formats.run_record import ERRORS, PREDICTIONS, RUN
from irnet.data.image import list_images, read_image
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.engine.first_look import scale_of_files
from irnet.engine.methods import Method, open_method
from irnet.engine.run_files import refuse_corrected, remove_earlier
from irnet.engine.scale import Scale
from irnet.engine.versions import versions
from irnet.errors import InputError
from irnet.morphometry.table import Row, measure, to_csv
from irnet.report.draw import overlay

SAVES = ("coco", "overlay", "csv")
CELLS = "cells.csv"
DONE, NOTHING_DONE, DONE_WITH_ERRORS = 0, 2, 3

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What `predict_files` did."""

    entries: list[Entry]  # the images that were segmented, with what was found
    images: list[dict[str, Any]]  # what run.json says of each of them
    errors: list[dict[str, str]]  # file and reason of the others
    method: str
    scores: Cuts  # the cuts that were used, none where the method gives no scores
    notes: Sequence[str] = ()  # on all images together

    @property
    def exit_code(self) -> int:
        """0 all done, 2 nothing done, 3 done but for the errors."""
        if not self.errors:
            return DONE
        return DONE_WITH_ERRORS if self.entries else NOTHING_DONE

    def lines(self) -> list[str]:
        """Return what a user should know: what was found and how, and which cuts were used."""
        told = []
        for image in self.images:
            scale = "" if image["mpp"] is None else f", {image['mpp']:g} um per pixel"
            told.append(f"{image['name']}: {_counts(image['found'])}{scale}")
            told += [f"  {note}" for note in image["notes"]]
        cuts = ", ".join(f"{LABEL_NAMES[label]} {cut:g}" for label, cut in self.scores.items())
        kept = f"scores kept from: {cuts}" if cuts else "no scores"
        return [*told, *self.notes, f"{self.method}; {kept}"]


def predict_files(
    paths: Sequence[str | Path],
    out_dir: str | Path,
    *,
    method: str | None = None,
    model: str | Path | None = None,
    score: float | None = None,
    mpp: float | None = None,
    scale: float | None = None,
    device: str = "auto",
    page: int | None = None,
    save: Collection[str] = SAVES,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Segment images and write what was found to `out_dir`.

    Always errors.json and run.json (hashes, thresholds, versions, notes); with `save` also predictions.json
    ("coco": one file for all images), overlays/STEM.png ("overlay") and cells.csv ("csv"). Where every image
    fails, nothing is written.

    Args:
        paths: image files and folders of them.
        out_dir: made where it is missing; files of an earlier run are replaced.
        method: one of `methods.METHODS`, None for what `model` holds.
        model: weights file or run's folder, None for the bundled weights.
        score: cut for both classes, None for the operating threshold of each.
        mpp: um per pixel of all images, None for what each file says.
        scale: px of the network's scale per px of images whose um per pixel is unknown; 1 takes them as they
            are, None estimates one for all of them.
        device: "auto", "cpu", "cuda" ...
        page: of multi-page TIFF files, from 0.
        save: which of "coco", "overlay" and "csv".
        progress: called with the name of each image, its number from 1 and how many there are.

    Raises:
        InputError: a path, the method, its weights, the device or an option is wrong, `mpp` and `scale` are
            both given, or `out_dir` holds
            corrections of earlier predictions; a bad image is only reported.
    """
    if unknown := sorted(set(save) - set(SAVES)):
        raise InputError(f"--save {','.join(unknown)}: unknown; choose of {', '.join(SAVES)}")
    files = list_images(paths)
    refuse_corrected(Path(out_dir))
    opened = open_method(method, model, device)
    opened.check(mpp=mpp, score=score)
    taken = scale_of_files(opened, files, mpp=mpp, scale=scale, page=page, progress=progress)
    visit = _Visit(
        opened,
        Path(out_dir),
        score=score,
        mpp=mpp,
        scale=taken,
        page=page,
        draw="overlay" in save,
    )
    names = _names(files)
    named = zip(files, names, name_files(names, ".png"), strict=True)
    for number, (file, name, drawing) in enumerate(named, start=1):
        if progress:
            progress(name, number, len(files))
        visit.take(file, name, drawing)
    visit.write(save)
    notes = taken.notes if taken else ()
    return Report(visit.entries, visit.images, visit.errors, opened.name, visit.cuts, notes)


class _Visit:
    """Goes from image to image and gathers what is written at the end."""

    def __init__(
        self,
        method: Method,
        out: Path,
        *,
        score: float | None,
        mpp: float | None,
        scale: Scale | None,
        page: int | None,
        draw: bool,
    ) -> None:
        self.method, self.out, self.score = method, out, score
        self.cuts = method.scores if score is None else dict.fromkeys(LABEL_NAMES, score)
        self.mpp, self.scale, self.page, self.draw = mpp, scale, page, draw
        self.entries: list[Entry] = []
        self.errors: list[dict[str, str]] = []
        self.rows: list[Row] = []
        self.images: list[dict[str, Any]] = []
        self.files: list[str] = []  # what was drawn, in `out`

    def take(self, file: Path, name: str, drawing: str) -> None:
        """Segment one image, or note why not: whatever happens to it, the others go on."""
        try:
            self._segment(file, name, drawing)
        except Exception as error:
            self.errors.append({"file": str(file), "error": _explain(error)})

    def _segment(self, file: Path, name: str, drawing: str) -> None:
        """Segment one image; the records get all of it, or nothing when it fails."""
        begun = time.monotonic()
        image = read_image(file, self.page)
        mpp = image.mpp if self.mpp is None else self.mpp
        found = self.method.find(image.pixels, mpp, scale=self.scale)
        cells = self.method.choose(found.cells, self.score)
        rows = measure(cells, name, image.pixels)
        record = {
            "name": name,
            "path": str(file.resolve()),
            "sha256": sha256(file),
            "mpp": cells.mpp,
            "zoom": round(found.zoom, 5),
            "zoom_estimated": found.zoom_estimated,
            "found": {text: int((cells.labels == label).sum()) for label, text in LABEL_NAMES.items()},
            "notes": [*image.notes, *found.notes],
        }
        if self.draw:
            picture = to_png(overlay(image.pixels, cells))
            write_atomic(self.out / "overlays" / drawing, picture)
            self.files.append(f"overlays/{drawing}")
        self.entries.append(Entry(name=name, path=file, truth=Truth(cells=cells)))
        self.rows += rows
        self.images.append(record | {"seconds": round(time.monotonic() - begun, 3)})

    def write(self, save: Collection[str]) -> None:
        """Write the files that cover all images, in place of an earlier run; none if every image failed."""
        if not self.entries:
            return
        saved = {"coco": PREDICTIONS, "csv": CELLS}
        files = [*(saved[kind] for kind in saved if kind in save), *self.files, RUN, ERRORS]
        remove_earlier(self.out, files)
        if "coco" in save:
            file, scores = self.out / PREDICTIONS, self.method.scored
            write_coco(file, self.entries, info=self._origin(), scores=scores)
        if "csv" in save:
            write_atomic(self.out / CELLS, to_csv(self.rows).encode())
        date = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        scale = self.scale.record() if self.scale else None
        asked = {"mpp": self.mpp, "scale": scale, "page": self.page}
        run = {"date": date, **self._origin(), **asked, "files": files, "images": self.images}
        _write_json(self.out / RUN, run)
        _write_json(self.out / ERRORS, self.errors)

    def _origin(self) -> dict[str, Any]:
        """Return what the predictions came from."""
        cuts = {LABEL_NAMES[label]: cut for label, cut in self.cuts.items()}
        return {**self.method.origin(), "scores": cuts, "versions": versions()}


def _names(files: Sequence[Path]) -> list[str]:
    """Return a name for each image: its file's, after its number where files of two folders share one."""
    count = Counter(file.name for file in files)
    return [
        file.name if count[file.name] == 1 else f"{number}/{file.name}"
        for number, file in enumerate(files, start=1)
    ]


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())


def _explain(error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory even window by window: use a device with more, or --device cpu"
    _logger.error("an image failed in a way that is not foreseen", exc_info=error)
    return f"{type(error).__name__}: {error}"


def _write_json(path: Path, value: Any) -> None:
    write_atomic(path, json.dumps(value, indent=1, allow_nan=False).encode())
