"""`irnet view`: a socket, an address to open, and the application behind it."""

import ipaddress
import os
import secrets
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from irnet.data.coco.location import is_of_slides
from irnet.errors import InputError
from irnet.wording import install_extra, number_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from irnet.server.assistant import Network


def serve(
    out: Path,
    *,
    host: str,
    port: int,
    data: Path | None = None,
    browser: bool | None = None,
    network: "Network | None" = None,
    announce: Callable[[str], object],
) -> None:
    """Serve the review of `out` until Ctrl-C or SIGTERM. `announce` is given lines for the user.

    Anyone who opens the page needs a random token, which is part of the address announced: other users of
    this machine reach its loopback addresses too. `browser` opens the page; None does where there is a
    desktop. `network` draws where the user points. Raises InputError.
    """
    try:
        import uvicorn

        from irnet.server.connection import Connection
    except ImportError as error:
        raise InputError(f"the viewer needs {error.name}: {install_extra('view')}") from error
    from irnet.server.guard import LOOPBACK_NAMES

    if data is not None and not data.exists():
        raise InputError(f"--data {data}: no such file or folder")
    page = _open_slides(out, data, network) if is_of_slides(out) else _open_review(out, data, network)
    sock = _bind(host, port)
    token, beyond = secrets.token_urlsafe(32), not _is_loopback(sock)
    names = LOOPBACK_NAMES | ({host, socket.gethostname().lower()} if beyond else set())
    url = address(host, sock.getsockname()[1], token)
    app = page.create(names=names, token=token)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, http=Connection)
    with _until_stopped():
        announce(page.said)
        announce(f"open {url} (stop with Ctrl-C)")
        if beyond:
            announce("Anyone with this address can read and edit; it is not encrypted on its way.")
        if browser or (browser is None and _has_desktop()):
            webbrowser.open(url)
        uvicorn.Server(config).run(sockets=[sock])
    page.close()


class _Page(NamedTuple):
    """What is served."""

    create: Callable[..., "FastAPI"]  # given names and token
    said: str  # of it, for the user
    close: Callable[[], object]


def _open_review(out: Path, data: Path | None, network: "Network | None") -> _Page:
    from irnet.inference.weights import find_weights
    from irnet.server.app import create_app
    from irnet.server.assistant import Assistant
    from irnet.server.store import Review

    if network is not None:
        find_weights(network.weights)  # before anything is shown
    review = Review(out, data=data)
    assistant = None if network is None else Assistant(network)
    images, edits = number_of(len(review.fields), "image"), number_of(len(review.journal.lines), "edit")
    said = f"{images} of {review.source}; {edits} so far"
    create = partial(create_app, review, assistant=assistant)
    return _Page(create, said, assistant.close if assistant else lambda: None)


def _open_slides(out: Path, data: Path | None, network: "Network | None") -> _Page:
    from irnet.server.slide_app import SlideReview, create_slide_app

    if network is not None:
        raise InputError("--assist: whole slides are looked at and not corrected: leave it out")
    review = SlideReview(out, data=data)
    left_out = "".join(f"; left out: {reason}" for reason in review.left_out)
    said = f"{number_of(len(review.scenes), 'slide')} of {out}, to be looked at and not corrected{left_out}"
    return _Page(partial(create_slide_app, review), said, review.close)


def address(host: str, port: int, token: str) -> str:
    """What to open in a browser."""
    everywhere = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}
    name = everywhere.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/?token={token}"


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
        sock.listen()  # from here on anyone who connects is answered, if only when the server runs
    except OSError as error:
        sock.close()
        raise InputError(f"--host {host} --port {port}: {error.strerror}: choose another port") from None
    return sock


def _has_desktop() -> bool:
    """Whether somebody sits at a screen: without one, a browser would take over the terminal."""
    shown = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    return shown and sys.stdout.isatty()


def _is_loopback(sock: socket.socket) -> bool:
    return ipaddress.ip_address(sock.getsockname()[0]).is_loopback
