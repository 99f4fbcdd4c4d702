"""Work that is done is never done twice, and the work of others is left alone."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from irnet.cells import Cells
from irnet.cli import main
from irnet.errors import InputError
from irnet.study import costs, jobs, protocol
from irnet.study.claims import claimed
from irnet.study.costs import COST, metered, read_cost
from irnet.study.jobs import jobs_of, predict_parts, run_rows
from irnet.study.record import Options, open_study
from irnet.study.rows import CSPNET, IRNET, JOMLS, MASK_RCNN, TABLE1
from irnet.study.scoring import TEST, VAL
from irnet.training.steps import NotFiniteError

SMALLEST = ("data.crop=64", "train.batch=1", "train.workers=0")


@pytest.fixture
def study(circles, tmp_path):
    return open_study(circles, tmp_path / "out", Options(size="tiny", seeds=2, overrides=SMALLEST))


@pytest.fixture
def done(monkeypatch) -> list[str]:
    """Jobs that ran; each finishes at once."""
    names: list[str] = []

    def finish(study, job, folder: Path, device):
        names.append(str(job))
        (folder / COST).write_text("{}")

    monkeypatch.setattr(jobs, "_run", finish)
    monkeypatch.setattr(jobs, "prepare_base", lambda *_: names.append("trunk"))
    return names


def run(study, rows, **options):
    return run_rows(study, rows, device="cpu", say=lambda _: None, **options)


def test_finished_jobs_are_not_run_again(study, done):
    assert run(study, [MASK_RCNN], seeds=1) == []
    assert run(study, [JOMLS, MASK_RCNN]) == []
    assert done == ["trunk", "Mask R-CNN, seed 0", "trunk", "JOMLS", "Mask R-CNN, seed 1"]
    assert run(study, [JOMLS, MASK_RCNN]) == []
    assert len(done) == 5  # and no base is asked for


def test_what_another_process_holds_is_passed_by(study, done):
    with claimed(study.folder("maskrcnn", 0)):
        (missing,) = run(study, [MASK_RCNN, IRNET], seeds=1)
    assert "Mask R-CNN, seed 0: held by another process" in str(missing)
    assert done == ["trunk", "IRNet, seed 0"]


def test_without_a_base_what_needs_none_is_run(study, done, monkeypatch):
    monkeypatch.setattr(jobs, "prepare_base", protocol.prepare_base)
    with claimed(study.base):
        missing = run(study, [JOMLS, MASK_RCNN], seeds=1)
    assert done == ["JOMLS"]
    assert [one.job.row for one in missing] == [MASK_RCNN]
    assert "the trunk is not ready" in missing[0].reason


def test_a_row_that_fails_is_told_of_and_the_others_go_on(study, done, monkeypatch):
    finish = jobs._run

    def fail(study, job, folder, device):
        if job.row is MASK_RCNN:
            raise NotFiniteError({"losses": {"cls": "nan"}, "gradient_norm": None})
        finish(study, job, folder, device)

    monkeypatch.setattr(jobs, "_run", fail)
    (missing,) = run(study, [MASK_RCNN, IRNET], seeds=1)
    assert "failed (loss not finite" in str(missing)
    assert done == ["trunk", "IRNet, seed 0"]


def test_from_scratch_no_base_is_trained(circles, tmp_path, done):
    study = open_study(circles, tmp_path, Options(size="tiny", seeds=1, protocol="scratch"))
    assert run(study, [MASK_RCNN]) == []
    assert done == ["Mask R-CNN, seed 0"]


def test_predictions_of_both_parts_and_their_cost(study, tmp_path):
    def find(image, mpp):
        assert mpp == pytest.approx(0.37)
        return Cells.empty(image.shape[:2], mpp)

    parts = study.parts
    cost = predict_parts(tmp_path, find, parts.val, parts.test, torch.device("cpu"))
    names = [image["file_name"] for image in json.loads((tmp_path / TEST).read_text())["images"]]
    assert names == parts.names()["test"]
    assert (tmp_path / VAL).exists()
    assert cost["device"] == "cpu"
    assert cost["predict_peak_mb"] > 10
    assert cost["seconds_per_image"] >= 0


def test_a_meter_counts():
    with metered(torch.device("cpu")) as meter:
        sum(range(10**5))
    assert meter.seconds > 0
    assert meter.peak_mb > 10


@pytest.mark.parametrize(("platform", "unit"), [("darwin", 1), ("freebsd", 1024)])
def test_peaks_without_proc_are_in_the_unit_of_the_system(monkeypatch, platform, unit):
    resource = pytest.importorskip("resource")

    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(costs, "Path", lambda _: SimpleNamespace(read_text=missing, write_text=missing))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=3 * 2**20))
    with metered(torch.device("cpu")) as meter:
        pass
    assert meter.peak_mb == 3 * unit


def test_forks_start_from_the_base_and_see_the_same_crops(study):
    """The real thing at its smallest: base, a fork, its control, and a run that was stopped."""
    device, steps = "cpu", dict(study.record)
    steps |= {"trunk_steps": 2, "steps": 2}
    object.__setattr__(study, "record", steps)
    assert run(study, [MASK_RCNN, IRNET], seeds=1) == []
    costs = [read_cost(study.folder(key, 0)) for key in ("maskrcnn", "irnet")]
    assert [cost["train_steps"] for cost in costs] == [2, 2]
    assert costs[0]["base"] == costs[1]["base"]
    assert costs[1]["parameters"] > costs[0]["parameters"]
    logs = [(study.folder(key, 0) / "run" / "log.jsonl").read_text() for key in ("maskrcnn", "irnet")]
    fresh = [json.loads(log.splitlines()[0])["fresh"] for log in logs]
    assert fresh[0] == []
    assert "roi_heads.box.drm" in fresh[1]
    assert "roi_heads.mask.irm" in fresh[1]
    settings = [protocol.row_settings(study, row, 1) for row in (MASK_RCNN, IRNET)]
    assert settings[0].train == settings[1].train
    assert settings[0].data == settings[1].data
    assert settings[0].train.seed == 1
    assert run_rows(study, [MASK_RCNN], seeds=1, device=device, say=lambda _: None) == []


def test_cspnet_is_a_recipe_of_every_size(study):
    assert protocol.row_settings(study, CSPNET, 0).method == "cspnet"


def test_a_run_that_was_stopped_stops_the_study(study, monkeypatch):
    from irnet.training.train import Outcome

    monkeypatch.setattr(protocol, "train", lambda *_, **__: Outcome(3, 40, Path("best"), None))
    with pytest.raises(KeyboardInterrupt):
        run(study, [MASK_RCNN])
    assert not (study.base / "claim").exists()


def test_jobs_are_named_for_people(study):
    assert [str(job) for job in jobs_of(study, [JOMLS, IRNET])] == ["JOMLS", "IRNet, seed 0", "IRNet, seed 1"]


def test_the_verb_tells_of_an_unknown_row(circles, tmp_path, capsys):
    words = [
        "study",
        "table1",
        "--data",
        str(circles),
        "-o",
        str(tmp_path),
        "--size",
        "tiny",
        "--rows",
        "unet",
    ]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "choose from jomls" in capsys.readouterr().err


TOY = ("--size", "tiny", "--seeds", "1", "--steps", "3", "--trunk-steps", "3")


@pytest.mark.slow
def test_the_whole_of_table_1_and_figure_3(tmp_path, capsys):
    """Generated fields, every row, one seed: the verb from nothing to the written files."""
    from irnet.synthetic import generate_set

    generate_set(tmp_path / "set", images=6, patients=6, seed=1, size=(256, 256), mpp=0.37, layout="dense")
    for what in ("table1", "fig3"):
        options = ["--data", str(tmp_path / "set"), "-o", str(tmp_path / "out"), "--device", "cpu"]
        with pytest.raises(SystemExit) as ended:
            main(["study", what, *options, *TOY])
        assert ended.value.code in (0, None)
    page = (tmp_path / "out" / "table1.md").read_text()
    assert all((f"| {row.title} |" in page) != row.asked for row in TABLE1)
    assert (tmp_path / "out" / "fig3.png").exists()
    assert "Missing" not in page
    with pytest.raises(InputError, match="seeds was 1 and is 3"):
        open_study(tmp_path / "set", tmp_path / "out", Options(seeds=3))
