"""Boxes in NumPy are those of the torch modules."""

import numpy as np
import pytest
import torch

from irnet.inference.fast import boxes as fast
from irnet.inference.fast import ranking
from irnet.inference.fast.pooling import pool
from irnet.models import views
from irnet.models.box_coder import BoxCoder
from irnet.models.boxes import box_iou, clip
from irnet.models.constants import LEVELS, STRIDES
from irnet.models.duplicate_removal import ranks_within
from irnet.models.image_batch import ImageBatch
from irnet.models.mask_branch import enlarge
from irnet.models.postprocess import soften
from irnet.models.vision import AnchorGenerator, initLevelMapper, pyramid_pool

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


@pytest.mark.parametrize("reach", [1.0, 90.0, 1e9])
def test_ranks(some: np.ndarray, reach: float) -> None:
    scores = np.random.default_rng(2).integers(0, 50, 200).astype(np.float32)  # some tie
    expected = ranks_within(reach, torch.tensor(scores), torch.tensor(some))
    assert ranking.ranks_within(reach, scores, some).tolist() == expected.tolist()
    if reach == 1e9:
        assert ranking.ranks_within(None, scores, some).tolist() == expected.tolist()


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
    expected = initLevelMapper(2, 5)([torch.tensor(some)]).numpy()
    assert set(expected) == set(range(LEVELS))
    np.testing.assert_array_equal(fast.level_of(some), expected)


@pytest.mark.parametrize(("size", "side"), [((512, 416), 7), ((64, 96), 14), ((32, 32), 7)])
def test_pooled_samples(some: np.ndarray, size: tuple[int, int], side: int) -> None:
    rng = np.random.default_rng(3)
    shapes = [(size[0] // stride, size[1] // stride) for stride in STRIDES[:LEVELS]]
    levels = [rng.normal(size=(*shape, 24)).astype(np.float32) for shape in shapes]
    pooler = pyramid_pool(list("0123"), STRIDES[:LEVELS], side=side, inside=False)
    features = {str(i): torch.tensor(level).permute(2, 0, 1)[None] for i, level in enumerate(levels)}
    expected = pooler(features, [torch.tensor(some)], [size]).permute(0, 2, 3, 1)

    pyramid = np.concatenate([level.reshape(-1, 24) for level in levels])
    np.testing.assert_allclose(pool(pyramid, shapes, some, side), expected, atol=1e-3)
    assert pool(pyramid, shapes, some[:0], side).shape == (0, side, side, 24)


def test_soft_suppression(some: np.ndarray) -> None:
    scores = np.random.default_rng(2).random(200).astype(np.float32)
    expected = soften(torch.tensor(some), torch.tensor(scores))
    np.testing.assert_allclose(fast.soften(some, scores), expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(70, 51), (64, 64), (130, 91)])
def test_resampled(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(4).integers(0, 256, (3, *shape)).astype(np.uint8)
    batch = ImageBatch(mean=(0.0,) * 3, std=(1.0,) * 3, min_size=64, max_size=90)
    expected, sizes, _ = batch([torch.tensor(image)])
    for channel, values in zip(image, expected[0].numpy(), strict=True):
        found = fast.resample(channel, sizes[0])
        np.testing.assert_allclose(found, values[: sizes[0][0], : sizes[0][1]], atol=1e-3)


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
