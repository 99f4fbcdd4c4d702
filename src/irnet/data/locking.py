"""One writer at a time in a folder: a lock that the system drops with the process, however that ends."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from irnet.data.files import unwritable
from irnet.errors import InputError

LOCK = ".irnet.lock"
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # by another process, in the words of each system
_FAR = 2**30  # Windows keeps others from reading what is locked: a byte that is not there

_logger = logging.getLogger(__name__)


@contextmanager
def writing(folder: str | os.PathLike, verb: str) -> Iterator[None]:
    """Hold a folder for one writer, such as "irnet predict"; it is created if it is missing.

    Raises InputError where another holds it, and says who, or where it may not be written to. Where it was
    made and stays empty, it is removed again. A lock file that a killed process left holds nobody up.
    """
    folder = Path(folder)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        file = _acquire(folder, verb)
        try:
            yield
        finally:
            _release(file, folder / LOCK)
    finally:
        with suppress(OSError):  # not empty
            for place in made:
                place.rmdir()


def _acquire(folder: Path, verb: str) -> BinaryIO:
    path = folder / LOCK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = open(path, "a+b")  # noqa: SIM115 (open as long as it is held)
        except OSError as error:
            raise unwritable(folder, error) from error
        try:
            _lock(file, folder)
            if _is_at(file, path):
                _sign(file, verb)
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # removed by its holder between our opening and locking it


def _lock(file: BinaryIO, folder: Path) -> None:
    try:
        _lock_file(file)
    except OSError as error:
        if error.errno not in _HELD:
            _logger.warning(
                "%s: its file system knows no locks (%s): let one irnet at a time write there", folder, error
            )
            return
        file.seek(0)
        holder = file.read(200).decode("utf-8", "replace").strip() or "another irnet"
        raise InputError(
            f"{folder}: {holder} is writing there: wait until it is done, or write to another folder"
        ) from None


if sys.platform == "win32":
    import msvcrt

    def _lock_file(file: BinaryIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _release(file: BinaryIO, path: Path) -> None:
        file.close()
        with suppress(OSError):  # another has it open by now
            path.unlink()

else:
    import fcntl

    def _lock_file(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(file: BinaryIO, path: Path) -> None:
        with suppress(OSError):
            path.unlink()  # while it is held: afterwards it may be another's
        file.close()


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _sign(file: BinaryIO, verb: str) -> None:
    """Say who holds it, for the message to others."""
    file.truncate(0)
    file.write(f"{verb} (process {os.getpid()} on {socket.gethostname()})".encode())
    file.flush()
