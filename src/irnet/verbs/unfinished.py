"""A run of `irnet predict` as long as it is not finished: its plan, and what each image gave, on disk.

Whatever ends the process, the images that were done stay done. The files that cover all images are written
beside them first and put in their place last, run.json at the very end: a reader meets the earlier run whole,
the new one whole, or neither.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from irnet.data.coco.coco import Part, write_parts
from irnet.data.coco.document import Row, parse, short
from irnet.data.file_names import CELLS, ERRORS, IMAGES, OVERLAYS, PREDICTIONS, RUN, UNFINISHED
from irnet.data.files import as_json, move, sha256, write_atomic
from irnet.errors import InputError
from irnet.morphometry.images import IMAGE_COLUMNS
from irnet.morphometry.table import encode_csv, to_csv
from irnet.verbs.run_files import remove_earlier
from irnet.wording import number_of

PLAN = "plan.json"
FORMAT = 2


class Task(NamedTuple):
    """One of the images of a run."""

    number: int  # from 1
    file: Path
    name: str
    drawing: str  # file name of its overlay


class Result(NamedTuple):
    """What one image gave."""

    row: Row  # of run.json
    part: Part  # of predictions.json
    table: str  # lines of cells.csv
    summary: Row  # of images.csv
    picture: bytes | None = None  # its overlay, PNG


class Unfinished:
    """The folder in `out` that holds what is done. Only the holder of the lock of `out` may use it.

    Args:
        out: folder of the results.
        settings: what has to be the same for a run to go on.
        tasks: the images; the same ones.

    Raises:
        InputError: a run with other settings or images was stopped in `out`, and is reported.
    """

    def __init__(self, out: Path, settings: Row, tasks: Sequence[Task]) -> None:
        self.out, self.folder = out, out / UNFINISHED
        images = [[task.name, str(task.file.resolve())] for task in tasks]
        wanted = {"format": FORMAT, "settings": settings, "images": images}
        self._plan: Row = json.loads(json.dumps(wanted | {"kept": {}}))

        stopped = self._stopped()
        if stopped is None:
            shutil.rmtree(self.folder, ignore_errors=True)  # finished, or never begun
            self._write_plan()
        else:
            _refuse_other(out, stopped, self._plan)
            self._plan = stopped

    def _stopped(self) -> Row | None:
        """The plan of a run that was stopped; None where there is none, or it had only to tidy up."""
        try:
            plan = parse(self.folder / PLAN)
            written, placed = (folder / RUN for folder in (self.folder, self.out))
            if written.is_file() and placed.is_file() and written.read_bytes() == placed.read_bytes():
                return None
            return plan if isinstance(plan["kept"], dict) and plan["format"] == FORMAT else None
        except (InputError, OSError, KeyError, TypeError):
            return None

    # What holds for all images

    @property
    def holds(self) -> bool:
        """Whether something was found out for all images together."""
        return any(fact is not None for fact in self.facts.values())

    @property
    def facts(self) -> Mapping[str, Any]:
        """What was found out for all images together before the run was stopped."""
        return self._plan["kept"]

    def remember(self, key: str, fact: Any) -> None:
        """Keep what was found out for all images together (JSON)."""
        self._plan["kept"][key] = fact
        self._write_plan()

    def _write_plan(self) -> None:
        write_atomic(self.folder / PLAN, as_json(self._plan))

    # Image by image

    def done(self, task: Task) -> Row | None:
        """What run.json says of an image that is done, None where it is not, or its file has changed."""
        try:
            record = self._read(task)
            row, drawn = record["row"], record["drawn"]
            whole = row["name"] == task.name and row["sha256"] == sha256(task.file)
            return row if whole and drawn in (None, self._drawn(task)) else None
        except (InputError, OSError, KeyError, TypeError):
            return None

    def add(self, task: Task, result: Result) -> None:
        """Keep what an image gave. Raises InputError where it cannot be written."""
        if result.picture is not None:
            write_atomic(self.folder / OVERLAYS / task.drawing, result.picture)

        record = {
            "row": result.row,
            "part": result.part,
            "table": result.table,
            "summary": result.summary,
            "drawn": self._drawn(task) if result.picture is not None else None,
        }
        write_atomic(self._file(task), as_json(record, indent=None))

    def _drawn(self, task: Task) -> str | None:
        """SHA-256 of the overlay of an image, here or in its place already."""
        for folder in (self.folder, self.out):
            if (file := folder / OVERLAYS / task.drawing).is_file():
                return sha256(file)
        return None

    def _file(self, task: Task) -> Path:
        return self.folder / f"{task.number:06}.json"

    def _read(self, task: Task) -> Row:
        return parse(self._file(task))

    # The end

    def publish(
        self, done: Mapping[Task, Row], said: Row, info: Row, errors: Sequence[Row], save: Collection[str]
    ) -> None:
        """Put the files of the run in the place of an earlier one's.

        Args:
            done: the images that are done, in their order, and what run.json says of each.
            said: what run.json says besides.
            info: what predictions.json says of where it comes from.
            errors: file and error of each image that failed.
            save: which of "coco", "overlay" and "csv".
        """
        tables = self._write_tables(done, info, save)
        drawings = [f"{OVERLAYS}/{task.drawing}" for task in done] if "overlay" in save else []
        files = {"files": [*tables, *drawings, RUN, ERRORS]}
        hashes = {"hashes": {name: sha256(self.folder / name) for name in tables}}
        _write_json(self.folder / ERRORS, errors)
        _write_json(self.folder / RUN, said | files | hashes | {"images": [*done.values()]})

        placed = {name for name in drawings if not (self.folder / name).exists()}  # before it was stopped
        remove_earlier(self.out, but=placed)
        for name in [*drawings, *tables, ERRORS]:
            if name not in placed:
                move(self.folder / name, self.out / name)
        write_atomic(self.out / RUN, (self.folder / RUN).read_bytes())  # a copy: `_stopped` compares the two
        self.discard()

    def discard(self) -> None:
        """Remove the folder, the plan first: without it nothing goes on."""
        (self.folder / PLAN).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_tables(self, done: Mapping[Task, Row], info: Row, save: Collection[str]) -> list[str]:
        def records() -> Iterator[Row]:
            return (self._read(task) for task in done)

        if "coco" in save:
            parts = lambda: (record["part"] for record in records())  # noqa: E731
            write_parts(self.folder / PREDICTIONS, parts, info=info)
        if "csv" in save:
            header = encode_csv(to_csv([]))
            lines = (record["table"].encode() for record in records())
            write_atomic(self.folder / CELLS, lambda file: file.writelines([header, *lines]))
            images = to_csv((record["summary"] for record in records()), IMAGE_COLUMNS)
            write_atomic(self.folder / IMAGES, encode_csv(images))
        kinds = (("coco", PREDICTIONS), ("csv", CELLS), ("csv", IMAGES))
        return [name for kind, name in kinds if kind in save]


def _refuse_other(out: Path, stopped: Row, wanted: Row) -> None:
    """Raise InputError where a run that was stopped had other settings or images."""
    there, here = stopped["settings"], wanted["settings"]
    keys = [key for key in there | here if there.get(key) != here.get(key)]
    differences = [f"{key} {_value(there, key)} there, {_value(here, key)} here" for key in keys]
    differences += _other_images(stopped["images"], wanted["images"])
    if differences:
        raise InputError(
            f"{out}: an irnet predict that was stopped there had other settings: {'; '.join(differences)}. "
            "Repeat its command to go on, write to another folder, "
            f"or remove {out / UNFINISHED} to start again"
        )


def _value(settings: Row, key: str) -> str:
    value = settings.get(key)
    return value[:12] if isinstance(value, str) else short(value)


def _other_images(there: list[Any], here: list[Any]) -> list[str]:
    if there == here:
        return []

    old, new = [path for _, path in there], [path for _, path in here]
    gone, more = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    differences = [f"{number_of(len(gone), 'image')} there alone, such as {gone[0]}"] if gone else []
    differences += [f"{number_of(len(more), 'image')} here alone, such as {more[0]}"] if more else []
    return differences or ["the images in another order"]


def _write_json(path: Path, value: Any) -> None:
    write_atomic(path, as_json(value))
