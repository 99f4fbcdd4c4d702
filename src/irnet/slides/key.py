"""What tells a slide from others: sizes of its files, and SHA-256 of parts of them: slides have gigabytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from irnet.errors import InputError

ENDS, SPREAD, CHUNK = 2**20, 64, 2**16  # bytes of both ends; how many chunks between them, of how many bytes


def slide_key(files: Sequence[Path], *, full: bool = False) -> str:
    """SHA-256 of the files of a slide, as hexadecimal text: of all of them (`full`), or of parts.

    Parts are the first and the last MiB of each file and 64 chunks of 64 KiB between. The name of the first
    file does not count, those of the others do, for they are found by it. Raises InputError.
    """
    digest = hashlib.sha256(b"full" if full else b"parts")
    for number, file in enumerate(files):
        name = file.relative_to(files[0].parent).as_posix() if number else ""
        try:
            size = file.stat().st_size
            digest.update(f"\0{name}\0{size}\0".encode())
            for part in _parts(file, size, full):
                digest.update(part)
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def _parts(file: Path, size: int, full: bool) -> Iterator[bytes]:
    with open(file, "rb") as opened:
        if full or size <= 2 * ENDS + SPREAD * CHUNK:
            while part := opened.read(ENDS):
                yield part
            return
        yield opened.read(ENDS)
        for number in range(SPREAD):
            opened.seek(ENDS + number * (size - 2 * ENDS - CHUNK) // (SPREAD - 1))
            yield opened.read(CHUNK)
        opened.seek(size - ENDS)
        yield opened.read(ENDS)
