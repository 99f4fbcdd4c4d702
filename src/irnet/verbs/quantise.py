"""`irnet quantise`: a network in 8-bit integers, which is kept only where it finds what the network finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from irnet.config import OperatingPoint, Settings
from irnet.data.checks.needs import need_annotated, need_images, take_scored, warn_of_found
from irnet.data.coco.coco import read_coco
from irnet.data.sample import Entry, Sample
from irnet.errors import InputError
from irnet.inference.engine import Engine
from irnet.inference.engines import choose_engine, open_graphs
from irnet.inference.fast import quantise as fast
from irnet.inference.fast.cache import keep_graphs
from irnet.inference.fast.engine import OpenVINOEngine
from irnet.inference.first_look import scale_of_set
from irnet.inference.methods import find_all
from irnet.inference.predict import Predictor
from irnet.inference.rehearsal import Rehearsal
from irnet.inference.scale import evenly_spaced
from irnet.inference.weights import find_weights, read_settings
from irnet.metrics import ImageScore, score_image
from irnet.metrics.paired import compare_sets
from irnet.progress import each, stage
from irnet.training.generated import GeneratedFields
from irnet.verbs.calibrate import LEAST_GAIN, STEP, choose_points, refuse_doubled, try_all, with_point
from irnet.verbs.evaluate import patients_of
from irnet.verbs.swapped import refuse_swapped

MOST_LOSS = 0.005  # of AJI, in any class and set
MOST_IMAGES = 24  # that give the ranges of values
FIELDS, SEED = 24, 5  # generated fields where no images are named
GENERATED = "generated fields"


class Loss(NamedTuple):
    """AJI, pooled, of one class in the half of a set that nothing was chosen on."""

    data: str
    name: str  # of the class
    before: float  # in float32
    after: float
    low: float | None  # of what it changed, the 95 % interval
    high: float | None

    @property
    def change(self) -> float:
        return self.after - self.before

    def __str__(self) -> str:
        interval = "" if self.low is None else f", {self.low:+.3f} to {self.high:+.3f}"
        aji = f"{self.before:.3f} -> {self.after:.3f} ({self.change:+.3f}{interval})"
        return f"{self.data}, {self.name}: AJI {aji}"


class Quantised(NamedTuple):
    """What `quantise` kept."""

    file: Path
    backbone: bool  # whether the backbone computes in integers, too
    chosen: Mapping[str, Mapping[str, float]]  # class -> score, drm_power, mask_threshold
    before: Mapping[str, Mapping[str, float]]
    losses: list[Loss]


def quantise(source: str | Path, sets: Sequence[str | Path] = ()) -> Quantised:
    """Make the graphs of weights that compute in 8-bit integers, and keep them for `--precision int8`.

    Of each set every second image gives the ranges of values; on the others the AJI of each class may fall by
    MOST_LOSS. Where it falls further, thresholds are chosen on the first half as `calibrate` does, another
    cut for LEAST_GAIN; where that is not enough, the backbone stays in float32.

    Args:
        source: a weights file, a run's folder, "bundled" or "bundled-research".
        sets: annotated images, folders of data sets or COCO files; without any, generated fields.

    Raises:
        InputError: OpenVINO or NNCF is missing or cannot compute the network, bad data, or too much is lost.
    """
    path = find_weights(source)
    choose_engine(path, device="cpu", engine="openvino")
    fast.load()
    settings, digest = read_settings(path)
    halves = _halves(source, sets, settings)

    exact = open_graphs(path)
    reference = Predictor(OpenVINOEngine(exact, settings.model, "fp32"), settings=settings)
    met = _record(reference, halves)
    held = [_score(reference, half) for half in halves]
    before = Rehearsal(reference.engine, settings=settings).point
    for backbone in (True, False):
        with stage("making the graphs of the network in 8-bit integers"):
            made = fast.quantise(exact, met, backbone=backbone)
        engine = OpenVINOEngine(made, settings.model, "int8")

        for anew in (False, True):
            chosen = _choose_point(engine, settings, halves) if anew else before
            changed = with_point(settings, chosen, 1)
            losses = _compare(held, Predictor(engine, settings=changed), halves)
            worst = [str(loss) for loss in losses if loss.change < -MOST_LOSS]
            if not worst:
                point = {name: changed.predict.model_dump()[name] for name in OperatingPoint.model_fields}
                said = {"backbone": backbone, "point": point, "losses": [loss._asdict() for loss in losses]}
                file = keep_graphs(path, digest, made, "int8", said)
                return Quantised(file, backbone, chosen, before, losses)

    raise InputError(
        f"in 8-bit integers {path.name} loses more than {MOST_LOSS} of AJI, with thresholds of its own "
        f"and its backbone in float32, too, and is not kept: {'; '.join(worst)}: "
        "predict without --precision int8, or name more annotated images such as those that you predict"
    )


class _Half(NamedTuple):
    """One data set: images that the network is fitted to, and images that show what it lost."""

    name: str
    fitted: list[Entry]
    held: list[Entry]


def _halves(source: str | Path, sets: Sequence[str | Path], settings: Settings) -> list[_Half]:
    """The sets, their images dealt in turns; where none is named, generated fields."""
    if not sets:
        alone = settings.data.generated.model_copy(update={"composed": 0.0})
        drawn = GeneratedFields(alone, SEED).read(FIELDS, 0, 0, 1)
        entries = [
            Entry(name=one.name, path=Path(one.name), content=one.content, pixels=one.image) for one in drawn
        ]
        return [_Half(GENERATED, entries[::2], entries[1::2])]

    refuse_doubled(sets)
    halves = []
    for data in sets:
        refuse_swapped("quantise", source, data)
        warn_of_found(data)
        entries = take_scored(read_coco(data), data)
        if len(entries) == 1:
            raise InputError(
                f"{data} has one image: at least two are needed, one that gives the ranges of values and one "
                "to compare on"
            )
        half = _Half(Path(data).name, entries[::2], entries[1::2])
        for part in (half.fitted, half.held):
            need_annotated(part, f"{data}, every second image")
            need_images(part, data)
        halves.append(half)
    return halves


def _record(reference: Predictor, halves: Sequence[_Half]) -> dict[str, list[fast.Inputs]]:
    """What the parts of the network meet in some images of each set."""
    assert isinstance(reference.engine, OpenVINOEngine)
    with fast.recording(reference.engine) as met:
        for half in halves:
            some = evenly_spaced(half.fitted, max(1, MOST_IMAGES // len(halves)))
            find_all(reference, _read(some, "looking at values"), scale=scale_of_set(reference, half.fitted))
    return met


def _choose_point(engine: Engine, settings: Settings, halves: Sequence[_Half]) -> dict[str, dict[str, float]]:
    """The operating point of each class."""
    rehearsal = Rehearsal(engine, settings=settings)
    own = {values["score"] for values in rehearsal.point.values()}
    cuts = sorted({*np.arange(settings.predict.floor, 1, STEP).round(3).tolist(), *own})

    parts = [try_all(rehearsal, half.fitted, cuts, exclude_border=False) for half in halves]
    points = choose_points(rehearsal, parts, cuts, least_gain=LEAST_GAIN)
    return rehearsal.point | {name: point.values() for name, point in points.items()}


def _compare(held: Sequence[Sequence[ImageScore]], changed: Predictor, halves: Sequence[_Half]) -> list[Loss]:
    """What each class loses in each set, whose images have the scores `held` in float32."""
    losses = []
    for before, half in zip(held, halves, strict=True):
        comparison = compare_sets(before, _score(changed, half), patients_of(half.held), scored=False)
        for name, scores in comparison.classes.items():
            aji = scores["aji"]["pooled"]
            if aji.first.value is not None and aji.second.value is not None:
                interval = aji.difference.low, aji.difference.high
                losses.append(Loss(half.name, name, aji.first.value, aji.second.value, *interval))
    return losses


def _score(predictor: Predictor, half: _Half) -> list[ImageScore]:
    """The scores of what a network finds in images that it was not fitted to."""
    scale = scale_of_set(predictor, half.held)
    found = find_all(predictor, _read(half.held, "comparing"), scale=scale)
    pairs = zip(half.held, found, strict=True)
    return [score_image(entry.content, predictor.choose(cells)) for entry, cells in pairs]


def _read(entries: Sequence[Entry], what: str) -> Iterator[Sample]:
    for entry in each(entries, what, lambda entry: entry.name):
        yield entry.read()
