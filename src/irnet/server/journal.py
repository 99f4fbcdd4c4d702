"""Corrections on disk: one JSON line an edit, synced before it counts, replayed at the next start."""

import json
import os
from io import FileIO
from pathlib import Path
from typing import Any

from irnet.errors import InputError

FORMAT = 1
Line = dict[str, Any]


class Journal:
    """An append-only file that belongs to one version of its source, which `source_sha256` names.

    A line that a crash cut short was never acknowledged: it is dropped at the next start. Raises InputError
    when the file belongs to another source or is damaged in its middle.
    """

    def __init__(self, path: Path, *, source_sha256: str) -> None:
        self.path = path
        self._header = _header(source_sha256)
        self._size = 0
        self.lines: list[Line] = self._read() if path.exists() else []

    def append(self, line: Line) -> None:
        """Write one line and wait until the disk has it. Whatever goes wrong, the file stays as it was."""
        new = [line] if self._size else [self._header, line]
        content = "".join(json.dumps(each, allow_nan=False) + "\n" for each in new).encode()
        with open(self.path, "ab", buffering=0) as file:  # a buffer would write its rest after the cut
            if file.tell() != self._size:
                raise InputError(f"{self.path} was written by someone else: close the other viewer, reload")
            try:
                _write_whole(file, content)
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(self._size)
                raise
        self._size += len(content)
        self.lines.append(line)

    def _read(self) -> list[Line]:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        rows = [self._parse(number, text) for number, text in enumerate(whole.splitlines(), start=1)]
        if whole != content:
            os.truncate(self.path, len(whole))
        self._size = len(whole)
        if not rows:
            return []
        if rows[0] != self._header:
            raise InputError(
                f"{self.path}: corrections of other predictions, or of another version: move the file away, "
                "or put back what it corrects"
            )
        return rows[1:]

    def _parse(self, number: int, text: bytes) -> Line:
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise InputError(f"{self.path}, line {number}: not an edit: delete this line and those after it")
        return row


def is_of(path: Path, source_sha256: str) -> bool:
    """Whether a file is a journal of this source, by its first line."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        try:
            return json.loads(file.readline()) == _header(source_sha256)
        except ValueError:
            return False


def _header(source_sha256: str) -> Line:
    return {"irnet": "corrections", "format": FORMAT, "source_sha256": source_sha256}


def _write_whole(file: FileIO, content: bytes) -> None:
    """A disk that is nearly full takes the first part and refuses the rest."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
