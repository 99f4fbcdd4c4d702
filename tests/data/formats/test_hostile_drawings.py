"""Damaged files of other tools: each is read or refused by name."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from format_scenes import place, smear

from irnet.data.formats import cvat, imagej, labelme, labels, qupath
from irnet.errors import InputError

CASES = 150
WRITERS: dict[str, Callable] = {
    "a.geojson": lambda path, entry: qupath.write(path, entry),
    "a.zip": lambda path, entry: imagej.write(path, entry),
    "a.json": lambda path, entry: labelme.write(path, entry),
    "b.json": lambda path, entry: labelme.write(path, entry, style="masks"),
    "a.xml": lambda path, entry: cvat.write(path, [entry]),
    "a_cells.tif": lambda path, entry: labels.write(path.with_name("a"), entry.truth.cells),
}
READERS = {".geojson": qupath.read, ".zip": imagej.read, ".json": labelme.read, ".xml": cvat.read}
READERS |= {".tif": labels.read}
TOKENS = [
    b"",
    b"[",
    b"{",
    b'"',
    b"-",
    b"9" * 30,
    b"1e999",
    b"NaN",
    b"null",
    b"<",
    b"&lol;",
    b"\0",
    b"\xff",
    b"\\",
]


def damage(content: bytes, rng: random.Random) -> bytes:
    """A few bytes replaced, cut out or put in; or the end cut off."""
    at = rng.randrange(len(content))
    match rng.randrange(4):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
        case 2:
            return content[:at] + content[at + rng.randrange(1, 40) :]
    return content[:at] + rng.choice(TOKENS) + content[at + rng.randrange(9) :]


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_drawings_are_read_or_refused(tmp_path: Path, name: str) -> None:
    file, rng, messages = tmp_path / name, random.Random(name), []
    WRITERS[name](file, place(tmp_path, smear()))
    content = file.read_bytes()
    for _ in range(CASES):
        file.write_bytes(damage(content, rng))
        try:
            READERS[file.suffix](tmp_path)
        except InputError as error:
            messages.append(str(error))
    assert [message for message in messages if name not in message] == []
    assert len(messages) > CASES // 10
