"""The fair design for little compute: one base, and every row forked from it and trained on for equal steps.

The base is a Mask R-CNN. A row takes the weights that it shares with it; what it has beyond starts from
random weights, and the control, Mask R-CNN itself, has nothing beyond. Rows of one seed see the same crops in
the same order. From scratch every row starts from ImageNet weights and takes the base's steps too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from irnet.config import Settings
from irnet.inference.tensors import digest_of
from irnet.inference.versions import versions
from irnet.inference.weights import find_weights
from irnet.study.claims import claimed
from irnet.study.costs import read_cost, write_cost
from irnet.study.record import Study
from irnet.study.rows import PLAIN, Row
from irnet.training.log import read_log, training_seconds
from irnet.training.run import Start
from irnet.training.train import Outcome, train

BASE_SEED = 0

Say = Callable[[str], object]


def row_settings(study: Study, row: Row, seed: int) -> Settings:
    """The recipe of a row and seed."""
    return study.recipe(*row.overrides, f"train.seed={seed}")


def needs_base(study: Study, row: Row) -> bool:
    """Whether the row cannot begin before the base is ready."""
    return row.base == "frozen" or (row.base == "fork" and study.forked)


def base_weights(study: Study) -> Path:
    """The weights file that rows fork from; call it once the base is ready."""
    return find_weights(study.options.trunk or study.base)


def prepare_base(study: Study, device: str, say: Say) -> None:
    """Train the base unless it is there or was given.

    Raises `HeldError` while another process trains it, and KeyboardInterrupt when it is stopped.
    """
    if study.options.trunk is not None or read_cost(study.base) is not None:
        return

    with claimed(study.base):
        if read_cost(study.base) is not None:  # another process trained it while this one waited
            return

        say(f"trunk, {study.record['trunk_steps']} steps")
        outcome = train(
            study.recipe(*PLAIN, f"train.seed={BASE_SEED}"),
            study.data,
            study.base,
            Start(resume=True),
            steps=study.record["trunk_steps"],
            device=device,
        )

        check_finished(outcome)
        seconds = training_seconds(read_log(study.base))
        cost = {"train_steps": outcome.steps, "train_seconds": seconds, "versions": versions()}
        write_cost(study.base, cost)


def train_row(study: Study, row: Row, seed: int, run_dir: Path, device: str) -> dict[str, Any]:
    """Train a row, or go on with it; return what it started from and how many steps it took.

    Raises KeyboardInterrupt when it is stopped: the same call goes on from there.
    """
    base = base_weights(study) if needs_base(study, row) else None
    outcome = train(
        row_settings(study, row, seed),
        study.data,
        run_dir,
        Start(None if base is None else str(base), parts="shared", resume=True),
        steps=study.record["steps"],
        device=device,
    )

    check_finished(outcome)
    return {
        "base": None if base is None else digest_of(base),
        "train_steps": outcome.steps,
        "train_seconds": training_seconds(read_log(run_dir)),
    }


def check_finished(outcome: Outcome) -> None:
    """Raise KeyboardInterrupt for a run that a signal ended: `train` saves and returns."""
    if not outcome.finished:
        raise KeyboardInterrupt
