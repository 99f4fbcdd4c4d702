"""Runs that are killed, stopped and resumed end at the same bits; a bad loss stops them."""

import json
import multiprocessing
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import toy_run

from irnet.config import Settings, load_recipe
from irnet.data.files import sha256
from irnet.data.locking import writing
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.inference.tensors import read_tensors
from irnet.training.run import BEST, LAST, Start
from irnet.training.train import train

START = "forkserver" if sys.platform == "linux" else "spawn"  # quick: torch is imported once


class Ended(NamedTuple):
    returncode: int
    stderr: str


def train_toy(data: Path, folder: Path, **options) -> Ended:
    """Train the toy network in a process of its own."""
    return start_toy(data, folder, **options)()


def start_toy(data: Path, folder: Path, *, number: int = 0, **options) -> Callable[[], Ended]:
    """Start such a process; what is returned waits for its end."""
    context = multiprocessing.get_context(START)
    context.set_forkserver_preload(["irnet.training.train"])
    said = folder.with_name(f"{folder.name}-said-{number}.txt")
    process = context.Process(target=toy_run.main, args=(data, folder, said, options))
    process.start()

    def wait() -> Ended:
        process.join()
        return Ended(process.exitcode, said.read_text())

    return wait


def lines(folder: Path, kind: str) -> list[dict]:
    parsed = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    timeless = [{k: v for k, v in p.items() if k not in ("time", "seconds_per_step")} for p in parsed]
    return [line for line in timeless if line["kind"] == kind]


def content(folder: Path) -> tuple[bytes, bytes]:
    return (folder / LAST).read_bytes(), (folder / BEST).read_bytes()


@pytest.fixture(scope="module")
def whole(circles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    done = train_toy(circles, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_writes_weights_log_and_recipe(whole: Path):
    assert [line["step"] for line in lines(whole, "train")] == list(range(1, 9))
    assert [line["step"] for line in lines(whole, "validation")] == [4, 8]
    assert {"loss", "loss/cls", "loss/box", "gradient_norm", "gamma"} <= lines(whole, "train")[0].keys()
    assert json.loads((whole / "recipe.json").read_text())["train"]["steps"] == 8
    _, meta = read_tensors(whole / BEST)
    assert meta["trained"]["steps"] == 8


def test_a_run_leaves_the_card_of_its_weights(whole: Path):
    card, trained = (whole / "best.md").read_text(), read_tensors(whole / BEST)[1]["trained"]
    assert sha256(whole / BEST) in card
    assert f"after step {trained['step']} of 8" in card
    assert f"{trained['step'] * 4} of them seen" in card
    assert "min for 8 steps" in card
    assert f"SHA-256 {trained['data']['sha256']}" in card
    assert trained["scores"]["images"] == trained["data"]["validation"]["images"] == 2
    assert "2 images of 1 patient: too few for intervals" in card


def test_a_card_that_was_not_written_in_time_is_made_up_for(circles: Path, whole: Path, tmp_path: Path):
    for name in (LAST, BEST, "log.jsonl"):
        shutil.copy(whole / name, tmp_path)
    assert train_toy(circles, tmp_path, resume=True).returncode == 0
    assert (tmp_path / "best.md").read_text() == (whole / "best.md").read_text()


@pytest.mark.parametrize(
    "end",
    [{"kill_step": 1}, {"kill_step": 5}, {"kill_step": 8}, {"kill_save": 1}, {"kill_save": 2}],
    ids=lambda end: "-".join(map(str, *end.items())),
)
def test_a_killed_run_ends_at_the_same_bits(circles: Path, whole: Path, tmp_path: Path, end: dict):
    assert train_toy(circles, tmp_path, **end).returncode == -signal.SIGKILL
    done = train_toy(circles, tmp_path, resume=True)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == content(whole)
    assert sha256(tmp_path / BEST) in (tmp_path / "best.md").read_text()
    assert lines(tmp_path, "train") == lines(whole, "train")
    assert not list(tmp_path.glob(".*"))


def test_sigterm_finishes_the_step_saves_and_exits_well(circles: Path, whole: Path, tmp_path: Path):
    stopped = train_toy(circles, tmp_path, term_step=5)
    assert stopped.returncode == 0, stopped.stderr
    assert read_tensors(tmp_path / LAST)[1]["step"] == 5
    assert "stopped at step 5" in stopped.stderr
    assert train_toy(circles, tmp_path, resume=True).returncode == 0
    assert content(tmp_path) == content(whole)


HOOKED = pytest.mark.skipif(START != "forkserver", reason="hooks what a fork server starts")


@HOOKED
@pytest.mark.parametrize("started", [0, 1, 2])
def test_a_stop_of_the_whole_group_spares_workers_that_start(
    circles: Path, whole: Path, tmp_path: Path, started: int
):
    stopped = train_toy(circles, tmp_path, term_group=started, set=["train.workers=2"])
    assert (stopped.returncode, stopped.stderr) == (0, "stopped at step 0; --resume goes on from there\n")
    assert train_toy(circles, tmp_path, resume=True).returncode == 0
    assert lines(tmp_path, "train") == lines(whole, "train")


@HOOKED
def test_a_stop_of_the_whole_group_spares_those_that_draw_for_validation(circles: Path, tmp_path: Path):
    drawn = ["data.source=generated", "data.generated.size=200", "train.workers=1", "train.steps=1"]
    stopped = train_toy(circles, tmp_path, term_group=2, set=[*drawn, "train.validate_images=1"])
    assert stopped.returncode == 0, stopped.stderr
    assert [line["step"] for line in lines(tmp_path, "validation")] == [1]


def test_workers_change_nothing(circles: Path, whole: Path, tmp_path: Path):
    done = train_toy(circles, tmp_path, set=["train.workers=2"])
    assert done.returncode == 0, done.stderr
    assert lines(tmp_path, "train") == lines(whole, "train")


def test_a_loss_that_is_not_finite_stops_the_run(circles: Path, tmp_path: Path):
    stopped = train_toy(circles, tmp_path, nan_pass=10)  # second pass of step 5
    assert stopped.returncode == 1
    record = json.loads((tmp_path / "not_finite.json").read_text())
    assert record["step"] == 4
    assert record["losses"]["loss/cls"] == "nan"
    assert len(record["items"]) == 2
    assert read_tensors(tmp_path / LAST)[1]["step"] == 3


def test_a_time_budget_is_fixed_once_and_kept(circles: Path, tmp_path: Path):
    rare = ["train.checkpoint_every=9999", "train.validate_every=9999"]
    killed = train_toy(circles, tmp_path, time_s=2.5, set=rare, kill_save=2)  # the first save fixes the steps
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = read_tensors(tmp_path / LAST)[1]
    steps = state["steps"]
    assert steps > state["step"] > 0
    done = train_toy(circles, tmp_path, time_s=1, resume=True)
    assert done.returncode == 0, done.stderr
    assert f"not 1 s: the run goes on with the steps it began with, {steps}" in done.stderr
    state = read_tensors(tmp_path / LAST)[1]
    assert (state["step"], state["steps"]) == (steps, steps)


def test_a_time_budget_that_was_never_fixed_leaves_the_steps_of_the_recipe(circles: Path, tmp_path: Path):
    stopped = train_toy(circles, tmp_path, time_s=1000, term_step=2)
    assert stopped.returncode == 0, stopped.stderr
    assert read_tensors(tmp_path / LAST)[1]["steps"] is None
    done = train_toy(circles, tmp_path, resume=True)
    assert done.returncode == 0, done.stderr
    state = read_tensors(tmp_path / LAST)[1]
    assert (state["step"], state["steps"]) == (8, 8)


def test_a_folder_in_which_another_trains_is_refused(circles: Path, tmp_path: Path):
    with (
        writing(tmp_path, "irnet train"),
        pytest.raises(InputError, match=r"irnet train \(process \d+ on .*is writing there"),
    ):
        train(load_recipe("tiny"), circles, tmp_path)


def test_two_processes_train_one_network(circles: Path, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    ranks = [{**address, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    running = [start_toy(circles, tmp_path, number=int(rank["RANK"]), torchrun=rank) for rank in ranks]
    first, second = (wait() for wait in running)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "step 8/8" in first.stderr
    assert "step" not in second.stderr
    assert "| 2 crops x 2 passes x 2 processes |" in (tmp_path / "best.md").read_text()
    assert [line["step"] for line in lines(tmp_path, "train")] == list(range(1, 9))
    assert read_tensors(tmp_path / LAST)[1]["step"] == 8


PLAIN = ["model.drm.enabled=false", "model.irm.enabled=false"]
CSPNET = [*PLAIN, "model.cspnet.enabled=true", "predict.suppression=mask", "model.cspnet.rois=16"]


@pytest.mark.parametrize("overrides", [[], CSPNET], ids=["irnet", "cspnet"])
def test_networks_resume_at_the_same_bits(circles: Path, overrides: list[str], tmp_path: Path):
    tiny = load_recipe("study-tiny", ["data.crop=64", "train.batch=1", "train.validate_images=1", *overrides])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    once, twice = tmp_path / "once", tmp_path / "twice"
    settings = tiny.model_copy(update={"train": tiny.train.model_copy(update={"validate_every": 100})})
    train(settings, circles, once, steps=3, device="cpu")
    half = settings.model_copy(update={"train": settings.train.model_copy(update={"checkpoint_every": 1})})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("irnet.training.train.stop_requested", _stop_after(2))
        assert not train(half, circles, twice, steps=3, device="cpu").finished
    assert train(half, circles, twice, Start(resume=True), steps=3, device="cpu").finished
    tensors, again = read_tensors(once / LAST)[0], read_tensors(twice / LAST)[0]
    torch.set_num_threads(threads)
    assert tensors.keys() == again.keys()
    assert all(torch.equal(tensors[name], again[name]) for name in tensors)


def test_cspnet_forks_from_a_mask_rcnn(circles: Path, tmp_path: Path):
    small = ["data.crop=64", "train.batch=1", "train.validate_images=1"]
    trunk, fork = tmp_path / "trunk", tmp_path / "fork"
    train(load_recipe("study-tiny", [*small, *PLAIN]), circles, trunk, steps=1, device="cpu")
    settings = load_recipe("study-tiny", [*small, *CSPNET])
    train(settings, circles, fork, Start(str(trunk), parts="shared"), steps=2, device="cpu")
    (line,) = lines(fork, "init")
    assert (line["fresh"], line["left"]) == (["masks"], ["roi_heads.mask"])
    predictor = Predictor.load(fork, device="cpu")
    assert predictor.settings.method == "cspnet"
    assert read_tensors(fork / LAST)[1]["init"] == read_tensors(fork / BEST)[1]["trained"]["init"]
    assert predictor.find(np.full((96, 128, 3), 230, np.uint8)).cells.image_shape == (96, 128)


def test_a_folder_with_a_run_is_not_overwritten(circles: Path, whole: Path, tiny: Settings):
    with pytest.raises(InputError, match="--resume"):
        train(tiny, circles, whole, device="cpu")


def test_a_resumed_run_says_what_it_does_not_take(circles: Path, tmp_path: Path, capsys):
    small = load_recipe("study-tiny", ["data.crop=64", "train.batch=1", "train.validate_images=1", *PLAIN])
    train(small, circles, tmp_path / "run", Start(resume=True), steps=1, device="cpu")
    assert "no checkpoint, the run begins at step 0" in " ".join(capsys.readouterr().err.split())
    outcome = train(small, circles, tmp_path / "run", Start(resume=True), steps=2, device="cpu")
    assert (outcome.step, outcome.steps) == (1, 1)
    assert "not 2 steps: the run goes on with those it began with" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_missing_device_is_bad_input(circles: Path, tiny: Settings, tmp_path: Path):
    with pytest.raises(InputError, match="CUDA devices"):
        train(tiny, circles, tmp_path, device="cuda:7")


def _stop_after(steps: int):
    """A stand-in for `stop_requested` that asks to stop after so many steps."""

    @contextmanager
    def requested():
        asked = iter([False] * steps + [True])
        yield lambda: next(asked)

    return requested
