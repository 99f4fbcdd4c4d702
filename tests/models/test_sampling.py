"""Truth in batches and the boxes that give a loss."""

import torch

from irnet.models.sampling import Truths, area_growth, box_iou, clip, ignored, sample, truth_iou


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


def test_overlap_by_hand():
    a = torch.tensor([[[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 0.0, 0.0]]])
    b = torch.tensor([[[2.0, 2.0, 6.0, 6.0], [4.0, 4.0, 6.0, 6.0]]])
    assert box_iou(a, b)[0].tolist() == [[torch.tensor(4 / 28).item(), 0.0], [0.0, 0.0]]


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


def test_sample_prefers_no_positive_beyond_its_share():
    positive = torch.zeros(2, 100, dtype=torch.bool)
    positive[0, :60], positive[1, :3] = True, True
    index, chosen = sample(positive, ~positive, batch=20, positive_fraction=0.25)
    assert chosen.all()
    assert positive.gather(1, index).sum(dim=1).tolist() == [5, 3]
    assert all(len(set(row.tolist())) == 20 for row in index)


def test_sample_of_too_few_is_padded():
    positive = torch.tensor([[True, False, False, False]])
    negative = torch.tensor([[False, True, False, False]])
    index, chosen = sample(positive, negative, batch=10, positive_fraction=0.5)
    assert index[chosen].sort().values.tolist() == [0, 1]


def test_sample_without_quota_takes_negatives():
    positive = torch.tensor([[True, False, False]])
    index, chosen = sample(positive, ~positive, batch=3, positive_fraction=0.0)
    assert index[chosen].sort().values.tolist() == [1, 2]


def test_sample_is_uniform():
    torch.manual_seed(0)
    positive = torch.zeros(4000, 10, dtype=torch.bool)
    index, _ = sample(positive, ~positive, batch=2, positive_fraction=0.5)
    counts = index.flatten().bincount(minlength=10)
    assert (counts - 800).abs().max() < 110  # 4 standard deviations


def test_clip_and_growth():
    boxes = torch.tensor([[[-1.0, -1.0, 50.0, 50.0]], [[-1.0, 3.0, 50.0, 50.0]]])
    assert clip(boxes, [(20, 30), (40, 10)]).tolist() == [[[0, 0, 30, 20]], [[0, 3, 10, 40]]]
    assert area_growth([(512, 512)]) == 1.0
    assert area_growth([(100, 100), (2000, 1000)]) == 2.0
    assert area_growth([(1000, 1000)], 0.5) == 2.0
