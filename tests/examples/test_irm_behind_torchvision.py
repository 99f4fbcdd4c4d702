"""The example runs, and its relation takes part in training and in prediction."""

import runpy
from pathlib import Path

import pytest
import torch
from torchvision.models.detection import maskrcnn_resnet50_fpn

EXAMPLE = Path(__file__).parents[2] / "examples" / "irm_behind_torchvision.py"


@pytest.fixture(scope="module")
def example() -> dict:
    return runpy.run_path(str(EXAMPLE))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=3,
        min_size=64,
        max_size=64,
        box_score_thresh=0.0,
        box_detections_per_img=8,
    )


@pytest.mark.slow
def test_it_runs(example: dict, capsys: pytest.CaptureFixture[str]) -> None:
    example["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    gammas = [float(line.rpartition(" ")[2]) for line in lines[:3]]
    assert gammas[-1] != 0
    assert "instances with masks of (1, 128, 128)" in lines[3]


def test_the_relation_hears_of_every_image_and_class(example: dict, model, monkeypatch) -> None:
    masks = example["RelatedMasks"](model.roi_heads)
    heard = []
    relate = masks.relation.forward
    monkeypatch.setattr(masks.relation, "forward", lambda *args: heard.append(args) or relate(*args))
    image, truth = example["draw"]()
    losses = model([image, image], [truth, truth])
    losses["loss_mask"].backward()
    deep, first, labels, images = heard[0]
    assert len(deep) == len(first) == len(labels) == len(images) >= 6  # the truth boxes are among them
    assert set(images.tolist()) == {0, 1}
    assert set(labels.tolist()) == {1, 2}
    assert masks.relation.gamma.grad is not None
    with torch.no_grad():
        found = model.eval()([image, image])
    assert torch.equal(heard[1][2], torch.cat([f["labels"] for f in found]))
    assert torch.equal(heard[1][3].bincount(minlength=2), torch.tensor([len(f["labels"]) for f in found]))
