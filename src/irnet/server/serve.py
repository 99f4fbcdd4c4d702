"""`irnet view`: a socket, an address to open, and the application behind it."""

import ipaddress
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from irnet.data.wording import number_of
from irnet.errors import InputError


def serve(
    out: Path, *, host: str, port: int, data: Path | None = None, announce: Callable[[str], object]
) -> None:
    """Serve the review of `out` until Ctrl-C or SIGTERM. `announce` is given lines for the user.

    Beyond loopback a random token is asked for; it is part of the address announced. Raises InputError.
    """
    try:
        import uvicorn

        from irnet.server.app import create_app
    except ImportError as error:
        raise InputError(f"the viewer needs {error.name}: pip install 'irnet[view]'") from error
    from irnet.server.guard import LOOPBACK_NAMES
    from irnet.server.store import Review

    review = Review(out, data=data)
    sock = _bind(host, port)
    token = None if _is_loopback(sock) else secrets.token_urlsafe(32)
    names = LOOPBACK_NAMES if token is None else LOOPBACK_NAMES | {host, socket.gethostname().lower()}
    app = create_app(review, names=names, token=token)
    images, edits = number_of(len(review.fields), "image"), number_of(len(review.journal.lines), "edit")
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    with _until_stopped():
        announce(f"{images} of {review.source}; {edits} so far")
        announce(f"open {address(host, sock.getsockname()[1], token)} (stop with Ctrl-C)")
        if token is not None:
            announce("Anyone with this address can read and edit; it is not encrypted on its way.")
        uvicorn.Server(config).run(sockets=[sock])


def address(host: str, port: int, token: str | None) -> str:
    """What to open in a browser."""
    everywhere = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}
    name = everywhere.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block: uvicorn raises them again when it has shut down."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"--host {host}: {error.strerror}") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
    except OSError as error:
        sock.close()
        raise InputError(f"--host {host} --port {port}: {error.strerror}: choose another port") from None
    return sock


def _is_loopback(sock: socket.socket) -> bool:
    return ipaddress.ip_address(sock.getsockname()[0]).is_loopback
