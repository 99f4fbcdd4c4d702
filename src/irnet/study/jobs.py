"""The work of a study, row by row and seed by seed: train, predict validation and test, note the cost.

Seeds come outermost, so that a table of one seed stands early. A job that another process holds is passed by.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from irnet.cells import Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.sample import Entry
from irnet.inference.devices import choose_device
from irnet.inference.predict import Predictor
from irnet.inference.scale import OWN
from irnet.inference.versions import versions
from irnet.progress import each
from irnet.study.claims import HeldError, claimed
from irnet.study.costs import Meter, metered, read_cost, write_cost
from irnet.study.frozen.making import make_frozen_row
from irnet.study.protocol import Say, needs_base, prepare_base, train_row
from irnet.study.record import Study
from irnet.study.rows import Row
from irnet.study.scoring import TEST, VAL
from irnet.study.suppression import tune_masks
from irnet.training.steps import NotFiniteError

Find = Callable[[Any, float | None], Cells]  # an image and its um per pixel -> every candidate

_logger = logging.getLogger(__name__)


class Job(NamedTuple):
    """One row and seed."""

    row: Row
    seed: int

    def __str__(self) -> str:
        return f"{self.row.title}, seed {self.seed}" if self.row.has_seeds else self.row.title


class Missing(NamedTuple):
    """A job that is not finished, and why."""

    job: Job
    reason: str

    def __str__(self) -> str:
        return f"{self.job}: {self.reason}"


def run_rows(
    study: Study,
    rows: Sequence[Row],
    *,
    seeds: int | None = None,
    device: str = "auto",
    say: Say = _logger.info,
) -> list[Missing]:
    """Finish what is unfinished of the rows, and return what could not be: held by others, or failed.

    Args:
        study: where, and by which protocol.
        rows: which rows.
        seeds: how many of the study's seeds, None for all.
        device: "auto", "cpu", "cuda" ...
        say: receives what begins.

    Raises:
        InputError: the device, an extra or ImageNet weights are missing.
        KeyboardInterrupt: the training was stopped; the same call goes on from there.
    """
    jobs = [job for job in jobs_of(study, rows, seeds) if not is_finished(study, job)]
    base_missing = _ensure_base(study, jobs, device, say)
    missing = []
    for job in jobs:
        waits = base_missing if needs_base(study, job.row) else ""
        if reason := waits or _attempt(study, job, device, say):
            missing.append(Missing(job, reason))
    return [one for one in missing if not is_finished(study, one.job)]


def jobs_of(study: Study, rows: Sequence[Row], seeds: int | None = None) -> list[Job]:
    """All jobs of the rows, seed by seed; a row without seeds has one."""
    count = study.seeds if seeds is None else min(seeds, study.seeds)
    return [Job(row, seed) for seed in range(count) for row in rows if seed == 0 or row.has_seeds]


def is_finished(study: Study, job: Job) -> bool:
    """Whether a job's predictions and cost are there."""
    return read_cost(study.folder(job.row.key, job.seed)) is not None


def predict_parts(
    folder: Path, find: Find, val: Sequence[Entry], test: Sequence[Entry], device: torch.device
) -> dict[str, Any]:
    """Write val.json and test.json with every candidate of `find`; return what the test images cost."""
    _write_found(folder / VAL, val, find, device)  # first: kernels are compiled and chosen here
    meters = _write_found(folder / TEST, test, find, device)
    return {
        "seconds_per_image": sum(meter.seconds for meter in meters) / len(test),
        "cpu_seconds_per_image": sum(meter.cpu_seconds for meter in meters) / len(test),
        "predict_peak_mb": max(meter.peak_mb for meter in meters),
        "device": device_name(device),
    }


def device_name(device: torch.device) -> str:
    """What a table calls the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _ensure_base(study: Study, jobs: Iterable[Job], device: str, say: Say) -> str:
    """Have the base ready if a job forks from it; return why it is not, empty if all is well."""
    if not any(needs_base(study, job.row) for job in jobs):
        return ""
    try:
        prepare_base(study, device, say)
    except HeldError as error:
        return f"the trunk is not ready: {error}"
    return ""


def _attempt(study: Study, job: Job, device: str, say: Say) -> str:
    """Do a job unless another process does; return why it is not done, empty if it is."""
    folder = study.folder(job.row.key, job.seed)
    try:
        with claimed(folder):
            if not is_finished(study, job):
                say(str(job))
                _run(study, job, folder, choose_device(device))
    except HeldError as error:
        return f"held by another process ({error})"
    except NotFiniteError as error:
        return f"failed ({error}; {folder / 'run'} says where)"
    return ""


def _run(study: Study, job: Job, folder: Path, device: torch.device) -> None:
    cost = _run_jomls(study, folder) if job.row.base is None else _run_network(study, job, folder, device)
    write_cost(folder, {"row": job.row.key, "seed": job.seed, **cost, "versions": versions()})


def _run_network(study: Study, job: Job, folder: Path, device: torch.device) -> dict[str, Any]:
    with metered(device) as meter:
        if job.row.base == "frozen":
            predictor, trained = make_frozen_row(study, job.row, job.seed, device)
        else:
            trained = train_row(study, job.row, job.seed, folder / "run", str(device))
            predictor = Predictor.load(folder / "run", device=str(device))
            if job.row.nms_ious:
                predictor = tune_masks(predictor, job.row.nms_ious, study.parts.val)

    found = predict_parts(
        folder,
        lambda image, mpp: predictor.find(image, mpp, scale=OWN).cells,
        study.parts.val,
        study.parts.test,
        predictor.device,
    )

    return {
        "nms": predictor.settings.predict.nms.model_dump(),
        **trained,
        "train_peak_mb": meter.peak_mb,
        "parameters": sum(p.numel() for p in predictor.model.parameters()),
        **found,
    }


def _run_jomls(study: Study, folder: Path) -> dict[str, Any]:
    from irnet.baselines.jomls import JOMLS  # an extra

    cpu = torch.device("cpu")
    with metered(cpu) as meter:
        samples = (entry.read() for entry in study.parts.train)
        method = JOMLS.fit((sample.image, sample.content.cells.mpp) for sample in samples)
    found = predict_parts(folder, method, study.parts.val, study.parts.test, cpu)
    return {"train_seconds": meter.seconds, "train_peak_mb": meter.peak_mb, "parameters": 0, **found}


def _write_found(path: Path, entries: Sequence[Entry], find: Find, device: torch.device) -> list[Meter]:
    """Write what `find` finds in each image; return what each took, reading and writing left out."""
    meters, rows = [], []
    for entry in each(entries, f"segmenting for {path.name}", lambda entry: entry.name):
        sample = entry.read()
        with metered(device) as meter:
            cells = find(sample.image, sample.content.cells.mpp)
        meters.append(meter)
        rows.append(
            Entry(name=entry.name, path=entry.path, content=Content(cells=cells), patient=entry.patient)
        )
    write_coco(path, rows, info={"description": "predictions"}, scores=True)
    return meters
