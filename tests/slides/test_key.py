"""The key of a slide is that of its content: other names leave it, other bytes do not."""

from pathlib import Path

import pytest

from irnet.errors import InputError
from irnet.slides.key import CHUNK, ENDS, SPREAD, slide_key


@pytest.mark.parametrize("full", [False, True])
def test_names_of_the_slide_leave_the_key_and_bytes_do_not(tmp_path: Path, full: bool) -> None:
    size = 2 * ENDS + SPREAD * CHUNK + 5 * 2**20
    one, other = tmp_path / "a.svs", tmp_path / "b.svs"
    one.write_bytes(bytes(size))
    other.write_bytes(bytes(size))
    assert slide_key([one], full=full) == slide_key([other], full=full)
    for place in (5, ENDS + 9, size - 9):  # both ends, and the first chunk between
        changed = bytearray(size)
        changed[place] = 1
        other.write_bytes(changed)
        assert slide_key([one], full=full) != slide_key([other], full=full)
    other.write_bytes(bytes(size + 1))
    assert slide_key([one], full=full) != slide_key([other], full=full)


def test_only_the_whole_hash_sees_every_byte(tmp_path: Path) -> None:
    size = 2 * ENDS + SPREAD * CHUNK + 5 * 2**20
    file = tmp_path / "a.svs"
    file.write_bytes(bytes(size))
    parts, whole = slide_key([file]), slide_key([file], full=True)
    changed = bytearray(size)
    changed[ENDS + CHUNK + 1] = 1  # between two chunks
    file.write_bytes(changed)
    assert slide_key([file]) == parts
    assert slide_key([file], full=True) != whole


def test_files_that_belong_to_a_slide_count(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first, second = tmp_path / "a.mrxs", tmp_path / "a" / "Data.dat"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    key = slide_key([first, second])
    assert key != slide_key([first])
    second.rename(tmp_path / "a" / "Other.dat")
    with pytest.raises(InputError, match="cannot be read"):
        slide_key([first, second])
    assert slide_key([first, tmp_path / "a" / "Other.dat"]) != key
