"""Operating points chosen on annotated images, for weights that are trained already."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.config import OperatingPoint, Settings
from irnet.data.checks.needs import need_images, take_scored, warn_of_found
from irnet.data.coco.coco import read_coco
from irnet.data.coco.location import locate
from irnet.data.files import sha256, write_text
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.inference.devices import choose_device
from irnet.inference.first_look import scale_of_set
from irnet.inference.rehearsal import Option, Rehearsal
from irnet.inference.weights import find_weights, load_weights, save_weights
from irnet.metrics.border import without_cut
from irnet.metrics.ignore import outside_ignored
from irnet.metrics.merit import PARTS, merit_ratios, merits
from irnet.metrics.ratio import Ratio
from irnet.progress import each
from irnet.training.card import WeightsFile, render_card
from irnet.training.log import read_log
from irnet.verbs.swapped import refuse_swapped
from irnet.wording import number_of

FEW_IMAGES, FEW_INSTANCES = 5, 50  # fewer are warned of
STEP = 0.02  # between the cuts that are tried
LEAST_GAIN = 0.005  # of merit, for another power or mask threshold than the present one

_logger = logging.getLogger(__name__)


class Calibration(NamedTuple):
    """What `calibrate` chose, and what the weights file says of it."""

    chosen: dict[str, dict[str, float]]  # class -> score, drm_power, mask_threshold
    before: dict[str, dict[str, float]]
    sets: list[dict[str, Any]]  # name, SHA-256, images, and F1, AJI ... of each class at what was chosen


def calibrate(
    source: str | Path,
    sets: Sequence[str | Path],
    out: str | Path,
    *,
    exclude_border: bool = False,
    device: str = "auto",
    views: int = 1,
) -> Calibration:
    """Write the weights of `source` to `out` with the operating point of highest merit on annotated images.

    Of each class: the cut, the power of p(correct) in the score, and the mask threshold (`metrics.merit`).
    Another power or threshold than the present one has to gain LEAST_GAIN.

    Args:
        source: a weights file, a run's folder, "bundled" or "bundled-research".
        sets: folders of data sets or COCO files. Each counts the same, regardless of its size, in the mean
            of the merit over the sets in which a class is annotated. A class annotated in none keeps its
            point.
        out: the new weights file; its checksum and its card are written beside it.
        exclude_border: leave out what the border cuts (`metrics.border`).
        device: "auto", "cpu", "cuda" ...
        views: 4 chooses the point for four views, and leaves that for one as it is.

    Raises:
        InputError: `out` or a card of its name exists, bad weights, bad data, a set named twice, or
            nothing in them that the network finds.
    """
    target, card = new_files(out)
    for data in sets:
        refuse_swapped("calibrate", source, data)
        warn_of_found(data)
    refuse_doubled(sets)
    entries = [take_scored(read_coco(data), data) for data in sets]
    for data, images in zip(sets, entries, strict=True):
        need_images(images, data)

    path = find_weights(source)
    model, settings, trained = load_weights(path)
    rehearsal = Rehearsal(model, settings=settings, views=views, device=choose_device(device))
    cuts = np.arange(settings.predict.floor, 1, STEP).round(3).tolist()
    parts = [try_all(rehearsal, images, cuts, exclude_border) for images in entries]
    warn_of_few(parts)

    points, before = choose_points(rehearsal, parts, cuts), rehearsal.point
    calibration = Calibration(
        chosen=before | {name: point.values() for name, point in points.items()},
        before=before,
        sets=[_describe(Path(data), part, points) for data, part in zip(sets, parts, strict=True)],
    )

    changed = with_point(settings, calibration.chosen, views)
    record = {**calibration._asdict(), "exclude_border": exclude_border, "least_gain": LEAST_GAIN}
    title = "calibrated" if views == 1 else f"calibrated_{views}_views"
    if earlier := trained.get(title):
        record["before"] = earlier["before"]  # the card says at which point training was scored
    trained = trained | {title: record}

    save_weights(target, model.cpu(), settings=changed, trained=trained)
    write_text(card, render_card(WeightsFile.read(target), read_log(path.parent)))
    return calibration


def new_files(out: str | Path) -> tuple[Path, Path]:
    """The weights file to write and the card beside it. Raises InputError where one is there already."""
    target = Path(out)
    if target.suffix != ".safetensors":
        raise InputError(f"{out}: name a new file that ends in .safetensors")
    card = target.with_suffix(".md")
    for file in (target, card):
        if file.exists():
            raise InputError(f"{file} exists: name a new file, or remove {target.name} and {card.name}")
    return target, card


def refuse_doubled(sets: Sequence[str | Path]) -> None:
    """Raise InputError where a set is named twice: it would count as two."""
    counts = Counter(locate(data).resolve() for data in sets)
    if doubled := [str(file) for file, number in counts.items() if number > 1]:
        raise InputError(f"{doubled[0]} is named twice: every set counts the same, name each once")


def with_point(settings: Settings, chosen: Mapping[str, dict[str, float]], views: int) -> Settings:
    """The settings with the point that was chosen for so many views."""
    by_field: dict[str, dict[str, float]] = {}
    for field in OperatingPoint.model_fields:
        by_field[field] = {name: values[field] for name, values in chosen.items()}
    point = OperatingPoint.model_validate(by_field)

    update = dict(point) if views == 1 else {"views": settings.predict.views | {str(views): point}}
    return settings.model_copy(update={"predict": settings.predict.model_copy(update=update)})


class Part(NamedTuple):
    """One data set: pooled `merit_ratios` (k, 4, 2) of its classes under each option."""

    images: int
    instances: dict[str, int]
    ratios: dict[str, dict[Option, NDArray[np.float64]]]  # of the classes that have a truth


class Point(NamedTuple):
    """What was chosen for a class."""

    score: float
    option: Option
    place: int  # of the score among the cuts that were tried

    def values(self) -> dict[str, float]:
        return {"score": self.score, **self.option._asdict()}


def try_all(rehearsal: Rehearsal, entries: Sequence[Entry], cuts: list[float], exclude_border: bool) -> Part:
    """Every option and cut on one data set."""
    instances = Counter[str]()
    ratios: dict[str, dict[Option, NDArray[np.float64]]] = {name: {} for name in LABEL_NAMES.values()}
    scale = scale_of_set(rehearsal.now, entries)

    for entry in each(entries, "trying thresholds", lambda entry: entry.name):
        instances.update(
            {LABEL_NAMES[label]: len(entry.content.cells.of(label)) for label in entry.content.annotated}
        )
        for option, cells in rehearsal.find(entry.read(), scale).items():
            truth, found = without_cut(entry.content, cells) if exclude_border else (entry.content, cells)
            for label in truth.annotated:
                true, claimed = _scored(truth, found, label)
                one = merit_ratios(true, claimed, cuts)
                table = ratios[LABEL_NAMES[label]]
                table[option] = table.get(option, np.zeros_like(one)) + one

    present = {name: tables for name, tables in ratios.items() if instances[name]}
    return Part(len(entries), {name: instances[name] for name in present}, present)


def _scored(truth: Content, found: Cells, label: int) -> tuple[Cells, ...]:
    """The cells of one class that count."""
    return tuple(outside_ignored(cells.of(label), truth.ignore) for cells in (truth.cells, found))


def warn_of_few(sets: Sequence[Part]) -> None:
    """Warn of points that hang on a few images or instances."""
    images = sum(part.images for part in sets)
    totals = sum((Counter(part.instances) for part in sets), Counter())

    few = [number_of(images, "image")] if images < FEW_IMAGES else []
    few += [f"{total} of class {name}" for name, total in totals.items() if total < FEW_INSTANCES]
    if few:
        _logger.warning(
            "thresholds chosen on %s alone depend on chance: annotate at least %d images with "
            "%d of each class",
            ", ".join(few),
            FEW_IMAGES,
            FEW_INSTANCES,
        )


def choose_points(
    rehearsal: Rehearsal, sets: Sequence[Part], cuts: list[float], *, least_gain: float = 0.0
) -> dict[str, Point]:
    """The point of each class that has a truth and is found under the present option.

    Another cut than the present one, which is among `cuts`, has to gain `least_gain` of merit.
    """
    chosen = {}
    for label, name in LABEL_NAMES.items():
        tables = [part.ratios[name] for part in sets if name in part.ratios]
        present = rehearsal.present(name)
        if not any(table[present][:, PARTS.index("f1"), 0].any() for table in tables):
            continue

        curves: dict[Option, NDArray[np.float64]] = {}  # merit at each cut
        for option in rehearsal.options:
            curves[option] = np.mean([merits(table[option], label) for table in tables], axis=0)
        best = max(curves, key=lambda option: curves[option].max())
        if curves[best].max() < curves[present].max() + LEAST_GAIN:
            best = present

        top = np.flatnonzero(curves[best] == curves[best].max())
        place = int(top[len(top) // 2])  # the middle of those that are alike
        if least_gain and best == present:
            own = cuts.index(rehearsal.point[name]["score"])
            place = place if curves[best][place] >= curves[best][own] + least_gain else own
        chosen[name] = Point(cuts[place], best, place)
    if not chosen:
        raise InputError("nothing annotated on these images is found: the thresholds stay as they are")
    return chosen


def _describe(data: Path, part: Part, points: Mapping[str, Point]) -> dict[str, Any]:
    """What the weights file says of a data set."""
    file = locate(data)
    said: dict[str, Any] = {
        "name": f"{file.resolve().parent.name}/{file.name}",
        "sha256": sha256(file),
        "images": part.images,
    }

    for number, title in enumerate(PARTS):
        pooled = {
            name: Ratio(*part.ratios[name][point.option][point.place, number]).value
            for name, point in points.items()
            if name in part.ratios
        }
        said[title] = {name: value for name, value in pooled.items() if value is not None}
    return said
