"""0 done, 1 our fault, 2 bad input; a traceback goes to a file and never to the screen."""

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGINT, SIGTERM, default_int_handler, getsignal, raise_signal, signal

import pytest

from irnet.errors import InputError
from irnet.verbs import doctor


def fail_with(error: BaseException):
    def examine():
        raise error

    return examine


def test_bad_input_is_said_without_a_traceback(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", fail_with(InputError("a.png: no image: save it again")))
    ran = run("doctor")
    assert ran.code == 2
    assert ran.err == "irnet: a.png: no image: save it again\n"


def test_our_fault_leaves_its_traceback_in_a_file(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(doctor, "examine", fail_with(RuntimeError("out of luck")))
    ran = run("doctor")
    assert ran.code == 1
    assert "RuntimeError: out of luck" in ran.err
    assert "Traceback" not in ran.err
    (log,) = tmp_path.glob("irnet-*.log")
    assert str(log) in ran.err
    assert "Traceback" in log.read_text()


def test_control_c_ends_quietly(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", fail_with(KeyboardInterrupt()))
    ran = run("doctor")
    assert ran.code == 130
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("args", [["nonsense"], ["predict"], ["predict", "a.png"], ["train", "--steps", "x"]])
def test_a_wrong_command_line_is_bad_input(run, args: list[str]) -> None:
    assert run(*args).code == 2


def test_two_scales_are_refused(run) -> None:
    ran = run("predict", "a.png", "-o", "found", "--keep-scale", "--scale", "2")
    assert (ran.code, ran.err) == (2, "irnet: --keep-scale is --scale 1, not 2: leave it out\n")


@pytest.mark.parametrize(
    "args",
    [
        ["predict", "a.png"],
        ["train", "smears"],
        ["evaluate", "found", "smears"],
        ["export", "found", "--to", "csv"],
        ["data", "convert", "source", "--from", "cvat"],
        ["study", "table1"],
        ["demo"],
        ["synth"],
    ],
)
def test_a_file_is_no_folder_to_write_to(run, tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "file").touch()
    ran = run(*args, "-o", tmp_path / "file")
    assert ran.code == 2
    assert ran.err.startswith(f"irnet: {tmp_path / 'file'}: cannot be written")


@pytest.mark.parametrize("args", [["report", "found"], ["calibrate", "bundled", "smears"]])
def test_no_file_stands_within_a_file(run, tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "file").touch()
    ran = run(*args, "-o", tmp_path / "file" / "new.html")
    assert ran.code == 2
    assert ran.err.startswith(f"irnet: {tmp_path / 'file'}: cannot be written")


def test_the_module_runs_too() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "irnet", "--version"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("number", "code", "word"), [(SIGINT, 130, "interrupted"), (SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_with_a_line_and_its_code(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, code: int, word: str
) -> None:
    before = getsignal(SIGTERM)
    signal(SIGINT, default_int_handler)  # a process in the background may have been told to ignore it
    monkeypatch.setattr("irnet.verbs.predict_files.predict_files", lambda *_, **__: raise_signal(number))
    ran = run("predict", tmp_path, "-o", tmp_path / "out")
    assert (ran.code, ran.err) == (code, f"irnet: {word}\n")
    assert getsignal(SIGTERM) == before


@pytest.mark.skipif(os.name == "nt", reason="no POSIX signals")
def test_sigterm_before_a_verb_begins_ends_the_process() -> None:
    stop = "cli._Verbs.make_context = lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)"
    code = f"import os, signal; from irnet import cli; {stop}; cli.main(['doctor'])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (-SIGTERM, "")


def test_a_picture_is_no_data_set(run, smears: Path) -> None:
    ran = run("report", next((smears / "images").iterdir()))
    assert (ran.code, "a picture; 'irnet predict' finds its cells" in ran.err) == (2, True)


def test_images_of_a_review_that_are_not_there_are_named(run, smears: Path, tmp_path: Path) -> None:
    ran = run("view", smears, "--data", tmp_path / "nothere")
    assert (ran.code, "nothere: no such file or folder" in ran.err) == (2, True)
