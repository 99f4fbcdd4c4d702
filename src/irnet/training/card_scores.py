"""What the model card says of scores: as validation measured them, with intervals; and where they are low."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any

from irnet.config import OperatingPoint, Settings
from irnet.markdown import facts, table
from irnet.training.scores import NUMBERS
from irnet.wording import number_of, with_interval

CHOSEN = (
    "The weights kept and the thresholds were chosen on these same images, so expect less on others: "
    "score a test set that took no part with `irnet evaluate`."
)
CALIBRATED = (
    "The weights kept were chosen on these same images, so expect less on others: score a test set that took "
    "no part with `irnet evaluate`. Scored in training, at the thresholds that were best then: {cuts}."
)
NOT_HELD_BACK = "**Validation saw the training images**: these scores tell nothing about others."
NOT_VALIDATED = (
    "No validation ran: nothing is known of how these weights score, and the thresholds are the recipe's."
)
FIGURES = {  # in the log -> what it is
    "gamma": "IRM: gamma, which scales what the relation adds (0: nothing)",
    "self_weight": "IRM: weight of an instance for itself",
    "effective": "IRM: effective number of instances that one hears",
    "hub": "IRM: share of instances that hear the same one most",
    "p_correct": "DRM: p of correct boxes (1 is best)",
    "p_duplicate": "DRM: p of duplicates (0 is best)",
}


def score_sections(
    settings: Settings, trained: Mapping[str, Any], log: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The thresholds, the scores of the validation and what it says of failures, in Markdown."""
    thresholds = _thresholds(settings, trained)
    figures = _figures(trained.get("step"), log)
    if not trained.get("validation"):
        return [thresholds, "## Validation", NOT_VALIDATED, *figures]
    summary = trained.get("scores")
    held_back = trained.get("data", {}).get("held_back", True)
    failures = [*([*_degrees(summary), *_distractors(summary)] if summary else []), *figures]
    return [
        thresholds,
        "## Validation",
        _how_chosen(trained) if held_back else NOT_HELD_BACK,
        _spread(summary) if summary else "Intervals were not kept.",
        _scores(trained),
        *(["## Known failures, as measured on validation", *failures] if failures else []),
    ]


def _thresholds(settings: Settings, trained: Mapping[str, Any]) -> str:
    """The thresholds, and what they were chosen on, in Markdown."""
    floor = f", not below the recipe's floor of {settings.predict.floor:g}"
    cuts = settings.predict.score.model_dump()
    section = facts("Operating thresholds", _point(settings.predict))
    for number, point in settings.predict.views.items():
        section += "\n\n" + facts(f"Operating thresholds, {number} views", _point(point))
    if calibrated := trained.get("calibrated"):
        highest = (
            "operating points of highest merit" if "chosen" in calibrated else "cuts with the highest F1"
        )
        border = ", without what the border cuts" if calibrated["exclude_border"] else ""
        rows = [
            [entry["name"], entry["sha256"], str(entry["images"]), *(_f1(entry, name) for name in cuts)]
            for entry in calibrated["sets"]
        ]
        sets = table(["set", "SHA-256", "images", *(f"F1 {name}" for name in cuts)], rows)
        how = f"The {highest}, mean of these sets{border}{floor}: chosen on them after training."
        how += _set_by_hand(cuts, calibrated.get("chosen", {}))
        return f"{section}\n\n{how}\n\n{sets}"
    if trained.get("validation"):
        return f"{section}\n\nThe cuts with the highest F1 on the validation images{floor}."
    return section


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


def _spread(summary: Mapping[str, Any]) -> str:
    bootstrap, patients = summary["bootstrap"], summary["patients"]
    of = number_of(summary["images"], "image") + (f" of {number_of(patients, 'patient')}" if patients else "")
    if not bootstrap["samples"]:
        return f"{of}: too few for intervals."
    drawn = "patients" if patients else "images"
    return (
        f"{of}; {bootstrap['level']:.0%} intervals from {bootstrap['samples']} bootstrap samples of {drawn}."
    )


def _scores(trained: Mapping[str, Any]) -> str:
    classes = _estimates(trained)
    rows = [[title, *(with_interval(part[title]) for part in classes.values())] for title in NUMBERS]
    return table(["", *classes], rows)


def _estimates(trained: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The chief scores of each class; of a file from before intervals were kept, their values."""
    if summary := trained.get("scores"):
        return {
            name: {title: reduce(getitem, place[:-1], part) for title, place in NUMBERS.items()}
            for name, part in summary["classes"].items()
        }
    numbers = trained["validation"]
    names = dict.fromkeys(key.partition("/")[0] for key in numbers)
    return {
        name: {title: {"value": numbers.get(f"{name}/{title}"), "low": None} for title in NUMBERS}
        for name in names
    }


def _degrees(summary: Mapping[str, Any]) -> list[str]:
    """A table a class: how those that others cover more are found."""
    tables = []
    for name, part in summary["classes"].items():
        rows = [
            [degree, _found(scores["recall"]), with_interval(scores["recall"]), with_interval(scores["aji"])]
            for degree, scores in part["by_degree"].items()
        ]
        tables.append(table([f"{name}: share covered by others", "found", "recall", "AJI"], rows))
    return tables


def _found(recall: Mapping[str, Any]) -> str:
    return f"{recall['numerator']:.0f} of {recall['denominator']:.0f}"


def _distractors(summary: Mapping[str, Any]) -> list[str]:
    """What false finds were taken for, where the truth says."""
    kinds, classes = summary["distractors"], list(summary["classes"])
    if not kinds:
        return []
    rows = [
        [kind, *("" if counts.get(key) is None else str(counts[key]) for key in ("present", *classes))]
        for kind, counts in kinds.items()
    ]
    return [table(["false finds on", "present", *(f"taken for {name}" for name in classes)], rows)]


def _figures(step: int | None, log: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the relation modules did when the weights were kept, as the log has it."""
    lines = [line for line in log if line["kind"] == "train" and line["step"] <= (step or 0)]
    known = [name for name in FIGURES if lines and lines[-1].get(name) is not None]
    if not known:
        return []
    rows = [[FIGURES[name], f"{lines[-1][name]:.3f}"] for name in known]
    return [table(["relation modules in training", f"about step {lines[-1]['step']}"], rows)]
