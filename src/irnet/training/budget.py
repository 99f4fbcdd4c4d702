"""A run that has to end in time: measure the first steps, then fix how many there will be."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from irnet.errors import InputError

UNMEASURED = 5  # first steps: caches fill, kernels are chosen
LEAST_MEASURED = 20  # steps
MEASURED_SHARE = 0.05  # of the time: long enough to use up what the worker processes prepared in advance
RESERVE = 0.03  # of the time, for what is not foreseen
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_time(text: str) -> float:
    """Return seconds of "90s", "25m", "1.5h" or "1h30m". Raises `InputError`.

    >>> parse_time("1h30m")
    5400.0
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smh])", text)
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*([smh])", "", text).strip():
        raise InputError(f"--time {text}: write it as 90s, 25m or 1h30m")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


class TimeBudget:
    """The clock of a run that may take `seconds` from now on."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._now = now
        self._begun = now()
        self._first: tuple[int, float] | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._now() - self._begun

    def seconds_per_step(self, step: int, first: int = 0) -> float | None:
        """Return the time of a step, None until enough of them were measured; call it after every step.

        `step` steps are done, `first` of them before this process began.
        """
        if step - first < UNMEASURED:
            return None
        if self._first is None:
            self._first = (step, self._now())
            return None

        steps, seconds = step - self._first[0], self._now() - self._first[1]
        enough = steps >= LEAST_MEASURED and seconds >= MEASURED_SHARE * self.seconds
        late = self.elapsed > 0.5 * self.seconds and steps > 0
        return seconds / steps if enough or late else None

    def plan(self, step: int, *, step_time: float, overhead: float, closing: float) -> int:
        """Return how many steps the run will have, `step` of them done, at least one more.

        `step_time` and `overhead` (validations and checkpoints, shared out) are seconds a step, `closing`
        is what the end takes.
        """
        left = (1 - RESERVE) * self.seconds - self.elapsed - closing
        return step + max(1, int(left / (step_time + overhead)))
