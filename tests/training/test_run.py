"""What a run keeps, and how it begins."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from irnet.config import Settings, load_recipe
from irnet.errors import InputError
from irnet.inference.weights import load_weights
from irnet.training.run import Run, settings_of
from irnet.training.scores import Validation

CPU = torch.device("cpu")


@pytest.fixture
def fresh(tiny: Settings, tmp_path: Path) -> Run:
    return Run.begin(tmp_path, tiny, data={"images": 5}, device=CPU)


def test_only_a_fresh_run_reads_imagenet_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def missing(*_, **__):
        raise InputError("not installed")

    monkeypatch.setattr("irnet.models.build.read_pretrained", missing)
    settings = load_recipe("default")
    Run.begin(tmp_path, settings, data={}, device=CPU, resumed=True)
    with pytest.raises(InputError, match="not installed"):
        Run.begin(tmp_path, settings, data={}, device=CPU)


def test_a_checkpoint_keeps_counters_and_settings(fresh: Run, tiny: Settings):
    fresh.step, fresh.steps, fresh.merit = 3, 9, 0.25
    fresh.save()
    assert settings_of(fresh.folder) == tiny
    again = Run.begin(fresh.folder, tiny, data={"images": 5}, device=CPU, resumed=True)
    again.restore()
    assert (again.step, again.steps, again.merit) == (3, 9, 0.25)


def test_other_data_are_noticed(fresh: Run):
    fresh.save()
    with pytest.raises(InputError, match=r"trained on other data \(images 5, not 6\)"):
        replace(fresh, data={"images": 6}).restore()


def test_other_pictures_of_the_same_list_are_noticed(fresh: Run):
    now = {"images": 5, "images_sha256": "ab"}
    fresh.save()
    replace(fresh, data=now).restore()  # of a version that did not note it
    replace(fresh, data=now).save()
    replace(fresh, data=now).restore()
    with pytest.raises(InputError, match=r"trained on other data \(images_sha256 'ab', not 'cd'\)"):
        replace(fresh, data=now | {"images_sha256": "cd"}).restore()


def test_other_scales_and_patients_of_the_same_data_are_noticed(fresh: Run):
    fresh.save()
    with pytest.raises(InputError, match="begun with another --mpp and --patients: give the same again"):
        replace(fresh, data={"images": 6, "mpp": 0.5, "patients_sha256": "ab"}).restore()
    with pytest.raises(InputError, match=r"trained on other data"):
        replace(fresh, data={"images": 6, "mpp": 0.5, "sha256": "ab"}).restore()


def test_a_run_that_noted_less_of_its_data_is_refused_clearly(fresh: Run):
    fresh.save()
    with pytest.raises(InputError, match=r"older irnet .* did not record generator, .* --init"):
        replace(fresh, data={"images": 5, "generator": 7}).restore()
    replace(fresh, data={"images": 5, "cutouts_sha256": None}).restore()  # there is nothing to note


def test_the_rate_warms_up_and_falls_once_the_steps_are_known(tiny: Settings, fresh: Run):
    fresh.settings = tiny.model_copy(
        update={"train": tiny.train.model_copy(update={"warmup_steps": 10, "warmup_factor": 0.2})}
    )
    fresh.step = 5
    assert fresh.rate() == pytest.approx(0.6)
    fresh.steps, fresh.step = 100, 50
    assert fresh.rate() == pytest.approx(0.5)  # cosine, half of the way


def test_the_seed_makes_the_first_weights(tiny: Settings, tmp_path: Path):
    models = [Run.begin(tmp_path, tiny, data={}, device=CPU).model for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*(m.parameters() for m in models), strict=True))


def test_the_file_of_the_first_weights_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights = tmp_path / "resnet.pth"
    weights.write_bytes(b"weights")
    monkeypatch.setattr("irnet.training.run.build_network", lambda *_, **__: torch.nn.Linear(2, 2))
    settings = load_recipe("paper", [f"model.trunk_weights={weights}"])
    begun = Run.begin(tmp_path, settings, data={}, device=CPU)
    begun.save()
    weights.unlink()
    again = Run.begin(tmp_path, settings, data={}, device=CPU, resumed=True)
    again.restore()
    assert begun.pretrained == again.pretrained
    assert again.pretrained == {"source": "resnet.pth", "sha256": hashlib.sha256(b"weights").hexdigest()}


def test_the_best_weights_know_how_wide_nuclei_were(fresh: Run):
    scored = Validation(scores={1: 0.4, 2: 0.3}, numbers={}, merit=0.5, nucleus_px=31.26)
    fresh.save_best(scored)
    kept = load_weights(fresh.folder)[1].predict
    assert (kept.score.nucleus, kept.nucleus_px) == (0.3, 31.3)
    fresh.save_best(scored._replace(nucleus_px=None))
    assert load_weights(fresh.folder)[1].predict.nucleus_px == fresh.settings.predict.nucleus_px
    unscaled = fresh.settings.data.model_copy(update={"mpp": 0.0})
    fresh.settings = fresh.settings.model_copy(update={"data": unscaled})
    fresh.save_best(scored._replace(nucleus_px=None))
    assert load_weights(fresh.folder)[1].predict.nucleus_px == 0  # the recipe's is of its scale
