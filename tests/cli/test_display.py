"""Progress on a terminal, and in a log."""

import os
import pty
import subprocess
import sys
import time

import pytest

from irnet.cli import display
from irnet.cli.display import describe, fraction, showing, time_left
from irnet.progress import Stage, each, stage, tell


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "GRACE", 0.05)


def test_long_work_is_told_in_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with showing():
        for _ in each(["a.png", "b.png"], "segmenting", str):
            time.sleep(0.2)
    said = capsys.readouterr()
    assert said.err.splitlines() == ["segmenting [1/2] a.png"]  # the next would come after 10 s
    assert said.out == ""


def test_one_long_step_is_told_and_its_inner_steps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "PAUSE", 0.1)
    with showing(), stage("loading"):
        for _ in each(range(2), "part"):
            time.sleep(0.3)
    lines = capsys.readouterr().err.splitlines()
    assert {"loading, part [1/2]", "loading, part [2/2]"} <= set(lines)
    assert len(lines) <= 7


def test_short_work_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with showing():
        assert list(each("ab", "reading")) == ["a", "b"]
        tell("found", error=False)
        tell("lost", error=True)
    assert capsys.readouterr() == ("found\n", "lost\n")


def test_of_several_processes_the_first_tells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with showing(), stage("training"):
        time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_time_left_is_that_of_the_present_step_and_of_those_to_come() -> None:
    images = Stage("segmenting", total=4, done=2, item="large.png", begun=0.0, since=20.0)  # 10 s each
    assert time_left([images], 24.0) == 6 + 10
    windows = Stage("window", total=10, done=3, begun=20.0, since=80.0)  # 20 s each
    assert time_left([images, windows], 85.0) == (15 + 6 * 20) + 10
    assert describe([images, windows], 85.0) == "segmenting [3/4] large.png, window [4/10], 2:25 left"

    first = Stage("segmenting", total=3, begun=0.0, since=0.0)
    assert time_left([first], 5.0) is None
    assert time_left([first, Stage("window", total=2, done=1, begun=0.0, since=6.0)], 6.0) == 6 + 2 * 12
    assert describe([Stage("reading", begun=0.0)], 10.0) == "reading"


def test_what_was_done_before_does_not_count() -> None:
    resumed = Stage("training", total=100, done=60, first=50, begun=0.0, since=20.0)
    assert fraction([resumed]) == 0.2
    assert describe([resumed], 20.0) == "training [61/100], 1:20 left"
    assert fraction([Stage("reading", total=2, done=2, first=2)]) == 0.0


WORK = """
import sys, time
from irnet.cli import display
from irnet.progress import each, stage, tell
display.GRACE = 0.0
with display.showing():
    for _ in each(range(3), "segmenting"):
        time.sleep(0.3)
        tell("a line")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_gets_a_bar_that_goes_away_and_stdout_stays_a_file(tmp_path) -> None:
    ours, theirs = pty.openpty()
    with open(tmp_path / "out", "wb") as out:
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
        subprocess.run([sys.executable, "-c", WORK], stdout=out, stderr=theirs, env=environment, check=True)
    os.close(theirs)
    shown = b""
    while part := _read(ours):
        shown += part
    os.close(ours)
    assert b"segmenting [2/3]" in shown
    assert b"\x1b[2K" in shown.rpartition(b"segmenting")[2]  # the bar is wiped
    assert (tmp_path / "out").read_text() == "a line\n" * 3


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_what_is_told_beside_a_bar_has_a_line_of_its_own() -> None:
    work = (
        WORK
        + """
with display.showing(), stage("loading"):
    time.sleep(0.3)
    tell("lost", error=True)
"""
    )
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", work], stdout=theirs, stderr=theirs, env=environment, check=True)
    os.close(theirs)
    shown = b""
    while part := _read(ours):
        shown += part
    os.close(ours)
    assert shown.count(b"\x1b[2Ka line\r\n") == 3
    assert shown.count(b"\x1b[2Klost\r\n") == 1


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: nobody writes any more
        return b""
