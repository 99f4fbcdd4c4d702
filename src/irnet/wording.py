"""Numbers and phrases that a user reads, and the progress of work that takes long."""

from collections.abc import Callable, Mapping
from typing import Any

RESEARCH_USE = "Research use only; not a diagnostic device; it measures cells, it does not grade them."
UNKNOWN = "–"

Progress = Callable[[str, int, int], None]
"""Called with the name of each image, its number from 1 and how many there are."""


def number_of(number: int, noun: str) -> str:
    """A number of things.

    >>> number_of(1, "image"), number_of(0, "image")
    ('1 image', '0 images')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def with_interval(part: Mapping[str, Any]) -> str:
    """An estimate of `metrics.summarise` with its interval.

    >>> with_interval({"value": 0.5, "low": 0.25, "high": 0.75}), with_interval({"value": None})
    ('0.500 [0.250, 0.750]', '–')
    """
    if part["value"] is None:
        return UNKNOWN
    spread = "" if part["low"] is None else f" [{part['low']:.3f}, {part['high']:.3f}]"
    return f"{part['value']:.3f}{spread}"
