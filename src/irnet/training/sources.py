"""Where training images come from: annotated files, split by patient, or `generated`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from irnet.config import DataSettings, Settings
from irnet.data.checks.needs import (
    has_annotated,
    is_marked,
    need_annotated,
    need_images,
    warn_of_found,
)
from irnet.data.coco.coco import read_coco
from irnet.data.coco.location import locate
from irnet.data.coco.split import PARTS, assign_parts, in_drawn_order, part_files, stale_parts
from irnet.data.files import sha256
from irnet.data.own import OwnData
from irnet.data.sample import Entry, Sample, digest_of_images
from irnet.errors import InputError
from irnet.training.crops import crops_of
from irnet.training.source import Source
from irnet.wording import number_of

_STAY = "stay those that the run began with; finish some images in irnet view (Shift A)"
_NO_GROUND = "says what is ground, and the network may find too much; finish some in irnet view (Shift A)"
_logger = logging.getLogger(__name__)


def open_source(settings: Settings, data: str | Path | None, own: OwnData = OwnData()) -> Source:
    """Return the images that the settings ask for; `data` is the data set where they are files.

    `own` is what their files do not say. Raises `InputError` when the data set is missing or has nothing to
    train on.
    """
    if settings.data.source == "generated":
        # Here, for who trains on files does without the generator.
        from irnet.training.generated import open_generated

        if own != OwnData():
            raise InputError("--mpp and --patients are for annotated files: these fields are drawn")
        return open_generated(settings)
    if data is None:
        raise InputError("no data set: name its folder or COCO file, or set data.source = 'generated'")
    return _annotated(settings, Path(data), own)


def with_known_scale(settings: Settings, source: Source) -> Settings:
    """Return the settings without a scale where that of no image is known: the network has none then."""
    if not settings.data.mpp:
        return settings
    if source.scaled:
        if unknown := source.facts.get("scale", {}).get("unknown"):
            _logger.warning(
                "um per pixel of %s are unknown: taken as they are, beside others brought to %g um per pixel",
                number_of(unknown, "training image"),
                settings.data.mpp,
            )
        return settings
    _logger.warning(
        "um per pixel of the training images are unknown: they are taken as they are, and the network has no "
        "scale. Give --mpp, if one holds for all"
    )
    return settings.model_copy(update={"data": settings.data.model_copy(update={"mpp": 0.0})})


def _annotated(settings: Settings, path: Path, own: OwnData) -> Source:
    parts = _parts_of(settings.data, path, own)
    need_annotated(parts.training, path)  # before those that teach nothing go: it says how many there are
    training = take_fields(_that_teach(parts.training, path), settings.data)
    need_annotated(training, path)
    validation = [entry for entry in parts.validation if entry.scored]
    if validation:
        need_annotated(validation, f"{path}: validation")
    _warn_of_unfinished(training, validation, path)
    used = [*training, *validation]
    need_images(used, path)

    validated = _spread(validation, settings.train.validate_images)
    hashes = [sha256(file) for file in parts.files]
    names = [f"{file.resolve().parent.name}/{file.name}" for file in parts.files]

    return Source(
        crops=crops_of(training, settings),
        reuse=1,
        read_validation=partial(_read, validated),
        identity={
            "source": "files",
            "images": len(training),
            "sha256": hashes[0],
            "validation_sha256": hashes[1] if len(hashes) > 1 else None,
            "images_sha256": digest_of_images(used),
            **_said(own, used),
        },
        facts={
            "files": dict(zip(names, hashes, strict=True)),
            "training": _count(training),
            "validation": _count(validated),
            "held_back": parts.held_back,
            "scale": {"given": own.mpp, **_scales(training)},
        },
        scaled=any(entry.content.cells.mpp is not None for entry in training),
    )


class _Parts(NamedTuple):
    """What a data set has for training and for validation."""

    training: list[Entry]
    validation: list[Entry]
    held_back: bool  # no image is in both
    files: list[Path]  # that they were read from


def _parts_of(data: DataSettings, path: Path, own: OwnData) -> _Parts:
    """The parts that `irnet data split` made, or those of a split made here."""
    folder = path if path.is_dir() else path.parent
    if path.name == "train.json" or (path.is_dir() and (path / "train.json").exists()):
        files = part_files(folder, ("train", "val"))
        training, validation = map(read_coco, files)
        both = own.complete([*training, *validation], path)
        training, validation = both[: len(training)], both[len(training) :]
        held_back = not shared_images(training, validation)
        _warn_of_shared(training, validation)
        if stale := stale_parts(folder):
            _logger.warning("%s: %s", folder, stale)
    else:
        training, validation, held_back = _split(own.complete(read_coco(path), path), data)
        files = [locate(path)]

    for file in files:
        warn_of_found(file)
    return _Parts(training, validation, held_back, files)


def _warn_of_unfinished(training: Sequence[Entry], validation: Sequence[Entry], path: Path) -> None:
    """Warn where no image is finished that says what is ground, or none that could choose thresholds."""
    if not validation:
        _logger.warning("%s: nobody finished an image to validate on: thresholds %s", path, _STAY)
    if not any(entry.scored for entry in training):
        _logger.warning("%s: nobody finished an image to train on: nothing %s", path, _NO_GROUND)


def split_entries(entries: Sequence[Entry], data: DataSettings) -> dict[str, list[Entry]]:
    """Return the parts of a data set by patient, as every run on it has them; a share of 0 makes no part.

    Images without a patient are split one by one, with a warning. Patients of whom nothing can be scored are
    all for training. Raises `InputError` for too few others.
    """
    if any(entry.patient is None for entry in entries):
        _logger.warning(
            "images without a patient are split one by one: one patient may lie on both sides; --patients "
            "says whose they are"
        )

    keys = _split_keys(entries)
    shares = {part: share for part, share in zip(PARTS, data.split, strict=True) if share > 0}
    scored = _split_keys([entry for entry in entries if entry.scored])
    parts = assign_parts(scored, ratios=[*shares.values()], seed=data.split_seed, parts=[*shares])

    divided: dict[str, list[Entry]] = {part: [] for part in shares}
    for entry, key in zip(entries, keys, strict=True):
        divided[parts.get(key, PARTS[0])].append(entry)
    return divided


def take_fields(entries: list[Entry], data: DataSettings) -> list[Entry]:
    """Return the `data.fields` training images, 0 all; patients come whole, one after the other, by hash.

    Raises `InputError` where there are fewer.
    """
    if not data.fields:
        return entries
    if data.fields > len(entries):
        raise InputError(
            f"data.fields = {data.fields}: the training part has {number_of(len(entries), 'image')}; "
            "name fewer, or 0 for all"
        )

    keys = _split_keys(entries)
    places = {key: place for place, key in enumerate(in_drawn_order(keys, seed=data.split_seed))}
    order = sorted(range(len(entries)), key=lambda index: places[keys[index]])
    return [entries[index] for index in sorted(order[: data.fields])]


def _split(entries: list[Entry], data: DataSettings) -> tuple[list[Entry], list[Entry], bool]:
    """Return entries for training and for validation, and whether no patient is in both.

    The test part is in neither, unless there are too few patients for it.
    """
    wanted = [part for part, share in zip(PARTS, data.split, strict=True) if share > 0]
    scored = [entry for entry in entries if entry.scored]
    if len(set(_split_keys(scored))) < len(wanted):
        later = ", and no image is left to test" if "test" in wanted else ""
        _logger.warning(
            "too few patients to split: nothing is held back, validation sees the training images%s", later
        )
        return entries, entries, False

    parts = split_entries(entries, data)
    if "val" not in parts:
        _logger.warning("nothing is held back: validation sees the training images")
        return parts["train"], parts["train"], False
    return parts["train"], parts["val"], True


def _split_keys(entries: Sequence[Entry]) -> list[str]:
    """Return what is split: patients, and images that name none."""
    return [f"image {e.name}" if e.patient is None else f"patient {e.patient}" for e in entries]


def _that_teach(entries: Sequence[Entry], path: Path) -> list[Entry]:
    """The images that give any loss: they have an annotated cell, or ground. Warned is of points alone."""
    if marked := sum(is_marked(entry) for entry in entries):
        _logger.warning(
            "%s: nothing is learned from %d of %s, which have points and no annotated_categories: "
            "--unlabelled takes points",
            path,
            marked,
            number_of(len(entries), "image"),
        )
    return [entry for entry in entries if has_annotated(entry) or entry.scored]


def _read(entries: Sequence[Entry], rank: int, ranks: int) -> list[Sample]:
    return [entry.read() for entry in entries[rank::ranks]]


def _said(own: OwnData, entries: Sequence[Entry]) -> dict[str, Any]:
    """What of `own` distinguishes these images from the same with other scales or patients."""
    said: dict[str, Any] = {} if own.mpp is None else {"mpp": own.mpp}
    if own.patients is not None:
        lines = "\n".join(f"{entry.name}\t{entry.patient}" for entry in entries)
        said["patients_sha256"] = hashlib.sha256(lines.encode()).hexdigest()
    return said


def _scales(entries: Sequence[Entry]) -> dict[str, Any]:
    """The um per pixel of images, and of how many they are unknown."""
    known = {mpp for entry in entries if (mpp := entry.content.cells.mpp) is not None}
    return {"known": sorted(known), "unknown": sum(entry.content.cells.mpp is None for entry in entries)}


def shared_images(first: Sequence[Entry], second: Sequence[Entry]) -> list[str]:
    """Return the names in `second` of images (or pages of files) that are in `first` too."""
    places = {(entry.path.resolve(), entry.page) for entry in first}
    return [entry.name for entry in second if (entry.path.resolve(), entry.page) in places]


def shared_patients(first: Sequence[Entry], second: Sequence[Entry]) -> list[str]:
    """Return the patients of whom both have images, sorted."""
    both = {entry.patient for entry in first} & {entry.patient for entry in second}
    return sorted(patient for patient in both if patient is not None)


def _warn_of_shared(training: Sequence[Entry], validation: Sequence[Entry]) -> None:
    if images := shared_images(training, validation):
        _logger.warning(
            "%s on both sides: validation sees what is trained on; split again",
            number_of(len(images), "image"),
        )
    if patients := shared_patients(training, validation):
        _logger.warning(
            "%s on both sides: validation scores are too high; split again, by patient",
            number_of(len(patients), "patient"),
        )


def _count(entries: Sequence[Entry]) -> dict[str, int]:
    """How many images, of how many patients that are named."""
    patients = {entry.patient for entry in entries} - {None}
    return {"images": len(entries), "patients": len(patients)}


def _spread(entries: Sequence[Entry], most: int) -> list[Entry]:
    """Return at most `most` entries, evenly spread: neighbours are often of one patient."""
    if len(entries) <= most:
        return list(entries)
    return [entries[i] for i in np.linspace(0, len(entries) - 1, most).round().astype(int)]
