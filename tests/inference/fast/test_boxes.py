"""Boxes in NumPy are those of the torch modules."""

import numpy as np
import pytest
import torch

from irnet.inference.fast import boxes as fast
from irnet.models import views
from irnet.models.box_coder import BoxCoder
from irnet.models.boxes import box_iou, clip
from irnet.models.constants import LEVELS, STRIDES
from irnet.models.mask_branch import enlarge
from irnet.models.postprocess import soften
from irnet.models.vision import AnchorGenerator, initLevelMapper

RATIOS = (0.5, 1.0, 2.0)


@pytest.fixture
def some() -> np.ndarray:
    """200 boxes of all sizes, some beyond an image of 500 x 400 px."""
    rng = np.random.default_rng(0)
    low = rng.uniform(-20, 450, (200, 2))
    return np.concatenate([low, low + np.exp(rng.uniform(0, 7, (200, 2)))], axis=1).astype(np.float32)


def test_anchors() -> None:
    shapes = [[7, 5], [4, 3], [2, 2], [1, 1], [1, 1]]
    sizes = (16, 32, 64, 128.5, 256)
    generator = AnchorGenerator(tuple((s,) for s in sizes), (RATIOS,) * 5)
    generator.set_cell_anchors(torch.float32, torch.device("cpu"))
    grids = generator.grid_anchors(shapes, [[s, s] for s in STRIDES])
    for grid, (_, columns), stride, size in zip(grids, shapes, STRIDES, sizes, strict=True):
        every = np.arange(len(grid))
        laid = fast.lay(fast.anchor_shapes(size, RATIOS), every, columns=columns, stride=stride)
        np.testing.assert_array_equal(laid, grid.numpy())


def test_codes(some: np.ndarray) -> None:
    codes = np.random.default_rng(1).normal(0, 3, (200, 3, 4)).astype(np.float32)
    expected = BoxCoder(10.0, 5.0).decode(torch.tensor(codes), torch.tensor(some)[:, None])
    np.testing.assert_allclose(fast.decode(codes, some[:, None], (10.0, 5.0)), expected, rtol=1e-5, atol=1e-3)


def test_cut_enlarged_and_overlapping(some: np.ndarray) -> None:
    boxes = torch.tensor(some)
    np.testing.assert_array_equal(fast.clip(some, (500, 400)), clip(boxes[None], [(500, 400)])[0])
    np.testing.assert_allclose(fast.enlarge(some, 1.5), enlarge(boxes, 1.5), rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(fast.overlap(some), box_iou(boxes[None], boxes[None])[0], atol=1e-6)


def test_levels(some: np.ndarray) -> None:
    levels, order = fast.by_level(some)
    expected = initLevelMapper(2, 5)([torch.tensor(some)]).numpy()
    assert [len(level) for level in levels] == np.bincount(expected, minlength=LEVELS).tolist()
    np.testing.assert_array_equal(np.concatenate(levels)[:, 1:], some[order])
    assert (np.diff(expected[order]) >= 0).all()


def test_soft_suppression(some: np.ndarray) -> None:
    scores = np.random.default_rng(2).random(200).astype(np.float32)
    expected = soften(torch.tensor(some), torch.tensor(scores))
    np.testing.assert_allclose(fast.soften(some, scores), expected, rtol=1e-4)


def test_the_best() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.9, 0.3], np.float32)
    assert fast.best(scores, 3).tolist() == [1, 3, 2]
    assert fast.best(scores, 9).tolist() == [1, 3, 2, 4, 0]
    assert fast.best(scores[:0], 3).tolist() == []


def test_views(some: np.ndarray) -> None:
    picture = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert len(fast.VIEWS) == len(views.VIEWS)
    for mine, theirs in zip(fast.VIEWS, views.VIEWS, strict=True):
        assert tuple(mine) == tuple(theirs)
        np.testing.assert_array_equal(mine.turn(picture), theirs.turn(torch.tensor(picture)))
        turned = theirs.turn_boxes(torch.tensor(some), (500, 400))
        np.testing.assert_array_equal(mine.turn_boxes(some, (500, 400)), turned)
