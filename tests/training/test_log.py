"""The log of a run."""

import json
import math
from pathlib import Path

import pytest

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.progress import Stage, listening
from irnet.training.log import LOG_NAME, RunLog, cut_log, read_log, training_seconds
from irnet.training.scores import Validation


def read(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / LOG_NAME).read_text().splitlines()]


def test_means_are_written_every_few_steps_and_at_the_end(tmp_path: Path):
    with RunLog(tmp_path, steps=5, every=2) as log:
        for step in range(1, 6):
            log.step(step, {"loss": float(step)})
    lines = read(tmp_path)
    assert [(line["step"], line["loss"]) for line in lines] == [(2, 1.5), (4, 3.5), (5, 5.0)]
    assert all(line["seconds_per_step"] >= 0 for line in lines)


def test_plain_lines_tell_losses_and_the_time_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with RunLog(tmp_path, steps=2, every=1) as log:
        log.step(1, {"loss": 2.0, "loss/cls": 1.25, "gamma": 0.5})
    said = capsys.readouterr().err
    assert "step 1/2" in said
    assert "cls 1.250" in said
    assert "left" in said
    assert "gamma" not in said


def test_the_first_weights_are_written_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    origin = {"source": "best.safetensors", "sha256": "ab", "fresh": ["masks"], "left": []}
    with RunLog(tmp_path, steps=2, every=1) as log:
        log.init(origin)
    (line,) = read(tmp_path)
    assert line.items() >= {"kind": "init", "step": 0, **origin}.items()
    assert capsys.readouterr().err.strip() == "from best.safetensors; fresh: masks"


def test_validations_are_written_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with RunLog(tmp_path, steps=2, every=1) as log:
        log.validation(2, Validation({CYTOPLASM: 0.4, NUCLEUS: 0.6}, {"nucleus/AJI": 0.75}, 0.25))
    line = read(tmp_path)[0]
    assert (line["merit"], line["nucleus/AJI"], line["cut/nucleus"]) == (0.25, 0.75, 0.6)
    assert "nucleus/AJI 0.750" in capsys.readouterr().err


def test_other_ranks_are_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with RunLog(tmp_path, steps=1, every=1, silent=True) as log:
        log.step(1, {"loss": 1.0})
        log.say("hello")
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


def test_what_is_not_a_number_stays_json(tmp_path: Path):
    with RunLog(tmp_path, steps=1, every=1) as log:
        log.write("train", 1, {"loss": math.nan, "parts": [math.inf, 1.0]})
    assert read(tmp_path)[0]["loss"] is None
    assert read(tmp_path)[0]["parts"] == [None, 1.0]


def test_a_resumed_run_drops_later_lines_and_a_torn_one(tmp_path: Path):
    lines = [json.dumps({"step": step}) for step in (1, 2, 3)]
    (tmp_path / LOG_NAME).write_text("\n".join(lines) + '\n{"step": 4, "lo')
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2, 3]
    cut_log(tmp_path, 2)
    assert [line["step"] for line in read(tmp_path)] == [1, 2]


def test_a_line_that_lost_its_end_of_line_alone_stands_by_itself(tmp_path: Path):
    (tmp_path / LOG_NAME).write_text('{"step": 1}\n{"step": 2}')
    cut_log(tmp_path, 2)
    with RunLog(tmp_path, steps=3, every=1) as log:
        log.write("train", 3, {})
    assert [line["step"] for line in read(tmp_path)] == [1, 2, 3]


def test_tensorboard_gets_the_numbers(tmp_path: Path):
    pytest.importorskip("tensorboard")
    with RunLog(tmp_path, steps=1, every=1, tensorboard=True) as log:
        log.step(1, {"loss": 1.0})
    assert list((tmp_path / "tensorboard").iterdir())


def test_seconds_of_training_are_those_of_its_steps():
    lines = [
        {"kind": "init", "step": 0},
        {"kind": "train", "step": 10, "seconds_per_step": 0.5},
        {"kind": "validation", "step": 10, "merit": 0.3},
        {"kind": "train", "step": 12, "seconds_per_step": 1.0},
    ]
    assert training_seconds(lines) == 7
    assert training_seconds([]) == 0


def test_where_progress_is_shown_it_says_the_step_and_the_loss(tmp_path: Path) -> None:
    class Shown:
        def __init__(self) -> None:
            self.stages: list[Stage] = []

        def changed(self) -> None:
            pass

        def tell(self, text: str, *, error: bool) -> None:
            pass

    with listening(Shown()) as shown, RunLog(tmp_path, steps=30, every=1) as log:
        for step in (21, 22):
            log.step(step, {"loss": 1.5, "loss/box": 0.5})
        (training,) = shown.stages
        assert (training.what, training.first, training.done, training.total) == ("training", 20, 22, 30)
        assert training.item == "loss 1.500"
    assert shown.stages == []
