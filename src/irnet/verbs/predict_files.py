"""`irnet predict`: images in; predictions, overlays, a table and the record of the run out.

An image that cannot be read, for which memory runs out, or that fails in any other way, is reported and the
others go on. What is done is kept image by image: the same command goes on where it was stopped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.data.beside import name_files
from irnet.data.coco.coco import part_of
from irnet.data.file_names import CELLS, IMAGES, OVERLAYS
from irnet.data.files import refuse_overwriting, remove_drafts
from irnet.data.image import Image, check_kinds, read_image
from irnet.data.listing import list_images
from irnet.data.locking import writing
from irnet.data.memory import check_room
from irnet.data.naming import name_images
from irnet.data.nucleus_size import doubt_mpp
from irnet.data.own import contradiction
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.errors import InputError, check_save
from irnet.inference.first_look import scale_of_files
from irnet.inference.methods import Method, open_method
from irnet.inference.scale import Scale, given_scale
from irnet.inference.versions import versions
from irnet.models.pasting import Found
from irnet.morphometry.images import summarise_image
from irnet.morphometry.table import measure, to_csv
from irnet.progress import each, tell
from irnet.report.draw import Picture, overlay
from irnet.report.labels import write_numbers
from irnet.verbs.failures import explain
from irnet.verbs.predict_options import SAVES, PredictOptions
from irnet.verbs.predict_result import PredictResult, describe
from irnet.verbs.run_files import refuse_foreign_tables, refuse_taken
from irnet.verbs.unfinished import Result, Task, Unfinished

SCALE = "scale"  # of all images of unknown um per pixel, as the run keeps it
_DRAWN = 8  # bytes a pixel of an overlay: its pixels, Pillow's copy of them, its file
_NO_MEMORY = "not enough memory even window by window: use a device with more, or --device cpu"


def predict_files(
    paths: Sequence[str | Path], out_dir: str | Path, options: PredictOptions = PredictOptions()
) -> PredictResult:
    """Segment images and write what was found to `out_dir`.

    Always errors.json and run.json (hashes, thresholds, versions, notes); with `save` also predictions.json
    ("coco": one file for all images), overlays/STEM.png ("overlay"), cells.csv and images.csv ("csv"). Where
    every image fails, nothing is written. Until all images are done, what is done lies in
    `out_dir`/.irnet-predict, and the same call goes on from there: each image is segmented once, and the
    files come out the same.

    Args:
        paths: image files and folders of them.
        out_dir: created if it is missing; files of an earlier run are replaced.
        options: what finds the cells, how images are taken, and what is written.

    Raises:
        InputError: a path, the method, its weights, the device or an option is wrong, `mpp` and `scale` are
            both given, `out_dir` holds whole slides, corrections of earlier predictions, a stopped run of
            other settings or images, or another writer; or no file is an image. A bad image among others is
            only reported.
        KeyboardInterrupt: stopped; its text says how to go on.
    """
    check_save(options.save, SAVES)

    files, out = list_images(paths, recursive=options.recursive), Path(out_dir)
    check_kinds(files)
    with writing(out, "irnet predict"):
        refuse_taken(out)
        if "csv" in options.save:
            refuse_foreign_tables(out / name for name in (CELLS, IMAGES))
        refuse_overwriting((out / OVERLAYS).rglob("*"), files)
        method = open_method(
            options.method,
            options.model,
            options.device,
            views=options.views,
            engine=options.engine,
            precision=options.precision,
            compiled=options.compiled,
        )
        method.check(mpp=options.mpp, score=options.score)
        given_scale(options.scale, options.mpp)
        return _Run(method, options).go(out, _tasks(files))


class Seen(NamedTuple):
    """An image of a group before its turn."""

    image: Image
    found: Found | None  # by the network, None where it failed or does not see images together
    seconds: float  # its share of the time that the group took


class _Run:
    """Goes from image to image, and on from where it was stopped."""

    def __init__(self, method: Method, options: PredictOptions) -> None:
        self.method, self.options = method, options
        score = options.score
        self.cuts = method.scores if score is None else dict.fromkeys(LABEL_NAMES, score)
        self.asked = {"mpp": options.mpp, "scale": options.scale, "page": options.page}
        self.save = [name for name in SAVES if name in options.save]

        self.scale: Scale | None = None
        self.done: dict[Task, dict[str, Any]] = {}
        self.errors: list[dict[str, str]] = []
        self.grouped: set[Task] = set()  # the images that were opened together last
        self.seen: dict[Task, Seen] = {}  # of these, until each has its turn

    def go(self, out: Path, tasks: Sequence[Task]) -> PredictResult:
        """Segment the images that are not done, then write the files that cover all of them."""
        origin = self._origin()
        settings = {key: value for key, value in origin.items() if key != "model"}  # its hash says more
        drawing = {"ids": True} if self.options.ids else {}
        kept = Unfinished(out, settings | self.asked | {"save": self.save} | drawing, tasks)

        try:
            self.scale = self._choose_scale(kept, tasks)
            notes = self._scale_notes()
            for note in notes:
                tell(note)
            before = self._take_all(kept, tasks)
            self._write(kept, origin)
        except (InputError, KeyboardInterrupt) as stop:
            self._say_how_to_go_on(stop, kept, len(tasks))
            raise

        return PredictResult([*self.done.values()], self.errors, self.method.name, self.cuts, notes, before)

    def _choose_scale(self, kept: Unfinished, tasks: Sequence[Task]) -> Scale | None:
        """Return how images of unknown um per pixel are taken, as before if the run was stopped."""
        given = self.options.scale is not None  # nothing to find out then, nothing to keep
        if not given and SCALE in kept.facts:
            record = kept.facts[SCALE]
            return Scale(**record | {"notes": tuple(record["notes"])}) if record else None

        scale = scale_of_files(self.method, [task.file for task in tasks], **self.asked)
        if not given:
            kept.remember(SCALE, scale.record() if scale else None)
        return scale

    def _scale_notes(self) -> Sequence[str]:
        """What a user should know of the scale of all images."""
        if self.scale is None and self.options.scale is not None:
            return (f"--scale {self.options.scale:g} changed nothing: every image says its um per pixel",)
        return self.scale.notes if self.scale else ()

    def _write(self, kept: Unfinished, origin: dict[str, Any]) -> None:
        """Write the files that cover all images; none if every image failed."""
        if not self.done:
            kept.discard()
            return

        date = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        scale = {"scale": self.scale.record() if self.scale else None}
        kept.publish(
            self.done, {"date": date, **origin, **self.asked, **scale}, origin, self.errors, self.save
        )
        remove_drafts({kept.out, *((kept.out / OVERLAYS / task.drawing).parent for task in self.done)})

    def _take_all(self, kept: Unfinished, tasks: Sequence[Task]) -> int:
        """Segment the images that are not done. Return how many were."""
        self.done = {task: row for task in tasks if (row := kept.done(task))}
        before = len(self.done)
        for row in self.done.values():
            _tell(row)

        left = [task for task in tasks if task not in self.done]
        for number, task in enumerate(each(left, "segmenting", lambda task: task.name)):
            self._see(left[number : number + self.method.batch])
            if result := self._take(task):
                kept.add(task, result)
                self.done[task] = result.row
                _tell(result.row)

        self.done = {task: self.done[task] for task in tasks if task in self.done}
        return before

    def _see(self, group: Sequence[Task]) -> None:
        """Let the network see the images of a group at once; one that fails does so in its turn."""
        if len(group) < 2 or group[0] in self.grouped:
            return
        begun = time.monotonic()
        self.grouped = {*group}  # those that cannot be opened too, or the rest would be seen again
        opened: dict[Task, Image] = {}
        for task in group:
            with suppress(Exception):
                opened[task] = self._read(task)

        found: Sequence[Found | None] = [None] * len(opened)
        with suppress(Exception):
            images = [(image.pixels, self._mpp(image)) for image in opened.values()]
            found = self.method.see(images, self.scale)
        share = (time.monotonic() - begun) / len(group)
        self.seen = {
            task: Seen(image, result, share)
            for (task, image), result in zip(opened.items(), found, strict=True)
        }

    def _take(self, task: Task) -> Result | None:
        """Segment one image, or note why not: if it fails, the others go on."""
        try:
            return self._segment(task)
        except Exception as error:
            reason = explain(error, "an image", memory=_NO_MEMORY)
            self.errors.append({"file": str(task.file), "error": reason})
            tell(f"{task.file}: {reason.removeprefix(f'{task.file}: ')}", error=True)
            return None

    def _segment(self, task: Task) -> Result:
        begun = time.monotonic()
        image, seen, share = self.seen.pop(task, None) or Seen(self._read(task), None, 0.0)
        found = self.method.find(image.pixels, self._mpp(image), scale=self.scale, seen=seen)
        cells = self.method.choose(found.cells, self.options.score)

        entry = Entry(name=task.name, path=task.file, content=Content(cells=cells))
        rows = measure(cells, task.name, image.pixels)
        picture = to_png(self._draw(image.pixels, cells)) if "overlay" in self.save else None

        told = contradiction(self.options.mpp, image.mpp)
        doubts = doubt_mpp(cells)
        notes = [*image.notes, *([told] if told else []), *found.notes, *doubts]
        row = {
            "name": task.name,
            "path": str(task.file.resolve()),
            "sha256": image.sha256,
            "mpp": cells.mpp,
            "mpp_doubted": bool(doubts),
            "zoom": round(found.zoom, 5),
            "zoom_estimated": found.zoom_estimated,
            "found": {text: int((cells.labels == label).sum()) for label, text in LABEL_NAMES.items()},
            "notes": notes,
            "seconds": round(time.monotonic() - begun + share, 3),
        }
        table = to_csv(rows).partition("\n")[2]
        summary = summarise_image(cells, rows, name=task.name, notes=notes)
        return Result(row, part_of(entry, scores=self.method.scored), table, summary, picture)

    def _read(self, task: Task) -> Image:
        image = read_image(task.file, self.options.page, hashed=True)
        if "overlay" in self.save:
            _check_drawing(image.pixels.shape)
        return image

    def _mpp(self, image: Image) -> float | None:
        return image.mpp if self.options.mpp is None else self.options.mpp

    def _draw(self, image: Picture, cells: Cells) -> Picture:
        drawn = overlay(image, cells)
        if self.options.ids:
            write_numbers(drawn, cells, range(len(cells)))
        return drawn

    def _origin(self) -> dict[str, Any]:
        """Return what the predictions came from."""
        cuts = {LABEL_NAMES[label]: cut for label, cut in self.cuts.items()}
        return {**self.method.origin(), "scores": cuts, "versions": versions()}

    def _say_how_to_go_on(self, stop: BaseException, kept: Unfinished, total: int) -> None:
        """Add to what stopped the run what is left of it."""
        if self.done or kept.holds:
            done = f"{len(self.done)} of {total} images are done"
            left = f"{done} and kept in {kept.out}: the same command goes on"
        else:
            kept.discard()
            left = "no image was done, nothing is kept"
        stop.args = (f"{str(stop) or 'stopped'}; {left}",)


def _check_drawing(shape: tuple[int, ...]) -> None:
    """Raise InputError where the overlay of an image (H, W, 3) will not fit into memory."""
    pixels = shape[0] * shape[1]
    what = f"an image of {pixels / 1e6:.0f} megapixels"
    check_room(_DRAWN * pixels, what, "draw", "leave its overlay out with --save coco,csv")


def _tasks(files: Sequence[Path]) -> list[Task]:
    names = name_images(files)
    named = zip(files, names, name_files(names, ".png"), strict=True)
    return [Task(number, *each) for number, each in enumerate(named, start=1)]


def _tell(image: Mapping[str, Any]) -> None:
    for line in describe(image):
        tell(line)
