"""One writer at a time in a folder, and nobody held up by one that was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from irnet.data.locking import LOCK, writing
from irnet.errors import InputError

HOLD = "import sys\nfrom irnet.data.locking import writing\nwith writing(sys.argv[1], 'irnet predict'):\n"
HOLD += "    print('held', flush=True)\n    sys.stdin.read()\n"


def test_a_second_writer_is_told_who_is_there(tmp_path: Path) -> None:
    with writing(tmp_path / "out", "irnet predict"):
        refused = pytest.raises(InputError, match=rf"irnet predict \(process {os.getpid()} on .*is writing")
        with refused, writing(tmp_path / "out", "irnet measure"):
            pass
        with writing(tmp_path / "other", "irnet measure"):
            pass
    assert list(tmp_path.iterdir()) == []  # made, and nothing was written


def test_what_was_written_or_there_stays(tmp_path: Path) -> None:
    with writing(tmp_path / "a" / "b", "irnet report"):
        (tmp_path / "a" / "b" / "report.html").write_text("")
    assert [file.name for file in (tmp_path / "a" / "b").iterdir()] == ["report.html"]
    (tmp_path / "there").mkdir()
    with writing(tmp_path / "there", "irnet report"):
        pass
    assert (tmp_path / "there").exists()


def test_a_failure_frees_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), writing(tmp_path, "irnet report"):
        raise ZeroDivisionError
    with writing(tmp_path, "irnet report"):
        assert (tmp_path / LOCK).exists()


def test_the_lock_falls_with_its_process(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    refused = pytest.raises(InputError, match=rf"irnet predict \(process {holder.pid} ")
    with refused, writing(tmp_path, "irnet measure"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert (tmp_path / LOCK).exists()
    with writing(tmp_path, "irnet measure"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_where_locks_are_unknown_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_file: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("irnet.data.locking._lock_file", refuse)
    with writing(tmp_path, "irnet measure"):
        assert "let one irnet at a time write there" in caplog.text
