"""Claims: several processes, GPUs or machines share one folder, and no row is made by two of them.

A claim is a file that its owner creates exclusively and touches while it works. It is stale, and another may
take it, when it was not touched for 15 minutes or when its owner is a dead process of this machine.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

STALE_S = 15 * 60
HEARTBEAT_S = 60
CLAIM = "claim"


class HeldError(Exception):
    """Another process works here; the message says which."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the claim on `folder` (created if it is missing). Raises `HeldError` when another process does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CLAIM
    token = secrets.token_hex(8)
    if not _create(path, token):
        _take_stale(path, token)

    done = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, token, done), daemon=True)
    heart.start()

    try:
        yield
    finally:
        done.set()
        heart.join()
        if _read(path).get("token") == token:
            path.unlink(missing_ok=True)


def _create(path: Path, token: str) -> bool:
    """Create the claim; False when there is one."""
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": token}
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(owner, file)
    except FileExistsError:
        return False
    return True


def _take_stale(path: Path, token: str) -> None:
    """Replace a stale claim by our own. Of several who try, the rename lets one through."""
    owner = _read(path)
    if not _is_stale(path, owner):
        raise _held(path, owner)

    grave = path.with_name(f".{path.name}.{token}")
    try:
        path.rename(grave)
    except FileNotFoundError:
        raise HeldError(f"{path.parent}: another process has just taken it") from None

    taken = _read(grave)
    if taken.get("token") != owner.get("token"):  # a live claim came in between: give it back
        with suppress(FileExistsError):
            os.link(grave, path)
        grave.unlink()
        raise _held(path, taken)

    grave.unlink()
    if not _create(path, token):
        raise HeldError(f"{path.parent}: another process has just taken it")


def _held(path: Path, owner: dict[str, Any]) -> HeldError:
    """The error that says who holds a claim, as far as it is written yet."""
    who = f"{owner['host']}, process {owner['pid']}," if owner else "another process"
    return HeldError(f"{path.parent}: {who} works on it")


def _is_stale(path: Path, owner: dict[str, Any]) -> bool:
    try:
        idle = _now(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return False
    return idle > STALE_S or (owner.get("host") == socket.gethostname() and not _alive(owner.get("pid")))


def _alive(pid: object) -> bool:
    """Whether a process of this machine runs; on Windows, where asking would end it, always true."""
    if os.name != "posix" or not isinstance(pid, int):
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _now(folder: Path) -> float:
    """The clock of the file system, which may be another machine's."""
    probe = folder / f".{secrets.token_hex(8)}.tmp"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _beat(path: Path, token: str, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT_S):
        if _read(path).get("token") == token:
            with suppress(FileNotFoundError):
                os.utime(path)


def _read(path: Path) -> dict[str, Any]:
    """The owner of a claim; empty for one that is gone or still being written."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
