"""Weights files carry their recipe and refuse to be mixed up."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import irnet
from irnet.config import AWAY, Settings, load_recipe, parse_settings
from irnet.errors import InputError
from irnet.inference.networks import build_network
from irnet.inference.tensors import digest_of, read_tensors, write_tensors
from irnet.inference.weights import find_weights, load_weights, read_settings, save_weights, start_from
from irnet.models.build import build_model
from irnet.training.card import WeightsFile


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    folder = tmp_path_factory.mktemp("weights")
    settings = load_recipe("tiny")
    model = build_model(settings.model)
    save_weights(folder / "best.safetensors", model, settings=settings, trained={"steps": 7})
    return folder, model


def test_a_network_comes_back_with_its_recipe(written: tuple[Path, torch.nn.Module]):
    folder, model = written
    again, settings, trained = load_weights(folder)
    assert settings == load_recipe("tiny")
    assert trained == {"steps": 7}
    assert not again.training
    for name, tensor in model.state_dict().items():
        assert again.state_dict()[name].dtype == tensor.dtype
        assert torch.allclose(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-6), name


def test_kernels_take_two_bytes_and_the_rest_four(written: tuple[Path, torch.nn.Module]):
    tensors, _ = read_tensors(written[0] / "best.safetensors")
    kinds = {(tensor.ndim > 1, tensor.dtype) for tensor in tensors.values() if tensor.is_floating_point()}
    assert kinds == {(True, torch.float16), (False, torch.float32)}


@pytest.mark.skipif(sys.platform == "win32", reason="no sha256sum")
def test_the_checksum_beside_it_is_that_of_sha256sum(written: tuple[Path, torch.nn.Module]):
    check = subprocess.run(
        ["sha256sum", "-c", "best.safetensors.sha256"], cwd=written[0], capture_output=True
    )
    assert check.returncode == 0


@pytest.mark.parametrize("folder", ["/data/of/anna/", "C:\\anna\\", "../anna/"])
def test_no_place_of_the_machine_is_written_or_read_from_an_older_file(folder: str, tmp_path: Path):
    places = [f"model.trunk_weights={folder}r18.pth", f"data.generated.cutouts={folder}lone"]
    settings = load_recipe("tiny", ["model.trunk_norm=frozen_bn", "data.generated.composed=0.5", *places])
    model = build_network(settings, pretrained=False)
    path, older = tmp_path / "best.safetensors", tmp_path / "older.safetensors"
    save_weights(path, model, settings=settings, trained={})
    assert b"anna" not in path.read_bytes()

    said = {"kind": "weights", "settings": settings.model_dump(mode="json"), "trained": {}}
    write_tensors(older, read_tensors(path)[0], said)
    assert b"anna" in older.read_bytes()
    for file in (path, older):
        for said in (load_weights(file)[1], read_settings(file)[0], WeightsFile.read(file).settings):
            assert (said.model.trunk_weights, said.data.generated.cutouts) == ("r18.pth", "lone")


def test_words_and_dots_stay():
    for word in ("package", "."):
        settings = load_recipe("tiny", ["data.generated.composed=0.5", f"data.generated.cutouts={word}"])
        said = settings.model_dump(mode="json", context=AWAY)
        assert parse_settings(said, source="a file").data.generated.cutouts == word
    settings = load_recipe("tiny")
    assert settings.model_dump(context=AWAY) == settings.model_dump()


def test_training_starts_from_a_file(written: tuple[Path, torch.nn.Module], tiny: Settings):
    model = build_model(tiny.model)
    start_from(model, str(written[0]), tiny)
    mine, theirs = next(model.parameters()), next(written[1].parameters())
    assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-6)


def test_another_network_is_refused_by_the_settings_that_differ(written: tuple[Path, torch.nn.Module]):
    other = load_recipe("tiny", ["model.fpn_width=32"])
    with pytest.raises(InputError, match="fpn_width = 64, not 32"):
        start_from(build_model(other.model), str(written[0] / "best.safetensors"), other)


PLAIN = ["model.drm.enabled=false", "model.irm.enabled=false"]  # Mask R-CNN
METHODS = {
    "irnet": [],
    "maskrcnn": PLAIN,
    "cspnet": [*PLAIN, "model.cspnet.enabled=true", "predict.suppression=mask"],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A weights file of each method, all from one small recipe."""
    folder = tmp_path_factory.mktemp("methods")
    for method, overrides in METHODS.items():
        settings = load_recipe("study-tiny", overrides)
        save_weights(folder / f"{method}.safetensors", build_network(settings), settings=settings, trained={})
    return {method: folder / f"{method}.safetensors" for method in METHODS}


@pytest.mark.parametrize(
    ("source", "method", "fresh", "left"),
    [
        ("maskrcnn", "maskrcnn", [], []),
        ("maskrcnn", "irnet", ["roi_heads.box.drm", "roi_heads.mask.irm"], []),
        ("maskrcnn", "cspnet", ["masks"], ["roi_heads.mask"]),
        ("irnet", "maskrcnn", [], ["roi_heads.box.drm", "roi_heads.mask.irm"]),
        (
            "irnet",
            "irnet",
            ["roi_heads.box.drm", "roi_heads.mask.irm"],
            ["roi_heads.box.drm", "roi_heads.mask.irm"],
        ),
        ("cspnet", "maskrcnn", ["roi_heads.mask"], ["masks"]),
    ],
)
def test_methods_start_from_what_they_share(files, source, method, fresh, left):
    settings = load_recipe("study-tiny", METHODS[method])
    model = build_network(settings)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    origin = start_from(model, str(files[source]), settings, parts="shared")
    assert (origin["fresh"], origin["left"]) == (fresh, left)
    assert origin["source"] == f"{source}.safetensors"
    assert origin["sha256"] == digest_of(files[source])
    theirs = load_weights(files[source])[0].state_dict()
    for name, tensor in model.state_dict().items():
        is_fresh = name.startswith(tuple(f"{part}." for part in fresh))
        assert torch.equal(tensor, before[name] if is_fresh else theirs[name]), name


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([*PLAIN, "model.fpn_width=64"], "model.fpn_width = 32, not 64"),
        ([*PLAIN, "model.fc_width=32"], "model.fc_width = 64, not 32"),
        ([*METHODS["cspnet"], "model.cspnet.stage1=cspn6"], "model.cspnet.stage1 = 'fpn', not 'cspn6'"),
    ],
)
def test_what_both_have_must_fit(files, overrides, message):
    settings = load_recipe("study-tiny", overrides)
    with pytest.raises(InputError, match=message):
        start_from(build_network(settings), str(files["maskrcnn"]), settings, parts="shared")


def test_all_parts_means_the_same_network(files):
    settings = load_recipe("study-tiny")
    with pytest.raises(InputError, match=r"model\.drm\.enabled = False, not True"):
        start_from(build_network(settings), str(files["maskrcnn"]), settings)
    origin = start_from(build_network(settings), str(files["irnet"]), settings)
    assert origin["fresh"] == origin["left"] == []


@pytest.mark.parametrize(
    ("overrides", "before", "alone"),
    [
        (["data.source=generated"], None, True),
        (["data.source=generated"], {"generated_alone": False}, False),
        ([], None, False),
    ],
)
def test_a_fork_knows_whether_annotated_images_are_in_its_history(tmp_path, overrides, before, alone):
    settings = load_recipe("study-tiny", overrides)
    path = tmp_path / "w.safetensors"
    save_weights(path, build_network(settings), settings=settings, trained={"init": before})
    origin = start_from(build_network(settings), str(path), settings)
    assert origin["generated_alone"] is alone


def test_files_without_a_recipe_are_refused(tmp_path: Path):
    write_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, {"kind": "other"})
    with pytest.raises(InputError, match="no network"):
        load_weights(tmp_path / "x.safetensors")


def test_bundled_weights_are_found_or_missed_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("irnet.inference.weights.BUNDLED", tmp_path / "irnet.safetensors")
    with pytest.raises(InputError, match="no bundled weights"):
        irnet.load()
    (tmp_path / "irnet.safetensors").touch()
    assert find_weights(None) == find_weights("bundled") == tmp_path / "irnet.safetensors"
    monkeypatch.setattr("irnet.inference.weights.RESEARCH", tmp_path / "irnet-research.safetensors")
    with pytest.raises(InputError, match=r"bundled-research: .* no bundled weights"):
        find_weights("bundled-research")


def test_importing_irnet_stays_cheap():
    code = "import sys, irnet; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def _write(path: Path, written: Path, *, meta: dict, tensors: dict | None = None) -> Path:
    """A file with a valid digest whose meta data or tensors differ from those of the `written` one."""
    old_tensors, old_meta = read_tensors(written / "best.safetensors")
    del old_meta["sha256"]
    write_tensors(path, old_tensors | (tensors or {}), old_meta | meta)
    return path


@pytest.mark.parametrize(
    "meta",
    [
        {"settings": None},
        {"settings": [1]},
        {"settings": {"model": 3}},
        {"settings": {"model": {"fpn_width": 10**7}}},
        {"settings": {"model": {"fc_width": 10**9, "mask_width": 10**9}}},
        {"trained": "yes"},
        {"format": "one"},
        {"format": None},
        {"format": 99},
    ],
    ids=str,
)
def test_a_header_that_means_nothing_is_refused_by_name(
    written: tuple[Path, torch.nn.Module], tmp_path: Path, meta: dict
):
    with pytest.raises(InputError, match=r"odd\.safetensors"):
        load_weights(_write(tmp_path / "odd.safetensors", written[0], meta=meta))


def test_tensors_of_another_network_are_refused(written: tuple[Path, torch.nn.Module], tmp_path: Path):
    settings = load_recipe("tiny", ["model.fpn_width=32"]).model_dump(mode="json")
    with pytest.raises(InputError, match="not those of the network"):
        load_weights(_write(tmp_path / "odd.safetensors", written[0], meta={"settings": settings}))


def test_weights_that_are_not_finite_are_refused(written: tuple[Path, torch.nn.Module], tmp_path: Path):
    name, tensor = next((n, t) for n, t in written[1].state_dict().items() if t.is_floating_point())
    broken = {name: torch.full_like(tensor, float("nan"))}
    with pytest.raises(InputError, match=f"{name} holds values that are not finite"):
        load_weights(_write(tmp_path / "odd.safetensors", written[0], meta={}, tensors=broken))
