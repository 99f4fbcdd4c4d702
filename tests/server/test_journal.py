"""The journal: what was acknowledged is there after a crash, and nothing else is."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from irnet.errors import InputError
from irnet.server import store
from irnet.server.field import Change
from irnet.server.journal import Journal
from irnet.server.store import Review


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "corrections.jsonl"


def test_lines_come_back(path: Path) -> None:
    journal = Journal(path, source_sha256="s")
    journal.append({"op": "delete"})
    journal.append({"op": "undo"})
    assert Journal(path, source_sha256="s").lines == journal.lines == [{"op": "delete"}, {"op": "undo"}]


def test_looking_writes_nothing(path: Path) -> None:
    assert Journal(path, source_sha256="s").lines == []
    assert not path.exists()


@pytest.mark.parametrize("lost", [1, 5, 12])
def test_a_line_cut_short_is_dropped_and_writing_goes_on(path: Path, lost: int) -> None:
    journal = Journal(path, source_sha256="s")
    journal.append({"n": 1})
    journal.append({"n": "long enough"})
    path.write_bytes(path.read_bytes()[:-lost])
    again = Journal(path, source_sha256="s")
    assert again.lines == [{"n": 1}]
    again.append({"n": 3})
    assert Journal(path, source_sha256="s").lines == [{"n": 1}, {"n": 3}]


def test_a_header_cut_short_is_an_empty_journal(path: Path) -> None:
    Journal(path, source_sha256="s").append({"n": 1})
    path.write_bytes(path.read_bytes()[:9])
    again = Journal(path, source_sha256="s")
    again.append({"n": 2})
    assert Journal(path, source_sha256="s").lines == [{"n": 2}]


def test_corrections_of_other_predictions_are_refused(path: Path) -> None:
    Journal(path, source_sha256="s").append({"n": 1})
    with pytest.raises(InputError, match="other predictions"):
        Journal(path, source_sha256="t")


def test_damage_in_the_middle_is_named_by_its_line(path: Path) -> None:
    journal = Journal(path, source_sha256="s")
    journal.append({"n": 1})
    path.write_bytes(path.read_bytes().replace(b'{"n": 1}', b'{"n": 1') + b'{"n": 2}\n')
    with pytest.raises(InputError, match=r"line 2: not an edit"):
        Journal(path, source_sha256="s")


def test_two_writers_are_noticed(path: Path) -> None:
    first = Journal(path, source_sha256="s")
    first.append({"n": 1})
    second = Journal(path, source_sha256="s")
    second.append({"n": 2})
    with pytest.raises(InputError, match="someone else"):
        first.append({"n": 3})
    assert Journal(path, source_sha256="s").lines == [{"n": 1}, {"n": 2}]


def test_a_full_disk_leaves_the_journal_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path, source_sha256="s")
    journal.append({"n": 1})
    before = path.read_bytes()

    def fail(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            journal.append({"n": 2})
    assert path.read_bytes() == before
    journal.append({"n": 3})
    assert Journal(path, source_sha256="s").lines == [{"n": 1}, {"n": 3}]


FILLING_UP = """
import resource, sys
from pathlib import Path
from irnet.server.journal import Journal

path = Path(sys.argv[1])
journal = Journal(path, source_sha256="s")
journal.append({"n": 1})
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, limit[1]))
try:
    journal.append({"n": "more than there is room for"})
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    journal.append({"n": 3})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_line_of_which_a_part_was_written_leaves_nothing(path: Path) -> None:
    """The file may grow by five bytes: the system takes them and then refuses. Python ignores SIGXFSZ."""
    subprocess.run([sys.executable, "-c", FILLING_UP, path], check=True)
    assert Journal(path, source_sha256="s").lines == [{"n": 1}, {"n": 3}]


ROW = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}


@pytest.mark.parametrize(
    "line",
    [
        {"op": "reshape", "image": 1, "rows": [[1, "row"]], "finished": False},
        {"op": "reshape", "image": 1, "rows": [[1, ROW | {"id": 2}]], "finished": False},
        {"op": "reshape", "image": 1, "rows": [[1, ROW | {"image_id": 2}]], "finished": False},
        {"op": "reshape", "image": 1, "rows": [[1, ROW | {"category_id": 77}]], "finished": False},
        {"op": "reshape", "image": 1, "rows": [[1, ROW | {"cell_id": 99}]], "finished": False},
        {"op": "reshape", "image": 1, "rows": 7, "finished": False},
        {"op": "reshape", "image": [1], "rows": [], "finished": False},
        {"op": "redo", "image": 1},
        {},
    ],
    ids=str,
)
def test_a_line_that_is_no_edit_is_named(found: Path, line: dict) -> None:
    review = Review(found)
    Journal(found / "corrections.jsonl", source_sha256=review.sha256).append(line)
    with pytest.raises(InputError, match=r"corrections\.jsonl"):
        Review(found)


def test_predictions_replaced_behind_an_open_viewer_take_no_edit(found: Path) -> None:
    review, source = Review(found), found / "predictions.json"
    before = source.read_bytes()
    source.write_bytes(before.replace(b"0.9", b"0.8"))
    with pytest.raises(InputError, match="was replaced since"):
        review.edit(0, "finish", Change(rows={}, finished=True))
    assert not (found / "corrections.jsonl").exists()

    source.write_bytes(before)
    review.edit(0, "finish", Change(rows={}, finished=True))
    assert Review(found).fields[0].finished


def test_an_image_of_more_instances_than_the_page_can_show_is_refused(found: Path, monkeypatch) -> None:
    monkeypatch.setattr(store, "MOST_ROWS", 4)
    with pytest.raises(InputError, match=r"5 instances, more than the 4 that the page can show: cut it"):
        Review(found)
