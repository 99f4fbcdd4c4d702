"""A network in 8-bit integers: thresholds chosen on one half, refused where it loses on the other."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from irnet.cells import Cells
from irnet.config import Settings, load_recipe
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry, Sample
from irnet.errors import InputError
from irnet.inference.engines import describe_engine, open_engine
from irnet.inference.fast import quantise as fast
from irnet.inference.fast import runtime
from irnet.inference.predict import Predictor
from irnet.inference.rehearsal import Option, Rehearsal
from irnet.inference.weights import save_weights
from irnet.models.build import build_model
from irnet.synthetic import generate
from irnet.verbs import quantise as verb
from irnet.verbs.quantise import quantise

pytestmark = pytest.mark.skipif(not runtime.is_installed(), reason="OpenVINO is not installed")
LOW, HIGH = 0.3, 0.9  # scores of false cells and of true ones


@pytest.fixture(scope="module")
def graphs() -> dict[str, runtime.Graph]:
    from irnet.inference.fast.export import make_graphs

    torch.manual_seed(0)
    return make_graphs(build_model(load_recipe("tiny").model).eval())


@pytest.fixture
def weights(
    tiny: Settings, graphs: dict[str, runtime.Graph], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    monkeypatch.setattr("irnet.inference.fast.export.make_graphs", lambda *_: graphs)
    monkeypatch.setattr(fast, "load", lambda: None)
    monkeypatch.setattr(fast, "quantise", lambda graphs, met, backbone: graphs)
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_weights(path, build_model(tiny.model), settings=tiny, trained={})
    return path


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    entries = []
    for seed in range(4):
        image, content = generate(seed, size=(128, 128), mpp=0.37, count=3)
        path = tmp_path / "fields" / "images" / f"{seed}.png"
        write_atomic(path, to_png(image))
        entries.append(Entry(name=path.name, path=path, content=content))
    write_coco(tmp_path / "fields" / "annotations.json", entries)
    return tmp_path / "fields"


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch):
    """Let networks find what is true, in integers with true scores of `score` and without `lost` cells."""

    def give(score: float = HIGH, lost: int = 0) -> None:
        def cells_of(sample: Sample, precision: str) -> Cells:
            true = sample.content.cells
            if precision != "int8":
                return replace(true, scores=np.full(len(true), HIGH))
            return replace(true, scores=np.full(len(true), score)).select(np.arange(lost, len(true)))

        def rehearse(rehearsal: Rehearsal, sample: Sample, _: object) -> dict[Option, Cells]:
            return dict.fromkeys(rehearsal.options, cells_of(sample, rehearsal.memory.precision))

        def find(predictor: Predictor, samples: list[Sample], **_: object) -> list[Cells]:
            return [cells_of(sample, predictor.engine.precision) for sample in samples]

        monkeypatch.setattr(Rehearsal, "find", rehearse)
        monkeypatch.setattr(verb, "find_all", find)

    return give


def test_what_loses_nothing_is_kept(weights: Path, fields: Path, finds) -> None:
    with pytest.raises(InputError, match=rf"run irnet quantise {weights}"):
        open_engine(weights, device="cpu", engine="auto", precision="int8")
    assert "int8 after irnet quantise" in describe_engine(str(weights))

    finds()
    done = quantise(weights, [fields])
    assert done.chosen == done.before
    assert done.backbone
    assert [(loss.name, loss.before, loss.change) for loss in done.losses] == [
        ("cytoplasm", 1.0, 0.0),
        ("nucleus", 1.0, 0.0),
    ]
    assert done.file == weights.with_suffix(".int8.openvino")
    assert f"int8 in {done.file}" in describe_engine(str(weights))

    predictor = Predictor.load(weights, device="cpu", engine="openvino", precision="int8")
    assert predictor.origin()["precision"] == "int8"
    assert predictor.scores == Predictor.load(weights, device="cpu").scores


def test_thresholds_are_chosen_anew(weights: Path, fields: Path, finds) -> None:
    finds(score=0.41)
    done = quantise(weights, [fields])
    _, settings = open_engine(weights, device="cpu", engine="openvino", precision="int8")
    for name, point in done.chosen.items():
        assert point["score"] <= 0.41 < done.before[name]["score"]
        assert point | {"score": 0} == done.before[name] | {"score": 0}
        assert getattr(settings.predict.score, name) == point["score"]


def test_what_loses_too_much_is_not_kept(weights: Path, fields: Path, finds) -> None:
    finds(lost=1)
    with pytest.raises(InputError, match=r"loses more than 0.005 of AJI, .* AJI 1\.000 -> 0\.[0-8].*int8"):
        quantise(weights, [fields])
    assert not weights.with_suffix(".int8.openvino").exists()
    with pytest.raises(InputError, match="run irnet quantise"):
        open_engine(weights, device="cpu", engine="openvino", precision="int8")


def test_the_backbone_stays_where_it_loses(weights: Path, fields: Path, finds, monkeypatch) -> None:
    def make(graphs: dict, met: dict, *, backbone: bool) -> dict:
        assert set(met) == set(fast.PARTS)
        finds(lost=int(backbone))
        return graphs

    finds()
    monkeypatch.setattr(fast, "quantise", make)
    assert not quantise(weights, [fields]).backbone


def test_without_images_fields_are_drawn(weights: Path, finds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "FIELDS", 2)
    finds()
    assert {loss.data for loss in quantise(weights).losses} == {"generated fields"}


def test_one_image_is_too_few(weights: Path, fields: Path, tmp_path: Path) -> None:
    image, content = generate(1, size=(128, 128), mpp=0.37, count=3)
    path = tmp_path / "one" / "images" / "1.png"
    write_atomic(path, to_png(image))
    write_coco(tmp_path / "one" / "annotations.json", [Entry(name="1.png", path=path, content=content)])
    with pytest.raises(InputError, match="has one image: at least two are needed"):
        quantise(weights, [tmp_path / "one"])
    with pytest.raises(InputError, match="named twice"):
        quantise(weights, [fields, fields])


def test_without_nncf(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(InputError, match=r"NNCF does not load .*pip install \"\.\[quantise\]\""):
        fast.load()
