"""The one error that means "your input": its message says what, where and the remedy."""


class InputError(ValueError):
    """Bad input. The message names the file, line or field and what to do about it (exit code 2)."""
