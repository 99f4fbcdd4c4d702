"""The one error that means "your input": its message says what, where and the remedy."""

from collections.abc import Iterable, Sequence

DONE, NOTHING_DONE, DONE_WITH_ERRORS = 0, 2, 3  # exit codes; 1 is a fault of our own


class InputError(ValueError):
    """Bad input. The message names the file, line or field and what to do about it (exit code 2)."""


def check_save(given: Iterable[str], known: Sequence[str]) -> None:
    """Refuse names of kinds of files that nothing writes (`InputError`)."""
    if unknown := sorted(set(given) - set(known)):
        raise InputError(f"--save {','.join(unknown)}: unknown; choose from {', '.join(known)}")
