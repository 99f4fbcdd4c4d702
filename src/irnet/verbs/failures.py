"""Why one of many pieces of work failed, for people: the others go on."""

from __future__ import annotations

import logging

from irnet.errors import InputError

_logger = logging.getLogger(__name__)


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
