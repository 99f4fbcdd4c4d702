"""Numbers and phrases that a user reads, and the progress of work that takes long."""

from collections.abc import Callable

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


def install_extra(extra: str) -> str:
    """How to get what an extra of pyproject.toml brings: irnet is on no package index, so out of its clone.

    >>> install_extra("view")
    'pip install ".[view]" in the clone of irnet'
    """
    return f'pip install ".[{extra}]" in the clone of irnet'
