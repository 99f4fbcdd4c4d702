"""From annotations to a network to cells to scores, at toy size; and how each step refuses bad input."""

import json
from pathlib import Path

import pytest
from PIL import Image

from irnet.config import Settings
from irnet.inference import weights
from irnet.training import train as training
from irnet.training.run import Start
from irnet.training.train import Outcome

MPP = 0.37
TINY = ("--recipe", "tiny", "--set", "data.crop=64", "--set", "train.workers=0", "--device", "cpu")


def test_train_writes_weights_and_resumes(run, smears: Path, network: Path) -> None:
    assert {"best.safetensors", "last.safetensors", "recipe.json", "log.jsonl"} <= {
        file.name for file in network.iterdir()
    }
    again = run("train", smears, "-o", network, *TINY, "--steps", "2")
    assert again.code == 2
    assert "--resume" in again.err
    resumed = run("train", smears, "-o", network, *TINY, "--resume")
    assert resumed.code == 0
    assert "step 2 of 2" in resumed.out


def test_options_reach_the_training(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {}

    def record(settings: Settings, data: Path, folder: Path, start: Start, **options: object) -> Outcome:
        given.update(options, start=start, seed=settings.train.seed, precision=settings.train.precision)
        return Outcome(step=3, steps=3, best=folder / "best.safetensors", merit=None)

    monkeypatch.setattr(training, "train", record)
    args = ("--seed", "7", "--precision", "bf16", "--time", "25m", "--init", "bundled", "--resume")
    assert run("train", "data", "-o", tmp_path, *args).code == 0
    assert given == {
        "seed": 7,
        "precision": "bf16",
        "time_s": 1500.0,
        "steps": None,
        "start": Start("bundled", resume=True),
        "device": "auto",
        "unlabelled": None,
    }


def test_a_run_stopped_before_its_first_validation_names_no_weights(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(training, "train", lambda *_, **__: Outcome(step=1, steps=3, best=None, merit=None))
    ran = run("train", "data", "-o", tmp_path)
    assert ran.code == 0
    assert ran.out.startswith("step 1 of 3; weights: none yet")
    assert "--resume" in ran.out
    assert "best.safetensors" not in ran.out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--recipe", "nonsense"], "unknown recipe"),
        (["--set", "train.lrr=1"], "train.lr"),
        (["--time", "soon"], "25m"),
        (["--time", "5m", "--steps", "3"], "exclude"),
        (["--init", "missing.safetensors"], "missing.safetensors"),
        (["--device", "cuda:99"], "cuda:99"),
    ],
)
def test_train_refuses(run, smears: Path, tmp_path: Path, args: list[str], message: str) -> None:
    given = [] if "--recipe" in args else ["--recipe", "tiny"]
    ran = run("train", smears, "-o", tmp_path / "run", *given, *args)
    assert ran.code == 2
    assert message in ran.err


def test_train_needs_data_unless_the_recipe_draws_it(run, tmp_path: Path) -> None:
    ran = run("train", "-o", tmp_path / "run", "--recipe", "tiny")
    assert ran.code == 2
    assert "data.source" in ran.err


def test_predict_writes_everything(run, smears: Path, network: Path, tmp_path: Path) -> None:
    out = tmp_path / "found"
    ran = run("predict", smears / "images", "-o", out, "--model", network, "--mpp", MPP)
    assert ran.code == 0
    assert "0.png: cytoplasm" in ran.out
    assert "scores kept from: cytoplasm" in ran.out
    assert {path.name for path in out.iterdir()} == {
        "predictions.json",
        "overlays",
        "cells.csv",
        "images.csv",
        "run.json",
        "errors.json",
    }
    assert len(json.loads((out / "predictions.json").read_text())["images"]) == 3
    assert "nucleus_cell_ratio" in (out / "cells.csv").read_text().splitlines()[0]
    assert json.loads((out / "errors.json").read_text()) == []
    with Image.open(out / "overlays" / "0.png") as drawn:
        assert drawn.size == (160, 160)


def test_a_bad_file_is_reported_and_the_rest_goes_on(
    run, smears: Path, network: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    ran = run("predict", smears / "images" / "0.png", bad, "-o", tmp_path / "out", "--model", network)
    assert ran.code == 3
    assert str(bad) in ran.err
    assert json.loads((tmp_path / "out" / "errors.json").read_text())[0]["file"] == str(bad)
    assert ran.out.endswith(f"written to {tmp_path / 'out'}\n")
    none = run("predict", bad, "-o", tmp_path / "none", "--model", network)
    assert (none.code, str(bad) in none.err, "written" in none.out) == (2, True, False)


@pytest.mark.parametrize(
    "args", [["--score", "2"], ["--mpp", "25"], ["--save", "tiff"], ["--model", "none.safetensors"]]
)
def test_predict_refuses(run, smears: Path, network: Path, tmp_path: Path, args: list[str]) -> None:
    given = [] if "--model" in args else ["--model", network]
    assert run("predict", smears / "images", "-o", tmp_path / "out", *given, *args).code == 2


def test_evaluate_scores_predictions_and_networks(run, smears: Path, network: Path, tmp_path: Path) -> None:
    assert run("predict", smears / "images", "-o", tmp_path / "found", "--model", network).code == 0
    for source, out in ((tmp_path / "found", "a"), (network, "b"), (smears / "annotations.json", "c")):
        ran = run("evaluate", source, smears, "-o", tmp_path / out, "--device", "cpu")
        assert ran.code == 0
        assert "AJI, pooled" in ran.out
    perfect = json.loads((tmp_path / "c" / "summary.json").read_text())
    assert perfect["classes"]["cytoplasm"]["scores"]["aji"]["pooled"]["value"] == 1


def test_calibrate_needs_something_that_is_found(run, smears: Path, network: Path, tmp_path: Path) -> None:
    """The network of two steps finds nothing, so its thresholds stay, and nothing is written."""
    ran = run("calibrate", network, smears, "-o", tmp_path / "mine.safetensors", "--device", "cpu")
    assert ran.code == 2
    assert "nothing annotated on these images is found" in ran.err
    assert not (tmp_path / "mine.safetensors").exists()


@pytest.mark.weights
def test_calibrated_weights_predict_from_the_threshold_on(run, smears: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.safetensors"
    ran = run("calibrate", "bundled", smears, "-o", mine, "--device", "cpu")
    assert ran.code == 0
    assert "cytoplasm: " in ran.out
    assert run("predict", smears / "images", "-o", tmp_path / "found", "--model", mine).code == 0
    record = json.loads((tmp_path / "found" / "run.json").read_text())
    text = mine.with_suffix(".md").read_text(encoding="utf-8")
    assert set(record["scores"]) == {"cytoplasm", "nucleus"}
    for name, score in record["scores"].items():
        assert f"| {name} | {score:g} |" in text


def test_evaluate_refuses_predictions_of_other_images(run, smears: Path, tmp_path: Path) -> None:
    data = json.loads((smears / "annotations.json").read_text())
    data["images"][0]["file_name"] = "other.png"
    other = tmp_path / "other.json"
    other.write_text(json.dumps(data))
    assert run("evaluate", other, smears, "-o", tmp_path / "out").code == 2


def test_demo_without_weights_says_so(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "none.safetensors")
    ran = run("demo", "-o", tmp_path / "demo")
    assert ran.code == 2
    assert "no bundled weights" in ran.err


def test_demo_with_any_network_draws_and_scores(run, network: Path, tmp_path: Path) -> None:
    ran = run("demo", "-o", tmp_path / "demo", "--model", network, "--device", "cpu")
    assert ran.code == 0
    assert "generated" in ran.out
    assert "cytoplasm: AJI 0.000" in ran.out
    with Image.open(tmp_path / "demo" / "demo.png") as drawn:
        assert drawn.size == (3016, 1034)
    for path in ("data/annotations.json", "found/predictions.json", "scores/table.txt"):
        assert (tmp_path / "demo" / path).exists()
    for page in ("found/report.html", "scores/report.html"):
        assert str(tmp_path / "demo" / page) in ran.out
        assert (tmp_path / "demo" / page).read_text(encoding="utf-8").endswith("</html>\n")
