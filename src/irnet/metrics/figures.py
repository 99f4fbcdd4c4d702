"""Figures as tables show them: what each is called, and how it reads of one class, image set or method."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

Subject = TypeVar("Subject")


class Figure(NamedTuple, Generic[Subject]):
    """A row or a column of a table."""

    title: str
    text: Callable[[Subject], str | None]  # None: the subject has no such figure


def by_figure(
    figures: Iterable[Figure[Subject]], subjects: Sequence[Subject], missing: str = ""
) -> list[list[str]]:
    """A row for each figure, a column for each subject; figures that no subject has are left out.

    >>> first = Figure("first letter", lambda word: word[:1] or None)
    >>> by_figure([first], ["one", ""], missing="-"), by_figure([first], [""])
    ([['first letter', 'o', '-']], [])
    """
    rows = []
    for figure in figures:
        texts = [figure.text(subject) for subject in subjects]
        if any(text is not None for text in texts):
            rows.append([figure.title, *(missing if text is None else text for text in texts)])
    return rows


def by_subject(figures: Sequence[Figure[Subject]], subjects: Iterable[Subject]) -> list[list[str]]:
    """A row for each subject, a column for each figure; a dash where it has none."""
    rows = []
    for subject in subjects:
        texts = [figure.text(subject) for figure in figures]
        rows.append(["-" if text is None else text for text in texts])
    return rows


def titles(figures: Iterable[Figure]) -> list[str]:
    """The header over the columns of `by_subject`."""
    return [figure.title for figure in figures]
