"""Candidates of the DRM: the best of each class, labelled as the plain rule labels them."""

import pytest
import torch

from irnet.models.candidates import Candidates, ScoredCandidates, label_candidates, top_candidates
from irnet.models.duplicate_removal import drm_labels
from irnet.models.truths import Truths


def test_best_of_each_class_in_order():
    scores = torch.tensor([[[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]]])  # (1, 3, 2)
    boxes = torch.arange(24.0).view(1, 3, 2, 4)
    features = torch.arange(3.0).view(1, 3, 1)
    best = top_candidates(features, boxes, scores, torch.ones(1, 3, 2, dtype=torch.bool), count=2)
    assert best.features[0, :, :, 0].tolist() == [[1, 2], [0, 2]]
    assert torch.equal(best.boxes[0, 0, 1], boxes[0, 2, 0])
    assert torch.equal(best.boxes[0, 1, 0], boxes[0, 0, 1])
    assert best.scores[0].tolist() == [[pytest.approx(0.8), 0.5], [pytest.approx(0.9), 0.5]]
    assert best.valid.all()


def test_what_may_not_compete_comes_last_as_padding():
    scores = torch.tensor([[[0.9], [0.2], [0.8]]])
    valid = torch.tensor([[[False], [True], [True]]])
    best = top_candidates(torch.zeros(1, 3, 1), torch.zeros(1, 3, 1, 4), scores, valid, count=10)
    assert best.valid.tolist() == [[[True, True, False]]]
    assert best.scores[0, 0].tolist() == pytest.approx([0.8, 0.2, 0.0])


def test_no_proposals():
    best = top_candidates(
        torch.zeros(2, 0, 8),
        torch.zeros(2, 0, 2, 4),
        torch.zeros(2, 0, 2),
        torch.zeros(2, 0, 2, dtype=torch.bool),
        count=5,
    )
    assert best.scores.shape == (2, 2, 0)


@pytest.mark.parametrize("rule", ["max_score", "max_iou"])
def test_all_groups_at_once_equal_one_by_one(rule, target):
    torch.manual_seed(0)
    truths = Truths.collate([target(6), target(3, seed=1), target(0)], torch.ones(3, 2))
    source = truths.boxes[:, :, None].expand(-1, -1, 20, -1).flatten(1, 2)[:, None]  # many of each truth
    boxes = source + torch.randn(3, 2, source.shape[2], 4) * 4
    scores = torch.rand(boxes.shape[:3])
    valid = torch.rand(scores.shape) > 0.2
    found = label_candidates(
        Candidates(torch.zeros(*scores.shape, 1), boxes, scores, valid), truths, rule=rule, iou=0.5
    )
    for image in range(3):
        for c in range(2):
            mine = truths.valid[image] & (truths.labels[image] == c + 1)
            real = valid[image, c]
            expected = drm_labels(
                boxes[image, c][real],
                scores[image, c][real],
                truths.boxes[image][mine],
                rule=rule,
                iou=0.5,
            )
            assert torch.equal(found[image, c][real], expected)
            assert not found[image, c][~real].any()
    assert found.sum() == 9  # each truth has one


def test_rank_raises_p_to_the_power_of_its_class():
    scores, correct = torch.tensor([[[0.9, 0.8], [0.6, 0.5]]]), torch.tensor([[[0.04, 1.0], [0.25, 0.0]]])
    scored = ScoredCandidates(torch.zeros(1, 2, 2, 4), scores, correct)
    assert torch.equal(scored.rank((1.0, 1.0)), scores * correct)
    assert torch.allclose(scored.rank((0.0, 0.5)), torch.tensor([[[0.9, 0.8], [0.3, 0.0]]]))
