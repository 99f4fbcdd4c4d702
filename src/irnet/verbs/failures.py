"""Why one of many pieces of work failed, for people: the others go on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from irnet.errors import InputError
from irnet.progress import tell

_logger = logging.getLogger(__name__)


@dataclass
class LeftOut:
    """Slides of a folder that are left out as something is wrong with each of them.

    Args:
        total: slides that are asked for.
        reasons: what is wrong, with file and remedy.
    """

    total: int
    reasons: list[str] = field(default_factory=list)
    _last: InputError | None = field(default=None, init=False)

    def add(self, error: InputError) -> None:
        """Leave one out, and tell it where others go on."""
        self.reasons.append(str(error))
        self._last = error
        if self.total > 1:
            tell(str(error), error=True)

    def refuse_all(self) -> None:
        """Raise InputError where none is left."""
        if self._last is not None and len(self.reasons) == self.total:
            if self.total == 1:
                raise self._last
            raise InputError(f"none of the {self.total} slides is left: {self.reasons[0]}")


def explain(error: Exception, what: str, *, memory: str) -> str:
    """Return the reason of an error at `what`, such as "an image"; `memory` says what to do where it ran out.

    An error that is our own fault is logged with its traceback.
    """
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return memory
    _logger.error("%s failed in a way that is not foreseen", what, exc_info=error)
    return f"{type(error).__name__}: {error}"
