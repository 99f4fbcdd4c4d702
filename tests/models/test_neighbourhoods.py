"""In large images relations reach as far as in the fields they were learned on."""

import numpy as np
import pytest
import torch

from irnet.models.neighbourhoods import by_tiles, relation_reach
from irnet.models.object_relation import are_near


def random_boxes(count: int) -> np.ndarray:
    low = np.random.default_rng(count).uniform(-10, 1000, (count, 2))
    return np.concatenate([low, low + 20], axis=1).astype(np.float32)


def test_only_images_beyond_a_field_have_a_reach():
    assert relation_reach([(700, 710)], 0.5) is None
    assert relation_reach([(100, 100), (1000, 1000)], 0.5) == pytest.approx(353.55, abs=0.01)


@pytest.mark.parametrize("reach", [None, 50.0, 353.5, 5000.0])
def test_each_row_comes_once_with_all_that_it_reaches(reach: float | None):
    boxes, rows = random_boxes(200), np.arange(0, 200, 3)
    groups = by_tiles(boxes, rows, reach)
    assert sorted(np.concatenate([mine for mine, _ in groups]).tolist()) == rows.tolist()
    placed = torch.from_numpy(boxes)
    near = are_near(placed, placed, 1e9 if reach is None else reach).numpy()
    for mine, others in groups:
        assert set(mine.tolist()) <= set(others.tolist())
        assert not np.delete(near[mine], others, axis=1).any()
    if reach == 50:
        assert max(len(others) for _, others in groups) < 50


def test_without_rows_nothing_is_asked_for():
    assert by_tiles(random_boxes(5), np.zeros(0, np.int64), None) == []
    assert by_tiles(random_boxes(5), np.zeros(0, np.int64), 50.0) == []
