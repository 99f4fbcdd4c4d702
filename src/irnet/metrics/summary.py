"""Scores of a set of images, as values with names; `to_json` and `from_json` are what files hold."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, Self

from pydantic import TypeAdapter, ValidationError

from irnet.cells import LABEL_NAMES
from irnet.errors import InputError
from irnet.metrics.causes import KINDS, Counts
from irnet.metrics.degree import DEGREE_NAMES
from irnet.metrics.links import LINK_NAMES
from irnet.metrics.reliability import Reliability
from irnet.metrics.statistics import Estimate, Number

Way = Literal["image_mean", "pooled", "ap"]
BY_DEGREE = ("recall", "f1", "aji")  # what every class has at every overlap degree


@dataclass(frozen=True, kw_only=True)
class PooledEstimate(Estimate):
    """A sum over a sum."""

    numerator: Number
    denominator: Number

    @property
    def found(self) -> str:
        """Of a share of things that are counted: so many of so many."""
        return f"{self.numerator:.0f} of {self.denominator:.0f}"


DegreeScores = tuple[str, dict[str, PooledEstimate]]  # an overlap degree, and the scores of the cells of it


@dataclass(frozen=True, kw_only=True)
class MeanEstimate(Estimate):
    """A mean over the images that define the score."""

    images: int


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """One score, put together in both ways."""

    pooled: PooledEstimate
    image_mean: MeanEstimate


@dataclass(frozen=True, kw_only=True)
class PrecisionSummary:
    """COCO mask AP: mean over the thresholds of IoU, at .50 and at .75."""

    ap: Estimate
    ap50: Estimate
    ap75: Estimate


@dataclass(frozen=True, kw_only=True)
class ClassSummary:
    """One class over all images in which it was annotated."""

    images: int
    truths: int
    predictions: int
    scores: dict[str, ScoreSummary]
    by_degree: dict[str, dict[str, PooledEstimate]]  # overlap degree -> score
    operating_scores: list[Number]  # from which predictions were kept; empty without scores
    lowest_score: Number | None  # of any prediction
    calibration: Reliability
    ap: PrecisionSummary

    def estimate(self, score: str, way: Way = "pooled") -> Estimate | None:
        """A score by its name; None where the class has none of it."""
        if way == "ap":
            return getattr(self.ap, score, None)
        return getattr(self.scores[score], way) if score in self.scores else None


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How the intervals were drawn; 0 samples give none."""

    samples: int
    level: Number
    seed: int


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What was scored on what, of `irnet evaluate`."""

    method: str | None
    source: str
    sha256: str | None  # of the predictions or the weights
    data: str
    data_sha256: str | None = None  # of its annotations
    scale: dict[str, Any] | None = None  # how images of unknown um per pixel were taken, if estimated
    exclude_border: bool
    views: int | None = None
    mpp: float | None = None  # of all images, where it was given
    patients: str | None = None  # the table or pattern that was given


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Scores of a set of images."""

    evaluated: Evaluated | None = None
    images: int
    patients: int | None  # None where the images name none
    scored: bool  # whether the predictions have scores; else AP, calibration and cuts are undefined
    bootstrap: Bootstrap
    classes: dict[str, ClassSummary]  # by name
    links: dict[str, ScoreSummary]  # empty where no image has links
    mean_ap: PrecisionSummary  # over the classes that have a truth
    distractors: dict[str, dict[str, int | None]]  # kind -> "present" and false finds of each class
    mistakes: Counts | None = None

    @property
    def drawn(self) -> str:
        """What the samples of the bootstrap are of."""
        return "patients" if self.patients else "images"

    @property
    def intervals(self) -> str:
        """Where the intervals come from."""
        drawn = self.bootstrap
        return f"{drawn.level:.0%} intervals from {drawn.samples} bootstrap samples of {self.drawn}"

    def false_finds(self) -> list[tuple[str, list[int | None]]]:
        """Of each kind of distractor how many there are, and the false finds of each class on it."""
        rows = []
        for kind, part in self.distractors.items():
            rows.append((kind, [part.get(key) for key in ("present", *self.classes)]))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain values, as summary.json holds them."""
        values = asdict(self)
        for name, part in self.classes.items():
            values["classes"][name]["calibration"] = part.calibration.to_json()
        for name in ("evaluated", "mistakes"):  # of irnet evaluate alone
            if values[name] is None:
                del values[name]
        return values

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Read plain values back. Raises `InputError` that names the place where they are wrong."""
        try:
            summary = _reader(cls).validate_python(values)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(map(str, problem["loc"])) or "it"
            raise InputError(f"{place}: {problem['msg']}") from None

        for place, names, needed in _needs(summary):
            if missing := [name for name in needed if name not in names]:
                raise InputError(f"{place}: {missing[0]} is missing")

        if unknown := [name for name in summary.classes if name not in LABEL_NAMES.values()]:
            raise InputError(f"classes: {unknown[0]} is no class")
        return summary


@cache
def _reader(kind: type[Summary]) -> TypeAdapter:
    return TypeAdapter(kind)


def _needs(summary: Summary) -> Iterable[tuple[str, Mapping[str, Any], Iterable[str]]]:
    """Where names have to stand that tables and charts count on: place, what is there, what has to be."""
    for name, part in summary.classes.items():
        yield f"classes.{name}.by_degree", part.by_degree, DEGREE_NAMES
        for degree, scores in part.by_degree.items():
            yield f"classes.{name}.by_degree.{degree}", scores, BY_DEGREE
    if summary.links:
        yield "links", summary.links, LINK_NAMES
    for cause, classes in (summary.mistakes or {}).items():
        yield f"mistakes.{cause}", classes, LABEL_NAMES.values()
        for name, kinds in classes.items():
            yield f"mistakes.{cause}.{name}", kinds, KINDS
