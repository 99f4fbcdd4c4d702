"""Training: a plain loop in which everything is a function of (seed, step).

Alone or in several processes: `torchrun --nproc-per-node 4 -m irnet train ...`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from irnet.config import Settings
from irnet.data.files import write_text
from irnet.inference.devices import describe_device
from irnet.training.budget import TimeBudget
from irnet.training.card import write_card
from irnet.training.feed import Batch, Feed, FieldBatch
from irnet.training.folder import has_checkpoint, held, make_ready
from irnet.training.log import RunLog
from irnet.training.optim import set_learning_rate
from irnet.training.ranks import Ranks, joined
from irnet.training.run import BEST, Run, Start, settings_of
from irnet.training.source import Source
from irnet.training.sources import open_source, with_known_scale
from irnet.training.steps import NotFiniteError, StepResult, optimise, read_steps, step_seed, stop_requested
from irnet.training.validation import Validator

if TYPE_CHECKING:
    from irnet.training.unlabelled import Fields

BUDGET_EVERY = 5  # steps between two looks at the clock until their number is fixed


class Outcome(NamedTuple):
    """Where a run stands when `train` returns."""

    step: int
    steps: int
    best: Path | None  # weights file for `irnet predict --model`; None before the first validation
    merit: float | None  # of its validation; None without validation images

    @property
    def finished(self) -> bool:
        return self.step == self.steps


def train(
    settings: Settings,
    data: str | Path | None,
    run_dir: str | Path,
    start: Start = Start(),
    *,
    unlabelled: str | Path | None = None,
    steps: int | None = None,
    time_s: float | None = None,
    device: str = "auto",
) -> Outcome:
    """Train a network and keep its checkpoints, weights and log in `run_dir`.

    Args:
        settings: the recipe. A resumed run goes on with its own.
        data: a data set's folder or COCO file; not needed for generated smears.
        run_dir: gets last.safetensors (checkpoint), best.safetensors (weights) with its card best.md,
            recipe.json and log.jsonl.
        start: the weights to start from, whether to go on where `run_dir` stands, and what of the images
            their files do not say.
        unlabelled: a folder of images, or a data set, from which is learned without outlines: the running
            mean of the weights labels them. It needs weights to start from.
        steps: optimiser steps, instead of `settings.train.steps`.
        time_s: seconds for the whole run; the first steps are measured, then their number is fixed and
            stored.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".

    Raises:
        InputError: bad data, settings or device, or `run_dir` holds another run, or another is training
            there.
        NotFiniteError: the loss is not finite; not_finite.json in `run_dir` says where.
    """
    folder = Path(run_dir)
    budget = TimeBudget(time_s) if time_s is not None else None

    with joined(device) as ranks, stop_requested() as stopping, held(folder, ranks):
        resumed = has_checkpoint(folder, resume=start.resume)
        settings = settings_of(folder) if resumed else settings
        from_weights = resumed or start.init is not None
        source = open_source(settings, data, start.own)
        settings = with_known_scale(settings, source)
        source, fields = _beside(source, settings, unlabelled, from_weights=from_weights)
        identity, facts = source.identity, _facts(source, ranks)
        run = Run.begin(
            folder, settings, start, data=identity, device=ranks.device, facts=facts, resumed=resumed
        )
        if resumed:
            run.restore()
        fixed = run.steps is not None
        if not fixed and budget is None:  # a run of --time may have stopped before its steps were fixed
            run.steps = steps or settings.train.steps

        if ranks.first:
            make_ready(run)
        with _open_log(run, ranks) as log:
            _say_start(run, log, start, resumed=resumed)
            if fixed:
                _say_fixed(run, log, steps=steps, time_s=time_s)
            _loop(run, source, fields, ranks, log, stopping, budget)

        best = folder / BEST if (folder / BEST).exists() else None
        if ranks.first and best is not None:
            write_card(best)  # again: the log has gone on since
        return Outcome(run.step, run.steps or run.step, best, run.merit if math.isfinite(run.merit) else None)


def _beside(
    source: Source, settings: Settings, unlabelled: str | Path | None, *, from_weights: bool
) -> tuple[Source, Fields | None]:
    """Fields without outlines beside the images, where some are learned from."""
    if unlabelled is None:
        return source, None
    from irnet.training.unlabelled import need_teacher, open_fields  # few runs have a teacher

    fields = open_fields(settings, unlabelled)
    need_teacher(settings, from_weights=from_weights)
    return fields.beside(source), fields


def _say_start(run: Run, log: RunLog, start: Start, *, resumed: bool) -> None:
    """Where the run begins."""
    if run.init is not None and not resumed:
        log.init(run.init)
    if start.resume and not resumed:
        log.say(f"{run.folder}: no checkpoint, the run begins at step 0")


def _say_fixed(run: Run, log: RunLog, *, steps: int | None, time_s: float | None) -> None:
    """How long a resumed run was to go on is not changed: what is asked otherwise is not taken."""
    if steps not in (None, run.steps):
        log.say(f"not {steps} steps: the run goes on with those it began with, {run.steps}")
    if time_s is not None:
        log.say(f"not {time_s:g} s: the run goes on with the steps it began with, {run.steps}")


def _open_log(run: Run, ranks: Ranks) -> RunLog:
    s = run.settings.train
    return RunLog(
        run.folder, steps=run.steps, every=s.log_every, tensorboard=s.tensorboard, silent=not ranks.first
    )


def _loop(
    run: Run,
    source: Source,
    fields: Fields | None,
    ranks: Ranks,
    log: RunLog,
    stopping: Callable[[], bool],
    budget: TimeBudget | None,
) -> None:
    """Take the steps that are left; validate, save and tell on the way."""
    s = run.settings.train
    network = ranks.wrap(run.model)
    batches = _batches(run, source, fields, ranks)
    validator = Validator(source, ranks)
    first, taken = run.step, list[StepResult]()  # the steps that were not read yet

    while run.steps is None or run.step < run.steps:
        if ranks.any(stopping()):
            if taken:
                _log_steps(run, taken, ranks, log)
            _stop(run, ranks, log)
            return

        torch.manual_seed(step_seed(s.seed, run.step, ranks.rank))
        set_learning_rate(run.optimizer, run.rate())
        given = list(islice(batches, s.accumulate))
        taken.append(
            optimise(network, run.optimizer, given, device=ranks.device, precision=s.precision, clip=s.clip)
        )
        run.average.update(run.step)
        run.step += 1
        if not _is_due(run, ranks):
            continue

        _log_steps(run, taken, ranks, log)
        if run.steps is None and budget is not None:
            with log.paused():
                _fix_steps(run, validator, ranks, log, budget, first)

        done = run.step == run.steps
        with log.paused():
            if done or run.step % s.validate_every == 0:
                _validate(run, validator, ranks, log)
            if ranks.first and (done or run.step % s.checkpoint_every == 0):
                run.save()


def _stop(run: Run, ranks: Ranks, log: RunLog) -> None:
    if ranks.first:
        run.save()
    log.say(f"stopped at step {run.step}; --resume goes on from there")


def _is_due(run: Run, ranks: Ranks) -> bool:
    """Return whether steps are to be read now: each on a CPU; a GPU goes on with the next ones meanwhile."""
    s = run.settings.train
    due = (s.log_every, s.validate_every, s.checkpoint_every, *([BUDGET_EVERY] if run.steps is None else []))
    return ranks.device.type == "cpu" or run.step == run.steps or any(run.step % n == 0 for n in due)


def _log_steps(run: Run, taken: list[StepResult], ranks: Ranks, log: RunLog) -> None:
    """Log the steps taken since; a loss that is not finite leaves not_finite.json in the run's folder."""
    step = run.step - len(taken)
    try:
        for values in read_steps(taken):
            step += 1
            log.step(step, values)
    except NotFiniteError as error:
        record = {"step": step, "rank": ranks.rank, "seed": run.settings.train.seed, **error.record}
        write_text(run.folder / "not_finite.json", json.dumps(record, indent=1))
        raise
    taken.clear()


def _validate(run: Run, validator: Validator, ranks: Ranks, log: RunLog) -> None:
    """Score the moving average and keep it if it is the best so far; without validation images it is."""
    validation = validator(run.average.model, run.settings)

    better = validation is None or validation.merit > run.merit
    if validation is not None:
        log.validation(run.step, validation)
        run.merit = max(run.merit, validation.merit)
    if better and ranks.first:
        run.save_best(validation)
        write_card(run.folder / BEST)


def _fix_steps(
    run: Run, validator: Validator, ranks: Ranks, log: RunLog, budget: TimeBudget, first: int
) -> None:
    """Once the first steps are measured, store how many fit: from here on the clock plays no part."""
    step_time = ranks.from_first(budget.seconds_per_step(run.step, first))
    if step_time is None:
        return

    s = run.settings.train
    validator.read()  # first: reading is not part of a validation's time
    begun = time.monotonic()
    validator(run.average.model, run.settings)
    validation_s = time.monotonic() - begun

    run.steps = ranks.from_first(
        budget.plan(
            run.step, step_time=step_time, overhead=validation_s / s.validate_every, closing=validation_s
        )
    )
    log.steps = run.steps
    log.say(f"{step_time:.3f} s a step, {validation_s:.1f} s a validation: {run.steps} steps fit")
    if ranks.first:
        run.save()


def _facts(source: Source, ranks: Ranks) -> dict[str, Any]:
    """What the model card says of the data and the machine."""
    machine = {"device": describe_device(ranks.device), "processes": ranks.size}
    return {"data": source.identity | source.facts, "machine": machine}


def _batches(run: Run, source: Source, fields: Fields | None, ranks: Ranks) -> Iterator[Batch]:
    """Batches from the run's step on; with `fields` a share of each is labelled by the running mean."""
    s = run.settings.train
    common = {"rank": ranks.rank, "ranks": ranks.size, "pinned": ranks.device.type == "cuda"}
    apart = 0 if fields is None else fields.per_pass
    feed = Feed(source.crops, batch=s.batch - apart, reuse=source.reuse, workers=s.workers, **common)
    batches = feed.batches(run.step * s.accumulate)
    if fields is None:
        return batches

    from irnet.training.teacher import Teacher  # few runs have one

    unlabelled = Feed(fields.crops, batch=apart, workers=-(-s.workers // 4), kind=FieldBatch, **common)
    teacher = Teacher(run.average.model, run.settings, ranks.device)
    pairs = zip(batches, unlabelled.batches(run.step * s.accumulate), strict=True)
    return (batch.joined(teacher(crops)) for batch, crops in pairs)
