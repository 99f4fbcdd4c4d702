"""Region proposals: where anchors lie, which give a loss, and what stays."""

import pytest
import torch

from irnet.models.proposals import STRIDES, assign_anchors
from irnet.models.sampling import Sampling
from irnet.models.truths import Truths, truth_iou


@pytest.fixture
def rpn(tiny):
    return tiny("model.anchor_sizes=[16, 32, 64, 96, 128]").rpn


def features(height: int = 128, width: int = 128, images: int = 1) -> list[torch.Tensor]:
    return [torch.randn(images, 64, -(-height // s), -(-width // s)) for s in STRIDES]


def assign(anchors: torch.Tensor, truths: Truths, *, ignore_straddling: bool = False):
    sampling = Sampling(
        batch=256,
        positive_fraction=0.5,
        positive_iou=0.7,
        negative_iou=0.3,
        ignore_straddling=ignore_straddling,
    )
    return assign_anchors(anchors, [(128, 128)], truths, sampling)


def test_anchors_are_centred_on_their_strides(rpn):
    for anchors, stride, size in zip(rpn._grid(features(96)), STRIDES, (16, 32, 64, 96, 128), strict=True):
        centres = (anchors[:, :2] + anchors[:, 2:]) / 2
        assert torch.equal(centres % stride, torch.zeros_like(centres))
        square = anchors[1, 2:] - anchors[1, :2]
        assert square.tolist() == [size, size]


def test_each_truth_has_an_anchor(rpn, target):
    truths = Truths.collate([target(6)], torch.ones(1, 2))
    anchors = torch.cat(rpn._grid(features()))
    positive, negative, _ = assign(anchors, truths)
    nearest = truth_iou(anchors[None], truths)[0, :, :6].argmax(dim=0)
    assert positive[0, nearest].all()
    assert not (positive & negative).any()
    assert negative.sum() > 1000


def test_straddling_anchors_give_no_loss(rpn, target):
    truths = Truths.collate([target(6)], torch.ones(1, 2))
    anchors = torch.cat(rpn._grid(features()))
    positive, negative, _ = assign(anchors, truths, ignore_straddling=True)
    used = anchors[(positive | negative)[0]]
    assert used.min() >= 0
    assert used.max() <= 128


def test_background_of_a_partly_annotated_image_gives_no_loss(rpn, target):
    truth = target(4, labels=(1,)) | {"annotated": torch.tensor([True, False])}
    truths = Truths.collate([truth], torch.ones(1, 2))
    positive, negative, _ = assign(torch.cat(rpn._grid(features())), truths)
    assert positive.any()
    assert not negative.any()


def test_only_reviewed_cells_of_an_unfinished_image_give_gradients(rpn, target):
    truth = target(2) | {"ignore": torch.tensor([[0.0, 0.0, 128.0, 128.0]])}
    truths = Truths.collate([truth], torch.ones(1, 2))
    anchors = torch.cat(rpn._grid(features()))
    positive, _, _ = assign_anchors(anchors, [(128, 128)], truths, rpn.sampling)
    logits = torch.randn(1, len(anchors), requires_grad=True)
    deltas = torch.randn(1, len(anchors), 4, requires_grad=True)
    sum(rpn.losses(logits, deltas, anchors, [(128, 128)], truths).values()).backward()
    assert (logits.grad != 0)[positive].all()
    assert not (logits.grad != 0)[~positive].any()
    assert not (deltas.grad != 0)[~positive].any()


@torch.no_grad()
def test_proposals_stay_in_their_images_and_under_the_limit(rpn):
    rpn.eval()
    proposed, losses = rpn(features(images=2), [(128, 128), (90, 70)])
    boxes = proposed.each()
    assert losses == {}
    assert all(0 < len(b) <= rpn.post_nms[1] for b in boxes)
    assert boxes[1][:, 2].max() <= 70
    assert boxes[1][:, 3].max() <= 90


@torch.no_grad()
def test_limits_grow_with_the_area_in_test(rpn, monkeypatch):
    monkeypatch.setattr("irnet.models.proposals.PROPOSAL_NMS_IOU", 1.0)
    rpn.eval()
    rpn.pre_nms, rpn.post_nms = (50, 50), (50, 50)
    small, _ = rpn(features(), [(128, 128)])
    large, _ = rpn(features(1024, 2048), [(1024, 2048)])
    assert small.valid.sum() == 50
    assert large.valid.sum() == round(50 * 1024 * 2048 / 1e6 / rpn.field_megapixels)


def test_losses_are_means_over_the_sample(rpn, target):
    truths = Truths.collate([target(4)], torch.ones(1, 2))
    grid = rpn._grid(features())
    count = sum(len(level) for level in grid)
    losses = rpn.losses(
        torch.zeros(1, count), torch.zeros(1, count, 4), torch.cat(grid), [(128, 128)], truths
    )
    assert losses["objectness"].item() == pytest.approx(0.6931, abs=1e-4)
    assert 0 < losses["rpn_box"] < 1
