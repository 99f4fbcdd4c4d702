"""Who may talk to the server: names of the host, origin of writes, a token, limits; headers on answers."""

import asyncio
import hashlib
import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 4 * 2**20  # bytes: an image with 100,000 cells accepted at once
BODY_SECONDS = 30  # in which the whole of a write has to arrive
COOKIE = "irnet_view"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = ("GET", "HEAD")
_OPENSEADRAGON = "'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='"  # the one style sheet it makes
_HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; script-src 'self'; style-src 'self' {_OPENSEADRAGON}; "
        "img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Middleware around the whole application.

    A page elsewhere can make a browser connect to a loopback address, so the Host header has to be one of
    `names` (against DNS rebinding; addresses cannot be rebound and pass where a token is asked for), and a
    write has to come from a page of this very server. Other users of this machine reach a loopback address
    too, so `irnet view` always asks for a token; None is for tests.
    """

    def __init__(self, app: ASGIApp, *, names: frozenset[str], token: str | None) -> None:
        self.app, self.names, self.token = app, names, token
        # Cookies know no port: each viewer of a machine needs a name of its own.
        self.cookie = f"{COOKIE}_{hashlib.sha256((token or '').encode()).hexdigest()[:8]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refuse(scope) or self._let_in(scope)
        if answer is None and scope["method"] not in _SAFE:
            body = await _read_body(receive)
            answer, receive = (None, _replay(body, receive)) if isinstance(body, bytes) else (body, receive)
        await (answer or self.app)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse("this name is not served here", 421)
        if scope["method"] in _SAFE:
            return None
        if urlsplit(headers.get("origin", "")).netloc != host:
            return PlainTextResponse("a write has to come from the page of this server", 403)
        length = headers.get("content-length", "")
        if not length.isdecimal() or "transfer-encoding" in headers:  # the latter would overrule the former
            return PlainTextResponse("a write has to say its length", 411)
        if int(length) > MAX_BODY:
            return PlainTextResponse(f"more than {MAX_BODY} bytes", 413)
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name in self.names:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.token is not None

    def _let_in(self, scope: Scope) -> Response | None:
        """Nothing for those who may pass; the token in the address is exchanged for a cookie."""
        if self.token is None or self._matches(_cookie(scope, self.cookie)):
            return None
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["method"] in _SAFE and self._matches(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
            return answer
        return PlainTextResponse("open the address that irnet view printed: it holds the token", 401)

    def _matches(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), (self.token or "").encode())


def _cookie(scope: Scope, name: str) -> str:
    try:
        jar = SimpleCookie(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


async def _read_body(receive: Receive) -> bytes | Response:
    """The whole body of a write, or why it is refused: counted as it comes; its head is not trusted."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    return PlainTextResponse(f"more than {MAX_BODY} bytes", 413)
                if not message.get("more_body"):  # nor where the client has gone
                    return bytes(body)
    except TimeoutError:
        return PlainTextResponse(f"the write did not arrive within {BODY_SECONDS} s", 408)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A channel that gives a body that was read before, then what else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
