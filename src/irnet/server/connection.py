"""HTTP connections that cannot be kept half open."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10  # between two looks at a connection; a request's head has to be whole at the next one


class Connection(H11Protocol):
    """HTTP/1.1 that drops anyone who connects and never finishes a request's head.

    uvicorn itself only ends connections that are silent after an answer.
    """

    _look: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, and look at it from time to time."""
        super().connection_made(transport)
        self._look = self.loop.call_later(HEAD_SECONDS, self._drop_if_waiting)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that has ended."""
        self._look.cancel()
        super().connection_lost(exc)

    def _drop_if_waiting(self) -> None:
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self.timeout_keep_alive_task is None:
            self.transport.close()
        else:
            self._look = self.loop.call_later(HEAD_SECONDS, self._drop_if_waiting)
