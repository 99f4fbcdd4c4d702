"""The mean of two networks: tensor by tensor, with what both files say of their data."""

from pathlib import Path

import pytest
import torch

from irnet.config import load_recipe
from irnet.errors import InputError
from irnet.inference.networks import build_network
from irnet.inference.tensors import digest_of
from irnet.inference.weights import generated_alone, load_weights, save_weights
from irnet.verbs.average import average


def write(path: Path, seed: int, *overrides: str, drawn: bool = True) -> Path:
    torch.manual_seed(seed)
    settings = load_recipe("tiny", ["model.trunk_weights=", "data.source=generated", *overrides])
    data = {} if drawn else {"unlabelled": 3, "unlabelled_from": "fields", "unlabelled_sha256": "0"}
    trained = {"step": seed, "data": data, "calibrated": {"before": {}}}
    save_weights(
        path, build_network(settings, pretrained=False), settings=settings, trained=trained, half=False
    )
    return path


def test_every_tensor_is_the_mean(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.safetensors", 1), write(tmp_path / "b.safetensors", 2)
    average(first, second, tmp_path / "mean.safetensors", share=0.25)
    (a, *_), (b, *_), (mean, settings, trained) = map(
        load_weights, (first, second, tmp_path / "mean.safetensors")
    )
    ours, theirs = a.state_dict(), b.state_dict()
    differ = 0
    for name, tensor in mean.state_dict().items():
        torch.testing.assert_close(tensor, 0.75 * ours[name] + 0.25 * theirs[name], rtol=2e-3, atol=1e-4)
        differ += not torch.equal(tensor, ours[name])
    assert differ > 10
    assert trained["averaged"] == {
        "source": "b.safetensors",
        "sha256": digest_of(second),
        "share": 0.25,
        "generated_alone": True,
    }
    assert "calibrated" not in trained
    assert generated_alone(settings, trained)
    assert "whose share is 25%" in (tmp_path / "mean.md").read_text()


def test_the_licence_is_that_of_both(tmp_path: Path) -> None:
    first = write(tmp_path / "a.safetensors", 1)
    second = write(tmp_path / "b.safetensors", 2, drawn=False)
    average(first, second, tmp_path / "mean.safetensors")
    assert "Apache-2.0" in _card(first, tmp_path)
    assert "the licence of the data applies" in (tmp_path / "mean.md").read_text()


def _card(weights: Path, folder: Path) -> str:
    average(weights, write(folder / "c.safetensors", 3), folder / "drawn.safetensors")
    return (folder / "drawn.md").read_text()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_shares_that_are_none(share: float, tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.safetensors", 1), write(tmp_path / "b.safetensors", 2)
    with pytest.raises(InputError, match="above 0 and below 1"):
        average(first, second, tmp_path / "mean.safetensors", share=share)


def test_what_has_no_mean(tmp_path: Path) -> None:
    first = write(tmp_path / "a.safetensors", 1)
    other = write(tmp_path / "b.safetensors", 2, "model.fpn_width=32")
    with pytest.raises(InputError, match=r"model\.fpn_width = 32, not"):
        average(first, other, tmp_path / "mean.safetensors")
    with pytest.raises(InputError, match="the same weights"):
        average(first, first, tmp_path / "mean.safetensors")
    with pytest.raises(InputError, match="exists"):
        average(first, write(tmp_path / "c.safetensors", 3), first)
    assert not (tmp_path / "mean.safetensors").exists()


def test_networks_of_two_scales_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "a.safetensors", 1)
    second = write(tmp_path / "b.safetensors", 2, "data.mpp=0.6")
    with pytest.raises(InputError, match=r"learned at 0\.6 um per pixel"):
        average(first, second, tmp_path / "mean.safetensors")
    assert not (tmp_path / "mean.safetensors").exists()
