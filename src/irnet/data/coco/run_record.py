"""The record of a run beside its predictions: where the images lay, how they were read, what failed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irnet.data.coco.document import Document, Row, load, naming, parse, short
from irnet.data.file_names import ANNOTATIONS, ERRORS, PREDICTIONS, RUN, UNFINISHED
from irnet.errors import InputError

_NUMBER = int | float
_FORMS = {dict: "an object", list: "a list", str: "text", int: "a whole number", _NUMBER: "a number"}


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run: nothing where it left no record, nor of what the record leaves out."""

    said: Row = field(default_factory=dict)  # run.json
    errors: list[Row] = field(default_factory=list)  # errors.json: file and error of each image that failed

    @classmethod
    def read(cls, folder: str | os.PathLike) -> RunRecord:
        """The record in a folder. Raises InputError that names the file and the field that is wrong."""
        run, errors = Path(folder) / RUN, Path(folder) / ERRORS
        record = cls(parse(run) if run.is_file() else {}, parse(errors) if errors.is_file() else [])
        with naming(f"{run}: no record of a run"):
            _check_run(record)
        with naming(f"{errors}: no record of a run"):
            _check(record.errors, list, "it")
            _check_rows(record.errors, "file", "error")
        return record

    @property
    def images(self) -> list[Row]:
        """Name and path of each image, and what else is said of it."""
        return self.said.get("images", [])

    @property
    def paths(self) -> dict[str, Path]:
        """Where the images lay, by name."""
        return {row["name"]: Path(row["path"]) for row in self.images}

    @property
    def files(self) -> list[str]:
        """Names of the files that the run wrote, in its folder."""
        return self.said.get("files", [])

    @property
    def hashes(self) -> dict[str, str | None]:
        """SHA-256 of the images' files, by name; None of one that was not recorded."""
        return {row["name"]: row.get("sha256") for row in self.images}

    @property
    def page(self) -> int | None:
        """Page of multi-page TIFF files that was read, from 0."""
        return self.said.get("page")

    @property
    def notes(self) -> dict[str, list[str]]:
        """What was noted on each image, by name."""
        return {row["name"]: row.get("notes", []) for row in self.images}

    @property
    def scores(self) -> dict[str, float]:
        """From which score on instances were kept, by name of the class."""
        return self.said.get("scores", {})


def load_checked(path: str | os.PathLike) -> tuple[Document, RunRecord]:
    """A COCO file, and the record of its run where it is that of one. Raises InputError where they differ.

    A folder stands for its predictions.json, or else its annotations.json. Runs of earlier versions recorded
    no hash, and are read as they are.
    """
    path = Path(path)
    path = path / PREDICTIONS if (path / PREDICTIONS).is_file() else path
    folder = path if path.is_dir() else path.parent
    if (path.is_dir() or path.name == PREDICTIONS) and (folder / UNFINISHED).is_dir():
        _refuse_half(folder)
    document = load(path)
    if document.path.name != PREDICTIONS:
        return document, RunRecord()
    record = RunRecord.read(folder)
    recorded = record.said.get("hashes")
    if isinstance(recorded, dict) and recorded.get(PREDICTIONS) != document.sha256:
        raise InputError(
            f"{path}: not the file that {folder / RUN} is of, their SHA-256 differ: run predict again; or if "
            "you changed the file, give it another name"
        )
    return document, record


def made_from(source: str | os.PathLike, name: str) -> Path:
    """Where a file or folder goes that is made from a folder or a COCO file: beside it, under `name`.

    The stem of a file that is not the one its folder stands for comes before it: what is made from
    corrected.json lies beside what was made from predictions.json, not over it, and what is made from
    train.json beside what is made from val.json. It is never the source itself.
    """
    source = Path(source)
    if source.is_dir():
        return source / name
    beside = {file.name for file in source.parent.glob("*.json")} | {source.name}
    own = next((own for own in (PREDICTIONS, ANNOTATIONS) if own in beside), None)
    is_own = source.name != name and (source.name == own or len(beside) == 1)
    return source.with_name(name if is_own else f"{source.stem}-{name}")


def _refuse_half(folder: Path) -> None:
    """Raise InputError where a run was stopped that leaves nothing whole to read."""
    if not (folder / RUN).is_file() and not (folder / ANNOTATIONS).is_file():
        raise InputError(f"{folder}: irnet predict was stopped there: repeat its command to go on")


def _check_run(record: RunRecord) -> None:
    _check(record.said, dict, "it")
    _check(record.images, list, "images")
    _check_rows(record.images, "name", "path")
    for row in record.images:
        _check(row.get("notes", []), list, "notes")
        _check(row.get("sha256") or "", str, "sha256")
    _check(record.files, list, "files")
    for name in record.files:
        _check(name, str, "each of its files")
    if record.page is not None:
        _check(record.page, int, "page")
    _check(record.scores, dict, "scores")
    for name, score in record.scores.items():
        _check(score, _NUMBER, f"scores: {name}")


def _check_rows(rows: list[Row], *keys: str) -> None:
    for row in rows:
        _check(row, dict, "each of its rows")
        for key in keys:
            _check(row.get(key), str, key)


def _check(value: Any, form: Any, name: str) -> None:
    if not isinstance(value, form):
        remedy = "remove the file, or run predict again"
        raise InputError(f"{name} must be {_FORMS[form]}, not {short(value)}: {remedy}")
