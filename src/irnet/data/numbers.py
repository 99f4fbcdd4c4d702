"""Numbers of instances in their image, from 0: fixed when they are found, never given twice."""

from collections.abc import Collection, Sequence
from typing import Any

from irnet.wording import MAX_DIGITS


def read_number(value: Any) -> int | None:
    """A number of an instance as a file has it, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**MAX_DIGITS:
        return None
    return value


def fill_numbers(given: Sequence[int | None], last: int = -1) -> list[int]:
    """A number for each instance: its own; else the next above all and above `last`, in order.

    Of two that have one number the first keeps it.

    >>> fill_numbers([None, None]), fill_numbers([5, None, 2, 5], last=8)
    ([0, 1], [5, 9, 2, 10])
    """
    kept: set[int] = set()
    numbers = []
    for number in given:
        numbers.append(None if number in kept else number)
        kept |= set() if number is None else {number}

    free = next_number(kept, last)
    filled = []
    for number in numbers:
        filled.append(free if number is None else number)
        free += number is None
    return filled


def next_number(numbers: Collection[int], last: int = -1) -> int:
    """The number of a new instance: above all `numbers` of its image and the `last` that was ever given."""
    return 1 + max([last, *numbers])
