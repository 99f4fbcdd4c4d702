"""Truth in batches, and how boxes lie to it."""

import torch

from irnet.models.truths import Truths, ignored, truth_iou


def test_truths_of_different_numbers(target):
    truths = Truths.collate([target(3), target(0)], torch.ones(2, 2))
    assert truths.valid.sum(dim=1).tolist() == [3, 0]
    assert torch.equal(truths.boxes[0, :3], target(3)["boxes"])
    assert truths.masks.shape == (2, 4, 112, 112)


def test_truths_follow_the_scale_of_the_image(target):
    truths = Truths.collate([target(2)], torch.tensor([[0.5, 2.0]]))
    expected = target(2)["boxes"] * torch.tensor([0.5, 2.0, 0.5, 2.0])
    torch.testing.assert_close(truths.boxes[0, :2], expected)


def test_truth_of_an_unannotated_class_does_not_count(target):
    truth = target(4) | {"annotated": torch.tensor([True, False])}
    truths = Truths.collate([truth], torch.ones(1, 2))
    assert truths.valid[0].tolist() == [True, False, True, False, False]
    assert not truths.complete.any()


def test_padding_overlaps_nothing(target):
    truths = Truths.collate([target(2)], torch.ones(1, 2))
    overlap = truth_iou(truths.boxes, truths)
    assert torch.equal(overlap.amax(dim=2) > 0.99, torch.tensor([[True, True, False]]))


def test_more_than_half_inside_an_ignore_region(target):
    truth = target(0) | {"ignore": torch.tensor([[0.0, 0.0, 10.0, 10.0]])}
    truths = Truths.collate([truth], torch.ones(1, 2))
    boxes = torch.tensor([[[0.0, 0.0, 5.0, 10.0], [6.0, 0.0, 13.0, 5.0], [4.0, 0.0, 14.0, 10.0]]])
    assert ignored(boxes, truths).tolist() == [[True, True, True]]
    assert ignored(boxes + 6, truths).tolist() == [[False, False, False]]
