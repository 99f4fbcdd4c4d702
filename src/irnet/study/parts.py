"""The images of a study: training, validation and test, the same for every row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from irnet.config import DataSettings
from irnet.data.coco.coco import read_coco
from irnet.data.coco.document import load
from irnet.data.coco.location import locate
from irnet.data.coco.split import PARTS, part_files
from irnet.data.files import sha256
from irnet.data.sample import Entry, digest_of_images
from irnet.errors import InputError
from irnet.training.sources import shared_images, shared_patients, split_entries, take_fields


@dataclass(frozen=True, eq=False, kw_only=True)
class Parts:
    """The entries of each part, and the files that they come from."""

    train: list[Entry]
    val: list[Entry]
    test: list[Entry]
    files: tuple[Path, ...]

    def names(self) -> dict[str, list[str]]:
        """Names of the images of each part."""
        return {part: _names(getattr(self, part)) for part in PARTS}

    def identity(self) -> dict[str, Any]:
        """What tells this data from other data: hashes, the generator's version and seed, counts."""
        info = load(self.files[0]).data.get("info") or {}
        seed, version = info.get("seed"), info.get("generator", info.get("version"))

        return {
            "files": {file.name: sha256(file) for file in self.files},
            "images_sha256": {part: digest_of_images(getattr(self, part)) for part in PARTS},
            "generator": None if seed is None else {"version": version, "seed": seed},
            "images": {part: len(getattr(self, part)) for part in PARTS},
            "patients": {part: len(_patients(getattr(self, part))) for part in PARTS},
        }


def open_parts(data: Path, settings: DataSettings) -> Parts:
    """Read train.json, val.json and test.json of a folder, or split its one file by patient.

    Raises `InputError` for a part that is missing or empty, and for an image or a patient in two.
    """
    if data.is_dir() and (data / "train.json").exists():
        files = part_files(data, PARTS)
        entries = {part: read_coco(file) for part, file in zip(PARTS, files, strict=True)}
    else:
        files = [locate(data)]
        entries = split_entries(read_coco(files[0]), settings)

    if empty := [part for part in PARTS if not entries.get(part)]:
        raise InputError(f"{data}: no image for {', '.join(empty)}: a study needs all three parts")
    _check_apart(data, entries)
    entries["train"] = take_fields(entries["train"], settings)
    return Parts(**entries, files=tuple(files))


def _check_apart(data: Path, entries: Mapping[str, Sequence[Entry]]) -> None:
    """Refuse an image or a patient in two parts (`InputError`)."""
    for first, second in combinations(PARTS, 2):
        sides = entries[first], entries[second]
        for kind, shared in (("image", shared_images(*sides)), ("patient", shared_patients(*sides))):
            if shared:
                raise InputError(
                    f"{data}: {kind} {shared[0]} is in {first} and in {second}, so that scores would "
                    "measure memory: split by patient with irnet data split"
                )


def _names(entries: Iterable[Entry]) -> list[str]:
    return [entry.name for entry in entries]


def _patients(entries: Iterable[Entry]) -> set[str]:
    return {entry.patient for entry in entries if entry.patient is not None}
