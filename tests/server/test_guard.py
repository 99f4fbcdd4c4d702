"""Who is let in: the rules of the server's door, each met over HTTP."""

import hashlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from irnet.server.app import create_app
from irnet.server.guard import COOKIE, LOOPBACK_NAMES, MAX_BODY
from irnet.server.store import Review

DELETE = {"revision": 0, "edit": {"op": "delete", "ids": [1]}}
TOKEN = "secret"
NAME = f"{COOKIE}_{hashlib.sha256(TOKEN.encode()).hexdigest()[:8]}"
EDITS = "/api/images/0/edits"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "localhost.evil.example", "10.0.0.7", ""]
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(client: httpx.Client, host: str) -> None:
    answer = client.get("/api/session", headers={"host": host})
    assert answer.status_code == 421
    assert "found" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8642", "127.0.0.1", "[::1]:8642", "LOCALHOST:1"])
def test_loopback_has_these_names(client: httpx.Client, host: str) -> None:
    assert client.get("/api/session", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1"])
def test_another_page_cannot_write(client: httpx.Client, review: Review, origin: str) -> None:
    assert client.post(EDITS, json=DELETE, headers={"origin": origin}).status_code == 403
    assert client.post("/api/export", json={}, headers={"origin": origin}).status_code == 403
    assert review.fields[0].revision == 0


def test_a_form_of_another_kind_is_no_edit(client: httpx.Client, review: Review) -> None:
    answer = client.post(EDITS, content=json.dumps(DELETE), headers={"content-type": "text/plain"})
    assert answer.status_code == 422
    assert review.fields[0].revision == 0


def test_large_bodies_are_refused_before_they_are_read(client: httpx.Client) -> None:
    assert client.post(EDITS, content=b" " * (MAX_BODY + 1)).status_code == 413
    assert client.post(EDITS, content=iter([b"{}"])).status_code == 411  # chunked: no length


def raw(client: httpx.Client, *parts: bytes, wait: float = 0) -> bytes:
    """What the server answers to bytes that no HTTP client sends; b"" where it just closes."""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(wait)
        return connection.recv(4096)


def test_what_comes_is_counted_not_what_is_said_to_come(client: httpx.Client, review: Review) -> None:
    """A length beside chunks is overruled by them."""
    edit = json.dumps(DELETE).encode()
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(edit), edit)
    head = (
        f"POST {EDITS} HTTP/1.1\r\nHost: {client.headers['origin'][7:]}\r\nOrigin: {client.headers['origin']}"
        "\r\nContent-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = raw(client, head.encode(), chunk)
    assert answer.startswith((b"HTTP/1.1 411", b"HTTP/1.1 400"))
    assert review.fields[0].revision == 0


def test_a_write_that_never_ends_is_given_up(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irnet.server.guard.BODY_SECONDS", 0.3)
    head = (
        f"POST {EDITS} HTTP/1.1\r\nHost: {client.headers['origin'][7:]}\r\nOrigin: {client.headers['origin']}"
        "\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    assert raw(client, head.encode()).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_half_open_connections_are_dropped(
    review: Review, serving: Callable, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr("irnet.server.connection.HEAD_SECONDS", 0.3)
    with serving(create_app(review)) as url, httpx.Client(base_url=url) as client:
        assert raw(client, sent) == b""
        assert client.get("/api/session").status_code == 200


def test_answers_forbid_foreign_scripts_frames_and_sniffing(client: httpx.Client) -> None:
    for path in ("/", "/main.js", "/api/session", "/nothing"):
        headers = client.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["script-src"] == "'self'"
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/static/../../cells.py",
        "//etc/passwd",
        "/openapi.json",
    ],
)
def test_files_elsewhere_are_not_served(client: httpx.Client, path: str) -> None:
    answer = client.get(httpx.URL(client.base_url).copy_with(raw_path=path.encode()))
    assert answer.status_code == 404


@pytest.mark.parametrize("index", ["2", "-1", "a.png", "..%2f..", "99999999999999999999"])
def test_images_go_by_number_alone(client: httpx.Client, index: str) -> None:
    for path in (f"/api/images/{index}", f"/api/images/{index}/tiles/0/0/0"):
        assert client.get(path).status_code in (307, 404, 422)


def test_markup_in_a_name_is_data(found: Path, serving: Callable) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    predictions = found / "predictions.json"
    predictions.write_text(predictions.read_text().replace('"a.png"', json.dumps(name)))
    with serving(create_app(Review(found))) as url:
        answer = httpx.get(f"{url}/api/session")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["images"][0]["name"] == name


class TestToken:
    """Nobody reads or edits without the token of this viewer."""

    @pytest.fixture
    def outside(self, review: Review, serving: Callable):
        app = create_app(review, names=LOOPBACK_NAMES | {"lab-pc"}, token=TOKEN)
        with serving(app) as url, httpx.Client(base_url=url, headers={"origin": url}) as client:
            yield client

    @pytest.mark.parametrize("path", ["/", "/main.js", "/api/session", "/api/images/0/tiles/0/0/0"])
    def test_nothing_without_the_token(self, outside: httpx.Client, path: str) -> None:
        assert outside.get(path).status_code == 401
        assert outside.get(path, params={"token": "guess"}).status_code == 401
        outside.cookies.set(NAME, "guess")
        assert outside.get(path).status_code == 401

    def test_the_token_is_exchanged_for_a_cookie_that_scripts_cannot_read(
        self, outside: httpx.Client
    ) -> None:
        answer = outside.get("/", params={"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert outside.get("/api/session").status_code == 200
        assert outside.post(EDITS, json=DELETE).status_code == 200

    def test_a_token_in_the_address_writes_nothing(self, outside: httpx.Client, review: Review) -> None:
        assert outside.post(EDITS, params={"token": TOKEN}, json=DELETE).status_code == 401
        assert review.fields[0].revision == 0

    def test_addresses_and_own_names_are_served_others_not(self, outside: httpx.Client) -> None:
        outside.cookies.set(NAME, TOKEN)
        for host, status in (("10.0.0.7:8642", 200), ("lab-pc:8642", 200), ("evil.example", 421)):
            assert outside.get("/api/session", headers={"host": host}).status_code == status
