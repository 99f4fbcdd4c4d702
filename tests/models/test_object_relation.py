"""Object relation: sparse attention among boxes."""

import pytest
import torch

from irnet.models import object_relation
from irnet.models.object_relation import ObjectRelation, keep_top, pair_geometry, rank_embedding


def some_boxes(n: int) -> torch.Tensor:
    low = torch.rand(n, 2, dtype=torch.float64) * 100
    return torch.cat([low, low + 10 + 30 * torch.rand(n, 2, dtype=torch.float64)], dim=1)


@pytest.fixture
def relation() -> ObjectRelation:
    torch.manual_seed(0)
    return ObjectRelation(width=16, heads=4, key_width=8, top_k=3).double()


def test_order_of_the_boxes_does_not_matter(relation: ObjectRelation) -> None:
    features, boxes = torch.randn(10, 16, dtype=torch.float64), some_boxes(10)
    order = torch.randperm(10)
    torch.testing.assert_close(relation(features[order], boxes[order]), relation(features, boxes)[order])


def test_blocks_of_rows_change_nothing(relation: ObjectRelation, monkeypatch: pytest.MonkeyPatch) -> None:
    features, boxes = torch.randn(2, 11, 16, dtype=torch.float64), torch.stack([some_boxes(11)] * 2)
    whole = relation(features, boxes)
    monkeypatch.setattr(object_relation, "PAIRS_AT_ONCE", 70)  # 70 // 22 = 3 rows at a time
    torch.testing.assert_close(relation(features, boxes), whole)


def test_nobody_listens_to_padding(relation: ObjectRelation) -> None:
    features, boxes = torch.randn(6, 16, dtype=torch.float64), some_boxes(6)
    padded = torch.cat([features, torch.full((3, 16), 50.0, dtype=torch.float64)])
    valid = torch.arange(9) < 6
    update = relation(padded, torch.cat([boxes, torch.zeros(3, 4, dtype=torch.float64)]), valid)
    torch.testing.assert_close(update[:6], relation(features, boxes))
    assert update.isfinite().all()


def test_only_the_k_best_are_heard(relation: ObjectRelation) -> None:
    """With k = 1 each head returns the value of one box."""
    relation.top_k = 1
    features, boxes = torch.randn(5, 16, dtype=torch.float64), some_boxes(5)
    values = relation.value(features).view(5, 4, 4)
    update = relation(features, boxes).view(5, 4, 4)
    for head in range(4):
        distance = (update[:, None, head] - values[None, :, head]).abs().amax(dim=2)
        assert (distance.amin(dim=1) < 1e-12).all()


def test_keep_top_keeps_exactly_k() -> None:
    kept = keep_top(torch.zeros(3, 2, 50, 50), 40).isfinite()
    assert (kept.sum(dim=-1) == 40).all()


def test_geometry_ignores_place_and_scale() -> None:
    """Only that of the last pixel, which counts 1, remains: boxes are large here."""
    a, b = some_boxes(4) * 1e6, some_boxes(3) * 1e6
    moved = [(boxes * 7 + 1e6) for boxes in (a, b)]
    torch.testing.assert_close(pair_geometry(*moved), pair_geometry(a, b), rtol=1e-4, atol=1e-4)


def test_ranks_have_distinct_embeddings() -> None:
    embedded = rank_embedding(torch.arange(300))
    assert embedded.shape == (300, 1024)
    assert torch.cdist(embedded, embedded).fill_diagonal_(9).min() > 0.1


def test_gradient(relation: ObjectRelation) -> None:
    torch.nn.init.constant_(relation.geometry.bias, 1.0)  # away from the kink of the rectifier
    features = torch.randn(5, 16, dtype=torch.float64, requires_grad=True)
    boxes = some_boxes(5)
    assert torch.autograd.gradcheck(lambda f: relation(f, boxes), features)


@pytest.mark.parametrize("n", [0, 1])
def test_few_boxes(relation: ObjectRelation, n: int) -> None:
    features, boxes = torch.randn(n, 16, dtype=torch.float64), some_boxes(n)
    torch.testing.assert_close(relation(features, boxes), relation.value(features))
