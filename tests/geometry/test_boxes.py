"""Boxes against sums over pixels and over all pairs."""

import numpy as np
import pytest

from irnet.geometry import boxes


def random_boxes(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 90, (n, 2))
    return np.concatenate([low, low + rng.integers(0, 30, (n, 2))], axis=1).astype(float)


def test_iou_equals_counting_pixels() -> None:
    a, b = random_boxes(12, 0), random_boxes(9, 1)
    frame = np.zeros((2, 21, 120, 120), dtype=bool)
    for k, (x1, y1, x2, y2) in enumerate(np.concatenate([a, b]).astype(int)):
        frame[0, k, y1:y2, x1:x2] = True
    first, second = frame[0, :12, None], frame[0, None, 12:]
    shared, union = (first & second).sum((2, 3)), (first | second).sum((2, 3))
    np.testing.assert_allclose(boxes.iou(a, b), shared / np.maximum(union, 1))


@pytest.mark.parametrize(("n", "m"), [(0, 5), (5, 0), (1, 1), (60, 80)])
@pytest.mark.parametrize("together", [1, 7, boxes._TOGETHER])
def test_overlapping_pairs_are_those_that_share_area(
    n: int, m: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes, "_TOGETHER", together)
    a, b = random_boxes(n, 2), random_boxes(m, 3)
    expected = np.argwhere(boxes.intersection(a, b) > 0)
    np.testing.assert_array_equal(boxes.overlapping_pairs(a, b), expected.reshape(-1, 2))


def test_boxes_of_every_size_are_met_once() -> None:
    """Some as large as the frame, some thin and long, many small."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        low = rng.uniform(-50, 1000, (120, 2))
        size = np.exp(rng.uniform(-1, 7, (120, 2))) * (rng.random((120, 1)) < 0.9)
        both = np.concatenate([low, low + size], axis=1).round(1)
        a, b = both[:70], both[40:]
        expected = np.argwhere(boxes.intersection(a, b) > 0)
        np.testing.assert_array_equal(boxes.overlapping_pairs(a, b), expected)


def test_clip_keeps_boxes_in_the_frame() -> None:
    assert boxes.clip([[-3, 2, 50, 80]], height=40, width=30).tolist() == [[0, 2, 30, 40]]


def test_inverted_boxes_have_no_area() -> None:
    assert boxes.area([[5, 5, 2, 9], [0, 0, 2, 3]]).tolist() == [0, 6]


@pytest.mark.parametrize(("n", "m"), [(0, 5), (5, 0), (60, 80)])
def test_neighbours_are_the_pairs_box_by_box(n: int, m: int) -> None:
    a, b = random_boxes(n, 4), random_boxes(m, 5)
    near = boxes.neighbours(a, b)
    assert len(near) == n
    assert [[i, j] for i, those in enumerate(near) for j in those] == boxes.overlapping_pairs(a, b).tolist()
