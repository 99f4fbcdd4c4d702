"""Losses against their definitions; what is not labelled gives none."""

import math

import pytest
import torch
from torch.nn import functional as F

from irnet.models.losses import class_loss, giou, mask_loss, mask_targets, mean_over, smooth_l1


def test_class_loss_is_cross_entropy_where_all_is_labelled():
    logits, labels = torch.randn(50, 3), torch.randint(0, 3, (50,))
    nothing = torch.zeros(50, 2, dtype=torch.bool)
    torch.testing.assert_close(
        class_loss(logits, labels, nothing), F.cross_entropy(logits, labels, reduction="none")
    )


def test_background_may_hide_a_class_that_was_not_annotated():
    logits = torch.tensor([[1.0, 5.0, 2.0]]).repeat(2, 1)
    hidden = torch.tensor([[True, False]]).repeat(2, 1)
    p = logits[0].softmax(0)
    background, nucleus = class_loss(logits, torch.tensor([0, 2]), hidden)
    assert background == pytest.approx(-math.log(p[0] + p[1]), rel=1e-5)
    assert nucleus == pytest.approx(-math.log(p[2]), rel=1e-5)  # a labelled box is no background


def test_class_loss_has_no_gradient_towards_what_is_unknown():
    logits = torch.zeros(1, 3, requires_grad=True)
    class_loss(logits, torch.tensor([0]), torch.tensor([[True, True]])).sum().backward()
    assert logits.grad.abs().max() < 1e-6


def test_mean_over_counts_what_it_is_told():
    values = torch.tensor([1.0, 2.0, torch.nan])
    wanted, counted = torch.tensor([True, True, False]), torch.tensor([True, True, True])
    assert mean_over(values, wanted, counted) == 1.0
    assert mean_over(values, ~wanted & wanted, ~counted) == 0.0


def test_smooth_l1_by_hand():
    loss = smooth_l1(torch.tensor([[0.05, 2.0, 0.0, 0.0]]), torch.zeros(1, 4), beta=0.1)
    assert loss.item() == pytest.approx(0.5 * 0.05**2 / 0.1 + 2.0 - 0.05)


def test_giou_by_hand():
    box = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    assert giou(box, box).item() == pytest.approx(0, abs=1e-6)
    # side by side with a gap of 2: IoU 0, hull 6 x 2 of which 4 is empty
    assert giou(box, box + torch.tensor([4.0, 0.0, 4.0, 0.0])).item() == pytest.approx(1 + 4 / 12, rel=1e-5)


def test_mask_loss_reads_the_own_class():
    logits = torch.full((2, 3, 28, 28), 9.0)
    logits[0, 1], logits[1, 2] = 0.0, -20.0
    targets = torch.zeros(2, 28, 28)
    expected = (math.log(2) + 0) / 2
    assert mask_loss(logits, torch.tensor([1, 2]), targets).item() == pytest.approx(expected, rel=1e-5)
    assert mask_loss(logits[:0], torch.zeros(0, dtype=torch.int64), targets[:0]) == 0


def test_mask_target_of_the_truth_box_is_its_mask():
    mask = torch.zeros(1, 112, 112, dtype=torch.uint8)
    mask[:, 28:84, :56] = 255
    box = torch.tensor([[10.0, 20.0, 50.0, 60.0]])
    target = mask_targets(box, box, mask, side=28)[0]
    expected = torch.zeros(28, 28)
    expected[7:21, :14] = 1
    torch.testing.assert_close(target, expected)


def test_mask_target_of_a_wider_box_is_empty_outside_the_truth():
    mask = torch.full((1, 112, 112), 255, dtype=torch.uint8)
    truth = torch.tensor([[10.0, 10.0, 20.0, 20.0]])
    target = mask_targets(torch.tensor([[5.0, 5.0, 25.0, 25.0]]), truth, mask, side=28)[0]
    expected = torch.zeros(28, 28)
    expected[7:21, 7:21] = 1
    torch.testing.assert_close(target, expected, atol=0.02, rtol=0)


def test_mask_target_of_a_part_is_that_part():
    mask = torch.zeros(1, 112, 112, dtype=torch.uint8)
    mask[:, :, :56] = 255
    truth = torch.tensor([[0.0, 0.0, 40.0, 40.0]])
    left, right = (
        mask_targets(torch.tensor([box]), truth, mask, side=28)
        for box in ([2.0, 4.0, 18.0, 30.0], [22.0, 4.0, 38.0, 30.0])
    )
    assert left.min() > 0.99
    assert right.max() < 0.01
