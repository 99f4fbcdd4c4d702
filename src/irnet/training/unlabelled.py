"""Fields without outlines that a run learns from: which they are, and crops of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from irnet.cells import Cells, Content
from irnet.config import AugmentSettings, Settings
from irnet.data.checks.needs import need_images
from irnet.data.coco.coco import read_coco
from irnet.data.coco.location import locate
from irnet.data.file_names import ANNOTATIONS
from irnet.data.files import sha256
from irnet.data.image import read_image
from irnet.data.listing import list_images
from irnet.data.sample import Entry, digest_of_images
from irnet.errors import InputError
from irnet.training.crops import ENDLESS, FieldCrops
from irnet.training.source import Source

SEED = 1  # of the crops, beside the run's

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fields:
    """Fields without outlines, as crops."""

    crops: FieldCrops
    per_pass: int  # crops of a forward pass
    identity: dict[str, Any]  # distinguishes other fields from the same
    facts: dict[str, Any]  # what else the model card says of them

    def beside(self, source: Source) -> Source:
        """Return what a run learns from, these fields included, for its checkpoint and card."""
        return replace(source, identity=source.identity | self.identity, facts=source.facts | self.facts)


def open_fields(settings: Settings, path: str | Path) -> Fields:
    """Return the images of a folder, or of a data set: outlines in it are not used, points are.

    Raises `InputError` when there is none, one cannot be read, or a pass has no place for them.
    """
    s = settings.unlabelled
    if settings.train.batch < 2:
        raise InputError("train.batch = 1 leaves no place for unlabelled fields: set it to 2 or more")

    entries, file = _read(Path(path))
    need_images(entries, path)
    _warn_of_scale(entries, path, settings)

    points = sum(len(entry.content.points) for entry in entries)
    return Fields(
        crops=FieldCrops(
            [_at(entry, s.mpp) for entry in entries],
            size=settings.data.crop,
            length=ENDLESS,
            seed=settings.train.seed + SEED,
            augmentation=_strong(settings.data.augment, s.strength, s.focus),
            mpp=settings.data.mpp or None,
        ),
        per_pass=min(max(1, round(settings.train.batch * s.share)), settings.train.batch - 1),
        identity={
            "unlabelled": len(entries),
            "unlabelled_sha256": sha256(file) if file else digest_of_images(entries),
            "unlabelled_images_sha256": digest_of_images(entries),
        },
        facts={"unlabelled_from": Path(path).resolve().name, "unlabelled_points": points},
    )


def need_teacher(settings: Settings, *, from_weights: bool) -> None:
    """Raise InputError where nothing can label fields: a network without weights, or of another kind."""
    if not from_weights:
        raise InputError("--unlabelled needs --init: a network that finds nothing cannot label fields")
    if settings.method == "cspnet":
        raise InputError("--unlabelled: cspnet labels no fields, choose a recipe of IRNet or Mask R-CNN")


def _read(path: Path) -> tuple[list[Entry], Path | None]:
    """The images of a folder or data set, and the file that lists them, if there is one."""
    if path.is_file() or (path / ANNOTATIONS).is_file():
        return read_coco(path), locate(path)
    return [_entry(file) for file in list_images([path])], None


def _entry(file: Path) -> Entry:
    image = read_image(file)
    cells = Cells.empty(image.pixels.shape[:2], mpp=image.mpp)
    return Entry(name=file.name, path=file, content=Content(cells=cells, annotated=frozenset()))


def _at(entry: Entry, mpp: float) -> Entry:
    """The entry, `mpp` um per pixel where it does not know its own and that is not 0."""
    cells = entry.content.cells
    content = replace(entry.content, cells=replace(cells, mpp=cells.mpp or mpp or None))
    return replace(entry, content=content)


def _warn_of_scale(entries: Sequence[Entry], path: str | Path, settings: Settings) -> None:
    unknown = sum(entry.content.cells.mpp is None for entry in entries)
    if unknown and settings.data.mpp and not settings.unlabelled.mpp:
        _logger.warning(
            "%s: %d of %d images do not state um per pixel and are taken as they are; the network sees %g: "
            "give --set unlabelled.mpp=... (irnet predict prints its estimate)",
            path,
            unknown,
            len(entries),
            settings.data.mpp,
        )


def _strong(settings: AugmentSettings, strength: float, focus: float) -> AugmentSettings:
    """The recipe's changes of colour and sharpness, `strength` times as large and as frequent."""
    values: dict[str, Any] = settings.model_dump()
    for name in ("stain", "brightness", "contrast", "gamma", "blur_sigma", "noise_sigma"):
        values[name] *= strength
    for name in ("grey", "blur", "noise", "jpeg"):
        values[name] = min(1.0, values[name] * strength)

    values["focus"] = focus
    return settings.model_copy(update=values)
