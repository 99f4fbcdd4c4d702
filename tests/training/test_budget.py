"""How many steps fit into a time, on a clock that the test turns."""

import pytest

from irnet.errors import InputError
from irnet.training.budget import LEAST_MEASURED, UNMEASURED, TimeBudget, parse_time


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run_steps(budget: TimeBudget, clock: Clock, seconds: float, first: int = 0) -> tuple[int, float]:
    """Return after which step, and at what, the time of a step is known."""
    for step in range(first + 1, first + 1000):
        clock.now += seconds
        if (measured := budget.seconds_per_step(step, first)) is not None:
            return step, measured
    raise AssertionError("never measured")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("25m", 1500), ("1.5h", 5400), ("1h 30m", 5400)])
def test_times(text: str, seconds: float):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "25", "m", "5 days", "25min"])
def test_other_times_are_refused(text: str):
    with pytest.raises(InputError, match="--time"):
        parse_time(text)


def test_steps_are_measured_after_the_first_few():
    clock = Clock()
    step, seconds = run_steps(TimeBudget(100.0, clock), clock, 0.5)
    assert (step, seconds) == (UNMEASURED + LEAST_MEASURED, 0.5)


def test_fast_steps_are_measured_for_a_share_of_the_time():
    clock = Clock()
    step, seconds = run_steps(TimeBudget(100.0, clock), clock, 0.125)
    assert (step, seconds) == (UNMEASURED + 40, 0.125)  # 5 % of 100 s


def test_slow_steps_are_measured_for_half_of_the_time_at_most():
    clock = Clock()
    step, _ = run_steps(TimeBudget(100.0, clock), clock, 6.0)
    assert step == 9  # 54 s


def test_the_plan_fills_the_time():
    clock = Clock()
    budget = TimeBudget(1000.0, clock)
    clock.now += 100
    steps = budget.plan(50, step_time=0.8, overhead=0.2, closing=20)
    assert steps == 50 + 850  # 1000 - 3 % - 100 - 20, at 1 s a step
    assert budget.plan(50, step_time=500, overhead=400, closing=800) == 51
