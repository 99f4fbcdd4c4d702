"""Heads over a frozen base see what the network itself would show them, and are trained once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from irnet.config import Settings, load_recipe
from irnet.models.build import build_model
from irnet.models.irnet import IRNet
from irnet.study.frozen import heads
from irnet.study.frozen.cached_crops import SCALES, cache_crops, read_boxes, read_masks
from irnet.study.frozen.heads import HeadTraining, first_weights, train_heads
from irnet.study.frozen.network import FrozenBase, compute_features
from irnet.synthetic import generate
from irnet.training.crops import CropDataset, Item
from irnet.training.steps import NotFiniteError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_recipe("study-tiny", ["predict.floor=0.0", "predict.max_per_megapixel=20"])


@pytest.fixture(scope="module")
def crops() -> CropDataset:
    field = generate(3, size=(192, 192), mpp=0.37, count=6)
    return CropDataset(lambda _: field, size=192, length=10)


@pytest.fixture(scope="module")
def item(crops: CropDataset) -> Item:
    return crops[0]


@pytest.fixture
def model(settings: Settings) -> IRNet:
    torch.manual_seed(0)
    return build_model(settings.model, settings.loss, settings.predict).eval()


@pytest.fixture
def plan(model: IRNet, crops: CropDataset, tmp_path: Path) -> HeadTraining:
    """Two crops, three steps."""
    cache_crops(model, crops, 2, tmp_path / "crops", CPU)
    return HeadTraining(
        cached_crops=tmp_path / "crops", crops=2, steps=3, batch=2, heads=tmp_path / "heads", device=CPU
    )


@torch.no_grad()
def test_the_heads_find_what_the_network_finds(model: IRNet, item: Item, tmp_path: Path) -> None:
    memory = FrozenBase(model, tmp_path)
    found, expected = memory._find(compute_features(model, item[0])), model([item[0]])[0]
    assert len(found.boxes) == 20
    for field, other in zip(found, expected, strict=True):
        torch.testing.assert_close(field, other)


@torch.no_grad()
def test_an_image_is_seen_once_and_kept_in_16_bits(model: IRNet, item: Item, tmp_path: Path) -> None:
    memory, seen = FrozenBase(model, tmp_path), compute_features(model, item[0])
    memory([item[0]])
    model.backbone.forward = None  # type: ignore[assignment]
    kept = memory.compute_features(item[0])
    assert torch.equal(kept.proposals, seen.proposals)
    assert kept.size == (192, 192)
    for level, feature in seen.features.items():
        torch.testing.assert_close(kept.features[level], feature, rtol=1e-3, atol=1e-3)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(TypeError):
        memory([item[0].flip(1)])  # another image


@torch.no_grad()
def test_the_loss_of_the_drm_is_that_of_the_network(model: IRNet, item: Item, plan: HeadTraining) -> None:
    model.train()
    expected = model([item[0]], [item[1]])["drm"]
    batch = read_boxes(plan.cached_crops, [0], CPU)
    loss, _ = model.roi_heads.box.drm.loss(*batch)
    torch.testing.assert_close(loss, expected, rtol=1e-2, atol=1e-4)


def test_crops_of_different_length_make_one_batch(model: IRNet, plan: HeadTraining) -> None:
    both, alone = read_boxes(plan.cached_crops, [0, 1], CPU), read_boxes(plan.cached_crops, [1], CPU)
    length = int(alone.valid.sum())
    assert both.valid.sum(dim=1)[1] == length
    assert torch.equal(both.hidden[1, :length], alone.hidden[0, :length])
    assert torch.equal(both.truths.boxes[1, : alone.truths.boxes.shape[1]], alone.truths.boxes[0])


@pytest.mark.parametrize("scale", SCALES)
def test_masks_of_a_lesson(model: IRNet, plan: HeadTraining, item: Item, scale: float) -> None:
    batch = read_masks(plan.cached_crops, [0, 1], scale, CPU)
    n = len(batch.labels)
    assert batch.deep.shape == (n, 32, 14, 14)
    assert batch.first.shape == (n, 3, 28, 28)
    assert batch.crop.tolist() == sorted(batch.crop.tolist())
    assert set(batch.crop.tolist()) == {0, 1}
    here = batch.crop == 0
    assert torch.equal(batch.labels[here], item[1]["labels"][batch.match[here]])
    filled = float(batch.targets.mean())
    assert 0.4 / scale**2 < filled < 0.9 / scale**1.5


def test_first_weights_do_not_depend_on_the_other_module(settings: Settings) -> None:
    alone = load_recipe("study-tiny", ["model.drm.enabled=false"])
    both, without = (first_weights(s, "irm", seed=3) for s in (settings, alone))
    assert all(torch.equal(both[name], without[name]) for name in both)
    other = first_weights(settings, "irm", seed=4)
    assert not torch.equal(both["encoder.0.weight"], other["encoder.0.weight"])


def parameters(model: IRNet) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_heads_are_trained_once_and_the_rest_stays(
    model: IRNet, settings: Settings, plan: HeadTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = parameters(model)
    trained = train_heads(model, settings, 1, plan)
    after = parameters(model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(".drm." in name or ".irm." in name for name in changed)
    assert trained["train_steps"] == 3
    assert {"gamma", "p_correct", "loss_drm", "loss_irm"} <= set(trained["figures"])
    monkeypatch.setattr(heads, "_train", None)  # a second row takes them over
    torch.manual_seed(9)
    again = build_model(settings.model, settings.loss, settings.predict)
    assert train_heads(again, settings, 1, plan) == trained
    taken = parameters(again)
    assert all(torch.equal(taken[name], after[name]) for name in after if ".drm." in name or ".irm." in name)
    with pytest.raises(TypeError):
        train_heads(again, settings, 2, plan)  # another seed is another training


def test_training_is_a_function_of_the_seed(model: IRNet, settings: Settings, plan: HeadTraining) -> None:
    train_heads(model, settings, 1, plan)
    first = parameters(model)
    train_heads(model, settings, 1, replace(plan, heads=plan.heads / "again"))
    assert all(torch.equal(p, first[name]) for name, p in parameters(model).items())


def test_a_loss_that_is_not_finite_stops_the_row(
    model: IRNet, settings: Settings, plan: HeadTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "mask_loss", lambda logits, *_: logits.sum() * torch.nan)
    with pytest.raises(NotFiniteError, match="loss not finite"):
        train_heads(model, settings, 1, plan)


def test_truth_is_kept_at_the_scale_of_the_network(crops: CropDataset, item: Item, tmp_path: Path) -> None:
    half = load_recipe("study-tiny", ["model.min_size=96", "model.max_size=96"])
    cache_crops(build_model(half.model, half.loss, half.predict), crops, 1, tmp_path, CPU)
    truths = read_boxes(tmp_path, [0], CPU).truths
    torch.testing.assert_close(truths.boxes[0, :-1], item[1]["boxes"] / 2)


def test_every_crop_is_learned_from_as_often(plan: HeadTraining) -> None:
    order = heads._order(replace(plan, crops=5), seed=0)
    numbers = np.concatenate([next(order) for _ in range(10)])
    assert np.bincount(numbers).tolist() == [4] * 5


def test_the_rate_rises_then_falls() -> None:
    rates = [heads._rate(step, 100) for step in range(100)]
    assert np.argmax(rates) == 9
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] < 0.001
