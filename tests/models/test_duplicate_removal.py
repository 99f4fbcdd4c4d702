"""Duplicate removal: p(correct), its labels and its loss."""

import pytest
import torch
from torch import Tensor

from irnet.models.duplicate_removal import (
    DuplicateRemoval,
    LabelRule,
    LossForm,
    box_iou,
    drm_labels,
    drm_loss,
    log1mexp,
    ranks_of,
    ranks_within,
)


def clump(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Six objects with four boxes each, and six boxes of background: boxes, scores, truth boxes."""
    centres = torch.rand(6, 2, generator=generator) * 400
    sizes = 40 + 40 * torch.rand(6, 2, generator=generator)
    truths = torch.cat([centres - sizes / 2, centres + sizes / 2], dim=1)
    boxes = truths.repeat(4, 1) + 6 * torch.randn(24, 4, generator=generator)
    places = torch.rand(6, 2, generator=generator) * 400
    background = torch.cat([places - 25, places + 25], dim=1)
    high, low = (torch.rand(n, generator=generator) for n in (24, 6))
    return torch.cat([boxes, background]), torch.cat([0.4 + 0.6 * high, 0.3 * low]), truths


@pytest.fixture
def module() -> DuplicateRemoval:
    torch.manual_seed(0)
    return DuplicateRemoval(in_features=16, width=16, heads=4, key_width=8)


def test_parameters_are_those_of_the_paper() -> None:
    assert sum(p.numel() for p in DuplicateRemoval().parameters()) == 544_273


def test_starts_from_its_prior(module: DuplicateRemoval) -> None:
    boxes, scores, _ = clump(torch.Generator().manual_seed(0))
    p = module(torch.randn(30, 16), boxes, scores).detach().sigmoid()
    assert float(p.mean()) == pytest.approx(0.047, abs=0.02)


@pytest.mark.usefixtures("one_thread")
def test_learns_which_box_of_a_clump_is_correct() -> None:
    """Features are noise: only rank and geometry tell the best box of each object from its duplicates."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    module = DuplicateRemoval(in_features=16)
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-4)
    p_correct, p_duplicate = [], []
    for _ in range(150):
        boxes, scores, truths = zip(*(clump(generator) for _ in range(4)), strict=True)
        labels = torch.stack([drm_labels(*scene) for scene in zip(boxes, scores, truths, strict=True)])
        features = torch.randn(4, 30, 16, generator=generator)
        logits = module(features, torch.stack(boxes), torch.stack(scores))
        loss = drm_loss(logits, torch.stack(scores), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        p = logits.detach().sigmoid()
        p_correct.append(p[labels > 0].mean())
        p_duplicate.append(p[labels == 0].mean())
    assert torch.stack(p_correct[-20:]).mean() > 0.8
    assert torch.stack(p_duplicate[-20:]).mean() < 0.15


def test_order_of_the_candidates_does_not_matter(module: DuplicateRemoval) -> None:
    boxes, scores, _ = clump(torch.Generator().manual_seed(1))
    features, order = torch.randn(30, 16), torch.randperm(30)
    shuffled = module(features[order], boxes[order], scores[order])
    torch.testing.assert_close(shuffled, module(features, boxes, scores)[order])


def test_a_batch_is_its_members_and_padding_is_nobody(module: DuplicateRemoval) -> None:
    (boxes_a, scores_a, _), (boxes_b, scores_b, _) = (
        clump(torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    features = torch.randn(2, 30, 16)
    valid = torch.ones(2, 30, dtype=torch.bool)
    valid[1, 20:] = False
    together = module(features, torch.stack([boxes_a, boxes_b]), torch.stack([scores_a, scores_b]), valid)
    torch.testing.assert_close(together[0], module(features[0], boxes_a, scores_a))
    torch.testing.assert_close(together[1, :20], module(features[1, :20], boxes_b[:20], scores_b[:20]))


def test_alone_a_box_hears_of_no_other() -> None:
    """The control: as many parameters, and only a box's own feature and rank count."""
    torch.manual_seed(0)
    attending, alone = (DuplicateRemoval(relation=relation) for relation in (True, False))
    counts = [sum(p.numel() for p in module.parameters()) for module in (attending, alone)]
    assert counts[1] == pytest.approx(counts[0], rel=1e-3)
    boxes, scores, _ = clump(torch.Generator().manual_seed(1))
    features = torch.randn(30, 1024)
    changed = features.clone()
    changed[1:] += 1
    for module, same in ((attending, False), (alone, True)):
        first, second = (module(f, boxes, scores)[0] for f in (features, changed))
        assert torch.allclose(first, second) == same


def test_ranks_break_ties_by_index_and_put_padding_last() -> None:
    scores = torch.tensor([0.5, 0.9, 0.5, 0.95])
    assert ranks_of(scores).tolist() == [2, 1, 3, 0]
    assert ranks_of(scores, torch.tensor([True, True, True, False])).tolist() == [1, 0, 2, 3]


@torch.no_grad()
def test_within_reach_a_large_image_is_judged_as_its_fields_are(module: DuplicateRemoval) -> None:
    generator = torch.Generator().manual_seed(3)
    torch.nn.init.normal_(module.relation.geometry.weight)
    features, scores = torch.randn(20, 16, generator=generator), torch.rand(20, generator=generator)
    boxes = torch.rand(20, 4, generator=generator).cumsum(dim=1) * 50
    alone = module(features, boxes, scores)
    places = torch.cat([boxes, boxes + 1024])  # the field twice, far apart
    large = [features.repeat(2, 1), places, scores.repeat(2)]
    torch.testing.assert_close(module(*large, reach=500.0), alone.repeat(2), atol=5e-3, rtol=0)
    assert not torch.allclose(module(*large), alone.repeat(2), atol=5e-2)


def test_ranks_count_those_in_reach() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [50.0, 0.0, 60.0, 10.0], [100.0, 0.0, 110.0, 10.0]])
    scores = torch.tensor([0.5, 0.9, 0.8])
    assert ranks_within(50.0, scores, boxes).tolist() == [1, 0, 1]
    assert ranks_within(49.0, scores, boxes).tolist() == [0, 0, 0]
    assert ranks_within(1e9, scores, boxes).tolist() == ranks_of(scores).tolist()


@pytest.mark.parametrize("n", [0, 1])
def test_few_candidates(module: DuplicateRemoval, n: int) -> None:
    logits = module(torch.randn(n, 16), torch.rand(n, 4), torch.rand(n))
    assert logits.shape == (n,)
    assert logits.isfinite().all()


def test_gradient_reaches_features_and_neither_boxes_nor_scores(module: DuplicateRemoval) -> None:
    boxes, scores, truths = clump(torch.Generator().manual_seed(1))
    features = torch.randn(30, 16, requires_grad=True)
    boxes.requires_grad_()
    scores.requires_grad_()
    drm_loss(module(features, boxes, scores), scores, drm_labels(boxes, scores, truths)).backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
    assert boxes.grad is None
    assert scores.grad is None


def test_bfloat16(module: DuplicateRemoval) -> None:
    boxes, scores, _ = clump(torch.Generator().manual_seed(1))
    features = torch.randn(30, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = module(features, boxes, scores)
    torch.testing.assert_close(half.float(), module(features, boxes, scores), rtol=0.05, atol=0.1)


def test_each_rule_chooses_its_box() -> None:
    truth = torch.tensor([[0.0, 0.0, 100.0, 100.0]])
    boxes = torch.tensor([[0.0, 0.0, 100.0, 98.0], [0.0, 0.0, 100.0, 80.0], [0.0, 0.0, 100.0, 40.0]])
    scores = torch.tensor([0.6, 0.8, 0.9])  # IoU .98, .8 and .4, which is none of this truth's
    assert drm_labels(boxes, scores, truth, rule="max_iou").tolist() == [1, 0, 0]
    assert drm_labels(boxes, scores, truth, rule="max_score").tolist() == [0, 1, 0]


def test_a_box_belongs_to_the_truth_that_it_overlaps_most() -> None:
    truths = torch.tensor([[0.0, 0.0, 10.0, 10.0], [2.0, 0.0, 12.0, 10.0]])
    boxes = torch.tensor([[0.5, 0.0, 10.5, 10.0], [0.0, 0.0, 10.0, 9.0]])  # both nearer to the first
    assert drm_labels(boxes, torch.tensor([0.9, 0.8]), truths).tolist() == [1, 0]


def test_equal_candidates_give_one_correct_box() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0]] * 3)
    assert drm_labels(boxes, torch.full((3,), 0.5), boxes[:1]).tolist() == [1, 0, 0]


@pytest.mark.parametrize("rule", ["max_score", "max_iou"])
def test_labels_without_candidates_or_truths(rule: LabelRule) -> None:
    none, some = torch.zeros(0, 4), torch.tensor([[0.0, 0.0, 9.0, 9.0]])
    assert drm_labels(none, torch.zeros(0), some, rule=rule).shape == (0,)
    assert drm_labels(some, torch.ones(1), none, rule=rule).tolist() == [0]


@pytest.mark.parametrize("form", ["product", "probability"])
def test_loss_is_finite_with_a_gradient_at_extremes(form: LossForm) -> None:
    logits = torch.tensor([-200.0, -200.0, 200.0, 200.0, -30.0, 30.0], requires_grad=True)
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    loss = drm_loss(logits, torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.9]), labels, form=form)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[0] < 0  # a correct box with p = 0 is pulled up
    assert logits.grad[5] > 0  # a duplicate with p = 1 is pushed down


def test_loss_of_no_candidate_is_zero() -> None:
    logits = torch.zeros(0, requires_grad=True)
    loss = drm_loss(logits, torch.zeros(0), torch.zeros(0))
    loss.backward()
    assert loss.item() == 0


def test_log1mexp_is_accurate_at_both_ends() -> None:
    log_p = torch.tensor([-1e-6, -1e-3, -0.69, -0.70, -5.0, -80.0], dtype=torch.float64)
    expected = torch.tensor([-13.81551, -6.90826, -0.69635, -0.68637, -0.0067607, -1.8049e-35])
    torch.testing.assert_close(log1mexp(log_p).float(), expected, rtol=1e-4, atol=0)


def test_loss_gradient() -> None:
    logits = torch.tensor([-3.0, 0.4, 2.0, 5.0], dtype=torch.float64, requires_grad=True)
    scores, labels = torch.tensor([0.9, 0.5, 0.8, 1.0]).double(), torch.tensor([1.0, 0.0, 0.0, 0.0])
    assert torch.autograd.gradcheck(lambda z: drm_loss(z, scores, labels), logits)


def test_box_iou() -> None:
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 5.0, 5.0]])
    expected = torch.tensor([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]])
    torch.testing.assert_close(box_iou(boxes, boxes), expected)
