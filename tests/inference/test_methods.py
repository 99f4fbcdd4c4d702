"""One door to all methods: what each is, what each refuses, and no scores where there are none."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import PIL.Image
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.cli.predict import Finder
from irnet.config import load_recipe
from irnet.data.coco.coco import read_coco
from irnet.errors import InputError
from irnet.inference.methods import METHODS, ClassicalMethod, open_method
from irnet.inference.networks import build_network
from irnet.inference.predict import Predictor
from irnet.inference.weights import save_weights
from irnet.verbs.evaluate import evaluate
from irnet.verbs.predict_files import predict_files
from irnet.verbs.predict_options import PredictOptions

SETTINGS = {
    "irnet": [],
    "maskrcnn": ["model.drm.enabled=false", "model.irm.enabled=false"],
    "cspnet": [
        "model.cspnet.enabled=true",
        "predict.suppression=mask",
        "model.drm.enabled=false",
        "model.irm.enabled=false",
    ],
}


def save_network(folder: Path, method: str) -> Path:
    settings = load_recipe("tiny", SETTINGS[method])
    path = folder / f"{method}.safetensors"
    save_weights(path, build_network(settings, pretrained=False), settings=settings, trained={})
    return path


def find_dark(image: np.ndarray, mpp: float | None = None) -> Cells:
    """Stands in for JOMLS: one cell of all that is dark, and its darkest part as the nucleus."""
    grey = image.mean(axis=2)
    masks = np.stack([grey < 210, grey < 120])
    return Cells.from_dense(masks, [CYTOPLASM, NUCLEUS], parents=[-1, 0], mpp=mpp)


@pytest.fixture
def jomls(monkeypatch: pytest.MonkeyPatch) -> None:
    """JOMLS finds what `find_dark` does."""
    pytest.importorskip("numba")
    monkeypatch.setattr("irnet.baselines.jomls.JOMLS", lambda: find_dark)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_network_is_what_its_weights_hold(tmp_path: Path, name: str) -> None:
    path = save_network(tmp_path, name)
    for asked in (None, name):
        method = open_method(asked, path, "cpu")
        assert (method.name, method.scored, method.source) == (name, True, path)
    assert set(method.scores) == {CYTOPLASM, NUCLEUS}
    origin = method.origin()
    assert (origin["method"], len(origin["model_sha256"])) == (name, 64)
    if name == "cspnet":
        with pytest.raises(InputError, match="cspnet sees an image in one view"):
            open_method(asked, path, "cpu", views=4)
    else:
        assert open_method(asked, path, "cpu", views=4).origin()["views"] == 4
    other = next(other for other in SETTINGS if other != name)
    with pytest.raises(InputError, match=f"holds {name}, not {other}"):
        open_method(other, path, "cpu")


@pytest.mark.parametrize("name", ["maskrcnn", "cspnet"])
def test_a_network_without_bundled_weights_says_how_to_train_it(name: str) -> None:
    with pytest.raises(
        InputError, match=f"no weights of {name} are bundled: .*--model runs/{name}"
    ) as caught:
        open_method(name)
    told = str(caught.value).split(" --set ")[1:]
    changes = [change.split()[0].strip("',") for change in told]
    assert load_recipe("tiny", changes).method == name


def test_an_unknown_method_is_told_what_there_is() -> None:
    with pytest.raises(InputError, match="unknown method 'unet': choose from irnet, maskrcnn, cspnet, jomls"):
        open_method("unet")
    assert set(SETTINGS) | {"jomls"} == set(METHODS)
    choice = get_args(get_args(Finder.__annotations__["method"])[0])[0]
    assert get_args(choice) == METHODS  # help starts at once: it does not import methods to name them


def test_options_that_mean_nothing_to_jomls_are_refused(jomls: None) -> None:
    with pytest.raises(InputError, match="leave --model out"):
        open_method("jomls", "weights.safetensors")
    with pytest.raises(InputError, match="leave --device out"):
        open_method("jomls", device="cuda")
    with pytest.raises(InputError, match="leave --views out"):
        open_method("jomls", views=4)
    method = open_method("jomls", device="cpu")
    for refused, message in (({"score": 0.5}, "leave --score out"), ({"mpp": 90.0}, "out of range")):
        with pytest.raises(InputError, match=message):
            method.check(**refused)


def test_jomls_is_a_method(jomls: None) -> None:
    method = ClassicalMethod()
    image = np.full((40, 60, 3), 240, np.uint8)
    image[5:30, 5:40], image[10:20, 10:20] = 180, 60
    found = method.find(image, 0.185)
    assert found.zoom == pytest.approx(0.5)
    assert method.choose(found.cells).parents.tolist() == [-1, 0]
    assert method(image).areas.tolist() == [25 * 35, 100]
    assert "unknown" in method.find(image).notes[0]
    assert (method.scores, method.scored) == ({}, False)


def test_its_predictions_have_no_scores(jomls: None, circles: Path, tmp_path: Path) -> None:
    report = predict_files([circles / "images"], tmp_path / "out", PredictOptions(method="jomls", mpp=0.37))
    assert report.lines()[-1] == "jomls; no scores"
    found = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert found["annotations"]
    assert not any("score" in row for row in found["annotations"])
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["method"], run["scored"], run["model"], run["scores"]) == ("jomls", False, None, {})
    linked = read_coco(tmp_path / "out" / "predictions.json")[0].content.cells
    assert linked.parents.tolist() == [-1, 0]
    with pytest.raises(InputError, match="leave --score out"):
        evaluate(tmp_path / "out", circles, tmp_path / "scores", score=0.5)


def test_it_is_scored_without_ap_and_calibration(jomls: None, circles: Path, tmp_path: Path) -> None:
    direct = evaluate("jomls", circles, tmp_path / "direct")
    predict_files([circles / "images"], tmp_path / "out", PredictOptions(method="jomls", mpp=0.37))
    stored = evaluate(tmp_path / "out", circles, tmp_path / "stored")
    for result in (direct, stored):
        summary = result.summary
        assert (summary.evaluated.method, summary.scored) == ("jomls", False)
        block = summary.classes["nucleus"]
        assert block.ap.ap.value is None
        assert block.calibration.ece_iou is None
        assert block.scores["f1"].pooled.value is not None
    assert direct.summary.classes == stored.summary.classes
    assert direct.summary.evaluated.sha256 is None
    with pytest.raises(InputError, match="leave --score out"):
        evaluate("jomls", circles, tmp_path / "cut", score=0.5)


def test_nothing_found_is_not_an_ap_of_zero(
    jomls: None, circles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "irnet.baselines.jomls.JOMLS", lambda: lambda image, mpp: Cells.empty(image.shape[:2])
    )
    predict_files([circles / "images"], tmp_path / "out", PredictOptions(method="jomls"))
    summary = evaluate(tmp_path / "out", circles, tmp_path / "scores").summary
    assert not summary.scored
    assert summary.mean_ap.ap.value is None


def test_a_network_is_named_in_what_is_written(
    blobs_installed: Predictor, circles: Path, tmp_path: Path
) -> None:
    predict_files([circles / "images"], tmp_path / "out", PredictOptions(mpp=0.37))
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["method"], run["scored"]) == ("irnet", True)
    for source in (tmp_path / "out", "irnet", tmp_path / "weights.safetensors"):
        summary = evaluate(source, circles, tmp_path / "scores").summary
        assert (summary.evaluated.method, summary.scored) == ("irnet", True)


def test_jomls_never_waits_for_torch(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    PIL.Image.fromarray(np.full((48, 48, 3), 240, np.uint8)).save(tmp_path / "a.png")
    script = (
        "import sys\n"
        "from irnet.verbs.predict_files import predict_files\n"
        "from irnet.verbs.predict_options import PredictOptions\n"
        "options = PredictOptions(method='jomls', mpp=0.37)\n"
        f"predict_files([{str(tmp_path)!r}], {str(tmp_path / 'out')!r}, options)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
