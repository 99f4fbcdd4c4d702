"""The table beyond the paper: affinities, label rules, relations kept, other remedies, on a frozen base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from irnet.cells import LABEL_NAMES
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.errors import InputError
from irnet.inference.devices import choose_device
from irnet.metrics.reliability import Reliability
from irnet.study import sections
from irnet.study.frozen.associations import choose_field, draw_associations
from irnet.study.frozen.making import recall_frozen_row
from irnet.study.frozen.rows import CONTROL, DRAWN, ROWS
from irnet.study.jobs import Job, is_finished
from irnet.study.protocol import Say
from irnet.study.record import Study
from irnet.study.render import NONE, PageSection, number, number_table
from irnet.study.results import RowResult
from irnet.study.tables import StudyPage, StudyTable, make_table

ASSOCIATIONS = "associations.png"
RELATION = {  # title -> figure of the instance relation module
    "gamma": "gamma",
    "self weight": "self_weight",
    "effective n": "effective",
    "hub share": "hub",
    "temperature": "temperature",
    "last loss": "loss_irm",
}
REMOVAL = {"p of correct": "p_correct", "p of duplicates": "p_duplicate", "last loss": "loss_drm"}


def make_beyond(study: Study, *, keys: str | None = None, device: str, say: Say) -> StudyPage:
    """Run the rows that `keys` names, write the table, and draw the associations of one row.

    Raises what `make_table` raises, and `InputError` for a study without a base.
    """
    if not study.forked:
        raise InputError(
            f"{study.out}: a study from scratch has no trunk to freeze: start another with --protocol forked"
        )
    made = make_table(study, BEYOND, keys=keys, device=device, say=say)
    if is_finished(study, Job(DRAWN, 0)) and not (study.out / ASSOCIATIONS).exists():
        predictor, irm = recall_frozen_row(study, DRAWN, 0, choose_device(device))
        picture = draw_associations(predictor, irm, choose_field(study.parts.test))
        if picture is not None:
            write_atomic(study.out / ASSOCIATIONS, to_png(picture))
    return made


def beyond_sections(
    results: Sequence[RowResult], control: RowResult | None, distractors: dict[str, int]
) -> list[PageSection]:
    """The parts of the page, in order."""
    return [
        PageSection(
            "AJI and F1, mean of images",
            f"Frozen trunk; every module is trained alone, for {_steps(results)} steps. {_origin(results)}"
            "The paper's figures are of networks trained as a whole.",
            sections.main_table(results),
        ),
        PageSection(
            f"Paired difference to {CONTROL.title}",
            "In the same samples of patients, and seed by seed.",
            sections.difference_table(results, control),
        ),
        PageSection("Where cells overlap", "Pooled.", sections.overlap_table(results)),
        PageSection(
            "COCO mask AP", "Of all finds, regardless of their score.", sections.precision_table(results)
        ),
        PageSection(
            "Does the score say how good a find is?",
            "Expected calibration error of the score against the IoU reached (0 for a duplicate), and "
            "against the share of right finds; number of finds that score above .9, and how many are right.",
            calibration_table(results),
        ),
        PageSection(
            "Instance relation",
            "On validation images, except for the loss, which is of the last training steps.",
            figure_table(results, RELATION),
        ),
        PageSection(
            "Duplicate removal", "Means over the last training steps.", figure_table(results, REMOVAL)
        ),
        PageSection(
            "False finds by what they were taken from",
            "Cytoplasm / nuclei, on all test images, mean over seeds.",
            sections.distractor_table(results, distractors),
        ),
        PageSection("Thresholds", "Of each seed, from validation.", sections.threshold_table(results)),
        PageSection(
            "Tuned suppression",
            "IoU above which the worse goes, of each class chosen on validation images by AJI.",
            nms_table(results),
        ),
        PageSection(
            "Cost",
            "Training is that of the modules alone, time an image that of the heads alone.",
            sections.cost_table(results),
        ),
    ]


def calibration_table(results: Sequence[RowResult]) -> str:
    """Calibration of the scores of each class."""
    rows = []
    for result in results:
        parts = [result.classes.get(name) for name in LABEL_NAMES.values()]
        texts = [_calibration(part.calibration if part else None, len(result.seeds)) for part in parts]
        rows.append([result.row.title, *chain.from_iterable(texts)])
    header = [f"{name}: {title}" for name in LABEL_NAMES.values() for title in ("IoU", "right", "above .9")]
    return number_table(["row", *header], rows)


def _calibration(part: Reliability | None, seeds: int) -> list[str]:
    if part is None:
        return [NONE] * 3
    highest = part.bins[-1]
    best = f"{highest.count / seeds:.0f}, {number(highest.right, 2)}"
    return [number(part.ece_iou), number(part.ece_right), best]


def figure_table(results: Sequence[RowResult], figures: Mapping[str, str]) -> str:
    """What a module showed, means over seeds; rows without it are left out."""
    rows = []
    for result in results:
        means = [_mean_figure(result.costs, name) for name in figures.values()]
        if any(mean is not None for mean in means):
            rows.append([result.row.title, *(number(mean) for mean in means)])
    return number_table(["row", *figures], rows)


def nms_table(results: Sequence[RowResult]) -> str:
    """Which overlap the rows allow that choose it; "" without one."""
    rows = []
    for result in results:
        if result.row.nms_ious:
            cuts = result.costs[0]["nms"]
            rows.append([result.row.title, *(number(cuts[name], 2) for name in LABEL_NAMES.values())])
    return number_table(["row", *LABEL_NAMES.values()], rows) if rows else ""


def _mean_figure(costs: Sequence[Mapping[str, Any]], name: str) -> float | None:
    known = [cost["figures"][name] for cost in costs if name in cost["figures"]]
    return sum(known) / len(known) if known else None


def _steps(results: Sequence[RowResult]) -> str:
    steps = {cost["train_steps"] for result in results for cost in result.costs} - {0}
    return " or ".join(map(str, sorted(steps))) or "no"


def _origin(results: Sequence[RowResult]) -> str:
    """What of the base's file is not used."""
    dropped = {name for result in results for cost in result.costs for name in cost["dropped"]}
    if not dropped:
        return ""
    return (
        "Its weights were trained together with modules of their own "
        f"({', '.join(sorted(dropped))}), which are dropped: those of every row start from random weights. "
    )


BEYOND = StudyTable("beyond", "Beyond the paper: over one frozen trunk", ROWS, CONTROL, beyond_sections)
