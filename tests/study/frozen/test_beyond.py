"""The table beyond the paper, made at toy size over the weights of an untrained network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from irnet.config import load_recipe
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.inference.weights import save_weights
from irnet.models.build import build_model
from irnet.study.costs import read_cost
from irnet.study.frozen import associations, heads
from irnet.study.frozen.beyond import make_beyond
from irnet.study.frozen.making import make_frozen_row
from irnet.study.frozen.rows import CONTROL, DRAWN, ROWS
from irnet.study.record import Options, Study, open_study
from irnet.study.rows import choose_rows
from irnet.synthetic import generate

SOME = "frozen-maskrcnn,frozen-irnet,frozen-drm-alone,frozen-wide-masks,frozen-mask-nms,frozen-tuned-nms"


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Four small fields of three patients, and a base with modules of its own."""
    folder = tmp_path_factory.mktemp("beyond")
    entries = []
    for number in range(4):
        image, truth = generate(number, size=(160, 160), mpp=0.37, count=4)
        path = folder / "images" / f"{number}.png"
        write_atomic(path, to_png(image))
        entries.append(Entry(name=path.name, path=path, content=truth, patient=f"p{min(number, 2)}"))
    write_coco(folder / "annotations.json", entries)
    settings = load_recipe("study-tiny")
    torch.manual_seed(2)  # one that finds cells in these fields
    trunk = build_model(settings.model, settings.loss, settings.predict)
    save_weights(folder / "trunk.safetensors", trunk, settings=settings, trained={})
    floor = ("predict.floor=0.001",)  # an untrained DRM trusts no box
    options = Options(size="tiny", seeds=1, trunk=str(folder / "trunk.safetensors"), overrides=floor)
    return open_study(folder, folder / "out", options)


@pytest.fixture(scope="module")
def page(study: Study, one_thread: None) -> str:
    return make_beyond(study, keys=SOME, device="cpu", say=lambda _: None).page


def test_every_row_is_there_with_its_figures(page: str, study: Study) -> None:
    for row in choose_rows(ROWS, SOME):
        assert f"| {row.title} |" in page
    assert page.count("\n## ") >= 9
    assert "every module is trained alone, for 6 steps" in page
    assert "Frozen trunk: every row keeps the weights of trunk.safetensors" in page


def test_modules_of_the_base_are_dropped_and_that_is_said(page: str) -> None:
    assert "modules of their own (roi_heads.box.drm, roi_heads.mask.irm), which are dropped" in page


def test_a_row_says_what_its_training_cost_and_showed(page: str, study: Study) -> None:
    cost = read_cost(study.folder(DRAWN.key, 0))
    assert cost is not None
    assert cost["train_steps"] == 6
    assert {"gamma", "self_weight", "effective", "hub", "temperature", "p_correct"} <= set(cost["figures"])
    control = read_cost(study.folder(CONTROL.key, 0))
    assert control is not None
    assert (control["train_steps"], control["figures"]) == (0, {})


def test_the_tuned_row_chooses_its_cuts_on_validation(page: str, study: Study) -> None:
    for key in ("frozen-tuned-nms", "frozen-mask-nms"):
        cost = read_cost(study.folder(key, 0))
        assert cost is not None
        assert set(cost["nms"].values()) <= {0.3, 0.4, 0.5, 0.6, 0.7, 0.8}
    assert "Tuned suppression" in page


def test_a_second_call_trains_nothing(page: str, study: Study) -> None:
    said: list[str] = []
    again = make_beyond(study, keys=SOME, device="cpu", say=said.append)
    assert again.page == page
    assert all(line.startswith("scoring") for line in said)


def test_heads_of_another_base_are_not_taken_over(
    page: str, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_recipe("study-tiny")
    torch.manual_seed(1)
    other = build_model(settings.model, settings.loss, settings.predict)
    save_weights(tmp_path / "other.safetensors", other, settings=settings, trained={})
    anew = replace(study, options=replace(study.options, trunk=str(tmp_path / "other.safetensors")))
    monkeypatch.setattr(heads, "_train", None)
    make_frozen_row(study, DRAWN, 0, torch.device("cpu"))
    with pytest.raises(TypeError):  # it would train
        make_frozen_row(anew, DRAWN, 0, torch.device("cpu"))


def test_associations_are_drawn(page: str, study: Study) -> None:
    picture = np.asarray(Image.open(study.out / "associations.png"))
    assert picture.shape[2] == 3
    assert picture.shape[1] > 3 * picture.shape[0] * 0.7  # three panels


def test_colours_say_who_is_heard() -> None:
    colours = associations._colours(np.array([0.0, 0.4, 0.2, 0.0]), 0)
    assert colours[0].tolist() == list(associations.ITSELF)
    assert colours[1].tolist() == list(associations.HEARD)
    assert colours[3].tolist() == list(associations.SILENT)
    assert associations.SILENT[1] > colours[2][1] > associations.HEARD[1]


@pytest.mark.parametrize("recipe", ["study-tiny", "study-small", "paper"])
def test_the_settings_of_every_row_are_accepted(recipe: str) -> None:
    recipes = [(load_recipe(recipe, row.overrides).model_dump_json(), row.nms_ious) for row in ROWS]
    assert len(set(recipes)) == len(ROWS)  # each row is another experiment
    assert len({row.key for row in ROWS}) == len(ROWS)
    assert [row.key for row in ROWS if not row.has_seeds] == [
        "frozen-maskrcnn",
        "frozen-soft-nms",
        "frozen-mask-nms",
        "frozen-tuned-nms",
    ]


def test_a_study_from_scratch_has_nothing_to_freeze(study: Study, tmp_path: Path) -> None:
    begun = open_study(study.data, tmp_path / "out", Options(size="tiny", protocol="scratch"))
    with pytest.raises(InputError, match=r"no trunk to freeze: .* --protocol forked"):
        make_beyond(begun, device="cpu", say=lambda _: None)


def test_the_weights_of_another_network_are_refused(study: Study, tmp_path: Path) -> None:
    settings = load_recipe("study-tiny", ["model.fpn_width=64"])
    other = build_model(settings.model, settings.loss, settings.predict)
    save_weights(tmp_path / "other.safetensors", other, settings=settings, trained={})
    options = Options(size="tiny", seeds=1, trunk=str(tmp_path / "other.safetensors"))
    begun = open_study(study.data, tmp_path / "out", options)
    with pytest.raises(InputError, match=r"model\.fpn_width = 64, not 32"):
        make_beyond(begun, keys="frozen-maskrcnn", device="cpu", say=lambda _: None)
