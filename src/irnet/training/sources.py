"""Where training images come from: annotated files, or smears drawn while training."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Content
from irnet.config import DataSettings, GeneratedSettings, Settings
from irnet.data.checks.needs import need_annotated, need_images
from irnet.data.coco.coco import read_coco
from irnet.data.coco.document import locate
from irnet.data.coco.split import PARTS, assign_parts
from irnet.data.files import sha256
from irnet.data.sample import Entry, Sample
from irnet.errors import InputError
from irnet.synthetic import Cutout, compose, cut_out, generate
from irnet.synthetic.smear import VERSION, Patient
from irnet.training.crops import CropDataset, InstanceRules
from irnet.training.feed import process_context, starting_processes

ENDLESS = 2**62  # items

GeneratedField = tuple[NDArray[np.uint8], Content]
ReadShare = Callable[[int, int], list[Sample]]  # of (rank, number of ranks)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """What a run learns from."""

    crops: CropDataset
    reuse: int  # crops of each image
    read_validation: ReadShare
    identity: dict[str, Any]  # distinguishes other data from the same
    facts: dict[str, Any]  # what else the model card says of it


class GeneratedFields:
    """Fields of generated smears: field number i is a function of (seed, i)."""

    def __init__(self, settings: GeneratedSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.cutouts = _read_cutouts(settings.cutouts) if settings.composed else []
        self._last: tuple[int, GeneratedField] | None = None

    def __call__(self, item: int) -> GeneratedField:
        """Return the field of which training item `item` is a crop; those of one field come in a row."""
        number = item // self.settings.reuse % self.settings.images
        if self._last is None or self._last[0] != number:
            self._last = (number, self.draw(number))
        return self._last[1]

    def draw(self, number: int) -> GeneratedField:
        """Return (size, size, 3) pixels and what is on them; fields for validation re-use no cell."""
        s = self.settings
        rng = np.random.default_rng((self.seed, number))
        seed, size = int(rng.integers(2**31)), (s.size, s.size)

        layout = s.layouts[rng.integers(len(s.layouts))]
        palette = s.palettes[rng.integers(len(s.palettes))]
        if number < s.images and rng.random() < s.composed:
            return compose(seed, self.cutouts, size=size, mpp=s.mpp, layout=layout, palette=palette)

        patient = Patient.draw(seed, palette, s.abnormal)
        return generate(seed, size=size, mpp=s.mpp, layout=layout, palette=palette, patient=patient)

    def read(self, count: int, workers: int, rank: int, ranks: int) -> list[Sample]:
        """Return this rank's share of `count` fields that follow the training ones, drawn by `workers`."""
        numbers = [self.settings.images + i for i in range(rank, count, ranks)]
        if workers == 0:
            fields = list(map(self.draw, numbers))
        else:
            with ProcessPoolExecutor(min(workers, len(numbers) or 1), process_context()) as pool:
                with starting_processes():
                    drawn = pool.map(self.draw, numbers)
                fields = list(drawn)

        return [
            Sample(name=f"generated-{number}", image=image, content=truth)
            for number, (image, truth) in zip(numbers, fields, strict=True)
        ]


def open_source(settings: Settings, data: str | Path | None) -> Source:
    """Return the images that the settings ask for; `data` is the data set where they are files.

    Raises `InputError` when the data set is missing or has nothing to train on.
    """
    if settings.data.source == "generated":
        return _generated(settings)
    if data is None:
        raise InputError("no data set: name its folder or COCO file, or set data.source = 'generated'")
    return _annotated(settings, Path(data))


def _generated(settings: Settings) -> Source:
    fields = GeneratedFields(settings.data.generated, settings.train.seed)
    cutouts = _describe_cutouts(fields)
    return Source(
        crops=_crops(fields, settings),
        reuse=fields.settings.reuse,
        read_validation=partial(fields.read, settings.train.validate_images, settings.train.workers),
        identity={
            "source": "generated",
            "images": fields.settings.images,
            "generator": VERSION,
            "cutouts_sha256": cutouts and cutouts["sha256"],
        },
        facts={"cutouts": cutouts},
    )


def _annotated(settings: Settings, path: Path) -> Source:
    folder = path if path.is_dir() else path.parent
    if path.name == "train.json" or (path.is_dir() and (path / "train.json").exists()):
        training, validation = read_coco(folder / "train.json"), read_coco(folder / "val.json")
        files = [folder / "train.json", folder / "val.json"]
    else:
        training, validation = _split(read_coco(path), settings.data)
        files = [locate(path)]

    need_annotated(training, path)
    need_images([*training, *validation], path)

    validated = _spread(validation, settings.train.validate_images)
    hashes = [sha256(file) for file in files]
    names = [f"{file.resolve().parent.name}/{file.name}" for file in files]

    return Source(
        crops=_crops(training, settings),
        reuse=1,
        read_validation=partial(_read, validated),
        identity={
            "source": "files",
            "images": len(training),
            "sha256": hashes[0],
            "validation_sha256": hashes[1] if len(hashes) > 1 else None,
        },
        facts={
            "files": dict(zip(names, hashes, strict=True)),
            "training": _count(training),
            "validation": _count(validated),
            "held_back": validation is not training,
        },
    )


def split_entries(entries: Sequence[Entry], data: DataSettings) -> dict[str, list[Entry]]:
    """Return the parts of a data set by patient, as every run on it has them; a share of 0 makes no part.

    Images without a patient are split one by one, with a warning. Raises `InputError` for too few patients.
    """
    if any(entry.patient is None for entry in entries):
        _logger.warning("images without a patient are split one by one: one patient may lie on both sides")

    keys = _split_keys(entries)
    shares = {part: share for part, share in zip(PARTS, data.split, strict=True) if share > 0}
    parts = assign_parts(keys, ratios=[*shares.values()], seed=data.split_seed, parts=[*shares])

    divided: dict[str, list[Entry]] = {part: [] for part in shares}
    for entry, key in zip(entries, keys, strict=True):
        divided[parts[key]].append(entry)
    return divided


def _split(entries: list[Entry], data: DataSettings) -> tuple[list[Entry], list[Entry]]:
    """Return entries for training and for validation, no patient in both; the test part is left alone."""
    parts_wanted = sum(share > 0 for share in data.split)
    if len(set(_split_keys(entries))) < parts_wanted or data.split[PARTS.index("val")] == 0:
        _logger.warning("nothing is held back: validation sees the training images")
        return entries, entries

    parts = split_entries(entries, data)
    return parts["train"], parts["val"]


def _split_keys(entries: Sequence[Entry]) -> list[str]:
    """Return what is split: patients, and images that name none."""
    return [f"image {e.name}" if e.patient is None else f"patient {e.patient}" for e in entries]


def _read(entries: Sequence[Entry], rank: int, ranks: int) -> list[Sample]:
    return [entry.read() for entry in entries[rank::ranks]]


def _crops(source: Sequence[Entry] | GeneratedFields, settings: Settings) -> CropDataset:
    data = settings.data
    return CropDataset(
        source,
        size=data.crop,
        length=ENDLESS,
        seed=settings.train.seed,
        augmentation=data.augment,
        mpp=data.mpp or None,
        rules=InstanceRules(mask_size=data.mask_size, min_share=data.min_visible),
    )


def _describe_cutouts(fields: GeneratedFields) -> dict[str, Any] | None:
    if not fields.cutouts:
        return None
    file = locate(Path(fields.settings.cutouts))
    return {
        "file": f"{file.resolve().parent.name}/{file.name}",
        "sha256": sha256(file),
        "cells": len(fields.cutouts),
    }


def _count(entries: Sequence[Entry]) -> dict[str, int]:
    """How many images, of how many patients that are named."""
    patients = {entry.patient for entry in entries} - {None}
    return {"images": len(entries), "patients": len(patients)}


def _read_cutouts(data: str) -> list[Cutout]:
    """Return the free-lying annotated cells of a data set."""
    found = [cutout for entry in read_coco(data) for cutout in cut_out(entry.read())]
    if not found:
        raise InputError(
            f"{data}: no annotated cell lies free with one nucleus; set data.generated.composed = 0"
        )
    return found


def _spread(entries: Sequence[Entry], most: int) -> list[Entry]:
    """Return at most `most` entries, evenly spread: neighbours are often of one patient."""
    if len(entries) <= most:
        return list(entries)
    return [entries[i] for i in np.linspace(0, len(entries) - 1, most).round().astype(int)]
