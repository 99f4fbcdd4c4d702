"""What the model card says of scores: as validation measured them, with intervals; and where they are low."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from irnet.config import OperatingPoint, Settings
from irnet.data.coco.document import naming
from irnet.markdown import facts, table
from irnet.metrics import Summary
from irnet.metrics.figures import Figure, by_figure, by_subject, titles
from irnet.metrics.statistics import Estimate
from irnet.metrics.summary import DegreeScores, Way
from irnet.training.scores import NUMBERS
from irnet.wording import UNKNOWN, number_of

CHOSEN = (
    "The weights kept and the thresholds were chosen on these same images, so expect less on others: "
    "score a test set that took no part with `irnet evaluate`."
)
CALIBRATED = (
    "The weights kept were chosen on these same images, so expect less on others: score a test set that took "
    "no part with `irnet evaluate`. Scored in training, at the thresholds that were best then: {cuts}."
)
NOT_HELD_BACK = "**Validation saw the training images**: these scores say nothing about others."
NOT_VALIDATED = (
    "No validation ran: nothing is known of how these weights score, and the thresholds are those that it "
    "began with."
)
AVERAGED = "The mean of two networks has no validation of its own: score it with `irnet evaluate`."
FIGURES = {  # in the log -> what it is
    "gamma": "IRM: gamma, which scales what the relation adds (0: nothing)",
    "self_weight": "IRM: weight of an instance for itself",
    "effective": "IRM: effective number of instances that one attends to",
    "hub": "IRM: share of instances that attend most to the same one",
    "p_correct": "DRM: p of correct boxes (1 is best)",
    "p_duplicate": "DRM: p of duplicates (0 is best)",
}

DEGREES: list[Figure[DegreeScores]] = [
    Figure("found", lambda degree: degree[1]["recall"].found),
    Figure("recall", lambda degree: degree[1]["recall"].text()),
    Figure("AJI", lambda degree: degree[1]["aji"].text()),
]


def score_sections(
    settings: Settings, trained: Mapping[str, Any], log: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The thresholds, the scores of the validation and what it says of failures, in Markdown."""
    thresholds = _thresholds(settings, trained)
    figures = _figures(trained.get("step"), log)
    if not trained.get("validation"):
        return [thresholds, "## Validation", AVERAGED if "averaged" in trained else NOT_VALIDATED, *figures]

    with naming("scores in the header"):
        summary = Summary.from_json(trained["scores"]) if trained.get("scores") else None

    held_back = trained.get("data", {}).get("held_back", True)
    sections = [
        thresholds,
        "## Validation",
        _how_chosen(trained) if held_back else NOT_HELD_BACK,
        _spread(summary) if summary else "Intervals were not kept.",
        _scores(summary, trained["validation"]),
    ]

    failures = [*_degrees(summary), *_distractors(summary), *figures] if summary else figures
    if failures:
        sections += ["## Known failures, as measured on validation", *failures]
    return sections


def _thresholds(settings: Settings, trained: Mapping[str, Any]) -> str:
    """The thresholds, and what they were chosen on, in Markdown."""
    floor = f", not below the recipe's floor of {settings.predict.floor:g}"
    section = facts("Operating thresholds", _point(settings.predict))
    for number, point in settings.predict.views.items():
        section += "\n\n" + facts(f"Operating thresholds, {number} views", _point(point))

    if calibrated := trained.get("calibrated"):
        how, sets = _calibrated(settings.predict.score.model_dump(), calibrated, floor)
        return f"{section}\n\n{how}\n\n{sets}"
    if trained.get("validation"):
        return f"{section}\n\nThe cuts with the highest F1 on the validation images{floor}."
    return section


def _calibrated(cuts: Mapping[str, float], calibrated: Mapping[str, Any], floor: str) -> tuple[str, str]:
    """How thresholds were chosen after training, and a table of the sets that they were chosen on."""
    highest = "operating points of highest merit" if "chosen" in calibrated else "cuts with the highest F1"
    border = ", without what the border cuts" if calibrated["exclude_border"] else ""
    how = f"The {highest}, mean of these sets{border}{floor}: chosen on them after training."
    how += _set_by_hand(cuts, calibrated.get("chosen", {}))

    rows = []
    for entry in calibrated["sets"]:
        data = [entry["name"], entry["sha256"], str(entry["images"])]
        rows.append([*data, *(_f1(entry, name) for name in cuts)])
    return how, table(["set", "SHA-256", "images", *(f"F1 {name}" for name in cuts)], rows)


def _set_by_hand(cuts: Mapping[str, float], chosen: Mapping[str, Mapping[str, float]]) -> str:
    """Which thresholds are others than the calibration chose."""
    other = [
        f"{name} {cuts[name]:g}, where they say {point['score']:g}"
        for name, point in chosen.items()
        if cuts[name] != point["score"]
    ]
    return f" Set by hand since: {'; '.join(other)}." if other else ""


def _point(point: OperatingPoint) -> dict[str, str]:
    """The threshold of each class; what else there is to an operating point, where it is not the paper's."""
    rows = {name: f"{cut:g}" for name, cut in point.score.model_dump().items()}
    for title, values, usual in (
        ("power of p(correct)", point.drm_power, 1.0),
        ("mask threshold", point.mask_threshold, 0.5),
    ):
        rows |= {f"{name}, {title}": f"{v:g}" for name, v in values.model_dump().items() if v != usual}
    return rows


def _f1(entry: Mapping[str, Any], name: str) -> str:
    value = entry["f1"].get(name)
    return "" if value is None else f"{value:.3f}"


def _how_chosen(trained: Mapping[str, Any]) -> str:
    """What the validation chose; where thresholds were chosen later, it was scored at others."""
    if not (calibrated := trained.get("calibrated")):
        return CHOSEN
    before = calibrated["before"]
    scores = {name: old["score"] if isinstance(old, dict) else old for name, old in before.items()}
    cuts = ", ".join(f"{name} {cut:g}" for name, cut in scores.items())
    return CALIBRATED.format(cuts=cuts)


def _spread(summary: Summary) -> str:
    of = number_of(summary.images, "image")
    of += f" of {number_of(summary.patients, 'patient')}" if summary.patients else ""
    return f"{of}; {summary.intervals}." if summary.bootstrap.samples else f"{of}: too few for intervals."


def _scores(summary: Summary | None, numbers: Mapping[str, float]) -> str:
    """The chief scores of each class; of a file from before intervals were kept, the `numbers` of the log."""
    if summary is not None:
        names = list(summary.classes)
        figures = [Figure(title, _estimate(summary, *place)) for title, place in NUMBERS.items()]
    else:
        names = list(dict.fromkeys(key.partition("/")[0] for key in numbers))
        figures = [Figure(title, _number(numbers, title)) for title in NUMBERS]
    return table(["", *names], by_figure(figures, names))


def _estimate(summary: Summary, score: str, way: Way) -> Callable[[str], str]:
    def text(name: str) -> str:
        estimate = summary.classes[name].estimate(score, way)
        return UNKNOWN if estimate is None else estimate.text()

    return text


def _number(numbers: Mapping[str, float], title: str) -> Callable[[str], str]:
    return lambda name: Estimate(value=numbers.get(f"{name}/{title}")).text()


def _degrees(summary: Summary) -> list[str]:
    """A table a class: how those that others cover more are found."""
    tables = []
    for name, part in summary.classes.items():
        figures = [Figure(f"{name}: share covered by others", itemgetter(0)), *DEGREES]
        tables.append(table(titles(figures), by_subject(figures, part.by_degree.items())))
    return tables


def _distractors(summary: Summary) -> list[str]:
    """What false finds were taken for, where the truth says."""
    if not summary.distractors:
        return []
    rows = []
    for kind, counts in summary.false_finds():
        rows.append([kind, *("" if count is None else str(count) for count in counts)])
    return [table(["false finds on", "present", *(f"taken for {name}" for name in summary.classes)], rows)]


def _figures(step: int | None, log: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the relation modules did when the weights were kept, as the log has it."""
    lines = [line for line in log if line["kind"] == "train" and line["step"] <= (step or 0)]
    known = [name for name in FIGURES if lines and lines[-1].get(name) is not None]
    if not known:
        return []
    rows = [[FIGURES[name], f"{lines[-1][name]:.3f}"] for name in known]
    return [table(["relation modules in training", f"about step {lines[-1]['step']}"], rows)]
