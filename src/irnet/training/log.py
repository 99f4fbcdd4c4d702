"""What a run says of itself: JSON lines, and how far it is."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from irnet.cells import LABEL_NAMES
from irnet.data.files import write_text
from irnet.errors import InputError
from irnet.progress import Stage, is_heard, stage
from irnet.training.scores import Validation
from irnet.wording import clock, install_extra

LOG_NAME = "log.jsonl"


class RunLog:
    """The log of one run in its folder. A silent one (other ranks) takes the same calls and does nothing."""

    def __init__(
        self, run_dir: Path, *, steps: int | None, every: int, tensorboard: bool = False, silent: bool = False
    ) -> None:
        self.steps = steps
        self.every = every
        self.silent = silent
        self.console = Console(stderr=True, quiet=silent, soft_wrap=not sys.stderr.isatty())

        self._file = None if silent else open(run_dir / LOG_NAME, "a", encoding="utf-8")  # noqa: SIM115
        self._board = _open_board(run_dir) if tensorboard and not silent else None
        self._stage: Stage | None = None  # that is shown while training goes on
        self._open = ExitStack()

        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        self._stage = self._open.enter_context(stage("training", self.steps or 0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        if self._board:
            self._board.close()
        if self._file:
            self._file.close()

    def say(self, text: str) -> None:
        """Print one line for people."""
        self.console.print(text, markup=False, highlight=False)

    def init(self, origin: dict[str, Any]) -> None:
        """Take the weights that the run starts from, see `weights.start_from`."""
        self.write("init", 0, origin)
        groups = {"fresh": origin["fresh"], "left out of the file": origin["left"]}
        parts = "; ".join(f"{word}: {', '.join(names)}" for word, names in groups.items() if names)
        self.say(f"from {origin['source']}" + (f"; {parts}" if parts else ""))

    def step(self, step: int, values: dict[str, float]) -> None:
        """Take the values of the step with this number (from 1); means are written every `every` steps."""
        if self.silent:
            return

        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        if self._stage:
            self._stage.first = self._stage.first or step - 1
            self._stage.total = self.steps or 0
            self._stage.at(step, self._stage.item)

        if step % self.every and step != self.steps:
            return
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        now = time.monotonic()
        means["seconds_per_step"] = (now - self._since) / max(self._counts.values())
        self._sums, self._counts, self._since = {}, {}, now

        self.write("train", step, means)
        self._print_step(step, means)

    def validation(self, step: int, validation: Validation) -> None:
        """Take the scores of a validation."""
        cuts = {f"cut/{LABEL_NAMES[label]}": score for label, score in validation.scores.items()}
        self.write("validation", step, {"merit": validation.merit, **validation.numbers, **cuts})

        shown = "  ".join(
            f"{name} {value:.3f}"
            for name, value in validation.numbers.items()
            if name.endswith(("/AJI", "/F1", "/AP", "/overlap recall"))
        )
        self.say(f"step {step}  {shown}")

    def write(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Append one JSON line; numbers also go to TensorBoard."""
        if self._file is None:
            return
        line = {"kind": kind, "step": step, "time": round(time.time(), 3), **_plain(values)}
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()

        for name, value in values.items():
            if self._board and isinstance(value, int | float):
                self._board.add_scalar(f"{kind}/{name}", value, step)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time inside the `with` block (a validation, say) out of the time of a step."""
        begun = time.monotonic()
        yield
        self._since += time.monotonic() - begun

    def _print_step(self, step: int, means: dict[str, float]) -> None:
        losses = " ".join(
            f"{name.removeprefix('loss/')} {value:.3f}"
            for name, value in means.items()
            if name.startswith("loss")
        )
        if self._stage and is_heard():
            self._stage.item = f"loss {means['loss']:.3f}" if "loss" in means else ""
            return

        rate = means["seconds_per_step"]
        left = "" if self.steps is None else f"  {clock((self.steps - step) * rate)} left"
        self.say(f"step {step}/{self.steps or '?'}  {losses}  {rate:.2f} s/step{left}")


def read_log(run_dir: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log up to one that was cut short; none where there is no log."""
    path = run_dir / LOG_NAME
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def training_seconds(log: Sequence[Mapping[str, Any]]) -> float:
    """Return how long the steps in a log took; validation and pauses are not in it."""
    lines = [line for line in log if line["kind"] == "train"]
    starts = [0, *(line["step"] for line in lines)]
    spans = zip(starts, lines, strict=False)
    return sum(((line["step"] - start) * line["seconds_per_step"] for start, line in spans), 0.0)


def cut_log(run_dir: Path, step: int) -> None:
    """Drop the lines after `step`, which a resumed run writes again, and a last line that was cut short."""
    path = run_dir / LOG_NAME
    if not path.exists():
        return
    kept = [line for line in read_log(run_dir) if line["step"] <= step]
    write_text(path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in kept))


def _open_board(run_dir: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(f"TensorBoard is missing: {install_extra('tensorboard')}") from error
    return SummaryWriter(str(run_dir / "tensorboard"))


def _plain(value: Any) -> Any:
    """Return `value` with numbers JSON can hold: not-a-number becomes null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
