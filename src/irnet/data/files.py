"""Files written whole or not at all, names that stay in their folder, and hashes."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from irnet.errors import InputError

_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f]")
_UNSAFE = re.compile(r"[\x00-\x1f/\\]|(?<=^[A-Za-z]):")
_DRAFT = re.compile(r"\.[0-9a-f]{16}\.tmp")


def write_atomic(path: str | os.PathLike, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that a reader, a crash or a full disk never meets half of it.

    `content` is the bytes, or a function that writes them to the open binary file it is given. Missing
    folders are made. Whatever goes wrong, the old file stays as it was. Raises InputError where the system
    refuses: the place may not be written to, or is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
    except OSError as error:
        if error.errno is None:  # the content's own
            raise
        raise unwritable(path, error) from error
    _sync_folder(path.parent)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text in UTF-8, as `write_atomic`; parts of file names that are no text are escaped."""
    write_atomic(path, text.encode(errors="backslashreplace"))


def move(source: Path, target: Path) -> None:
    """Put a file in the place of another in one step. Raises InputError where the system refuses."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
    except OSError as error:
        raise unwritable(target, error) from error
    _sync_folder(target.parent)


def as_json(value: Any, indent: int | None = 1) -> bytes:
    """The JSON text of plain values, as files hold it. Raises ValueError for numbers that are not finite."""
    return json.dumps(value, indent=indent, allow_nan=False).encode()


def check_writable(folder: str | os.PathLike) -> None:
    """Raise InputError unless files can be written to `folder`, or to where it would be made.

    It is tried out: on what permissions mean, systems differ. Nothing stays behind.
    """
    folder = Path(folder)
    place = next((place for place in (folder, *folder.parents) if os.path.exists(place)), Path())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise unwritable(folder, error) from error


def refuse_overwriting(files: Iterable[str | os.PathLike], read: Iterable[str | os.PathLike | None]) -> None:
    """Raise InputError where one of the files that are to be written is one that is read, by any name."""
    known = {found for path in read if path is not None and (found := _identity(path))}
    for file in files:
        if _identity(file) in known:
            raise InputError(f"{file}: it is read, and would be written over: name another place with -o")


def refuse_losing(path: Path, content: Callable[[], bytes]) -> None:
    """Raise InputError where another file has the name of one to be written; `content` makes the new one."""
    if path.exists() and not (path.is_file() and path.read_bytes() == content()):
        raise InputError(f"{path} is there and is another file: move it away, or name another folder")


def _identity(path: str | os.PathLike) -> tuple[int, int] | None:
    """What a file is known by under all of its names, None for what is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def remove_drafts(folders: Iterable[str | os.PathLike]) -> None:
    """Remove what a process that was killed while it wrote left in the folders; hold their lock."""
    for folder in folders:
        with contextlib.suppress(OSError):  # no such folder
            for file in Path(folder).iterdir():
                if _DRAFT.fullmatch(file.name):
                    file.unlink()


def safe_join(folder: str | os.PathLike, name: str) -> Path:
    """`folder`/`name`, or InputError if the file named lies (or links) outside the folder.

    A backslash separates folders, as in files written on Windows.
    """
    parts = name.replace("\\", "/").split("/")
    if not name.strip() or _CONTROL.search(name):
        raise InputError(f"{name!r} is not a file name: it is empty or holds control characters")
    if parts[0] == "" or ".." in parts or _DRIVE.match(name):
        raise InputError(f"{name!r} leaves its folder: name files relative to {folder}, without '..'")
    path = Path(folder).joinpath(*parts)
    try:
        inside = path.resolve().is_relative_to(Path(folder).resolve())
        path.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, too long, half a surrogate pair
        raise InputError(f"{name!r} is not a file name: {error}") from None
    if not inside:
        raise InputError(f"{name!r} links to a place outside {folder}: put the file itself there")
    return path


def clean_name(name: str) -> str:
    """A file's name as `safe_join` takes it back: what it refuses becomes `_`."""
    return _UNSAFE.sub("_", name)


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content, as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    draft = path.parent / f".{secrets.token_hex(8)}.tmp"  # same folder: a rename never crosses file systems
    try:
        with open(draft, "xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is what to tell
            draft.unlink()
        raise


def unwritable(path: Path, error: OSError) -> InputError:
    """What to tell where the system refuses to write."""
    reason = error.strerror or type(error).__name__
    return InputError(f"{path}: cannot be written ({reason}): name another place, or make room there")


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut. Windows cannot open folders and does not need it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
