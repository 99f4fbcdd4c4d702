"""Outlines of many masks at once against those of scikit-image, mask by mask."""

import numpy as np
import pytest
from skimage.measure import find_contours

from irnet.geometry import tracing
from irnet.geometry.tracing import Ring, trace

RNG = np.random.default_rng(0)
MASKS = [RNG.random(RNG.integers(1, 14, 2)) < share for share in (0.2, 0.5, 0.9) for _ in range(60)]
OFFSETS = RNG.integers(0, 1000, (len(MASKS), 2))


def turned(ring: Ring) -> list[tuple[float, ...]]:
    """The vertices of a closed ring from its least one on: where it begins is free."""
    points = [tuple(point) for point in ring[:-1].tolist()]
    least = points.index(min(points))
    assert np.array_equal(ring[0], ring[-1])
    return points[least:] + points[:least]


@pytest.mark.parametrize("together", [1, 7, 1024])
def test_rings_are_those_of_scikit_image(together: int, monkeypatch) -> None:
    monkeypatch.setattr(tracing, "_TOGETHER", together)
    for mask, offset, rings in zip(MASKS, OFFSETS, trace(MASKS, OFFSETS), strict=True):
        expected = find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="high")
        expected = [ring[:, ::-1] - 0.5 + offset for ring in expected]
        assert sorted(map(turned, rings)) == sorted(map(turned, expected))
        assert [len(ring) for ring in rings] == sorted(map(len, expected), reverse=True)


def test_masks_without_pixels_have_no_rings() -> None:
    empty = [np.zeros((0, 0), dtype=bool), np.zeros((3, 2), dtype=bool)]
    assert list(trace(empty, np.zeros((2, 2), dtype=np.int64))) == [[], []]
    assert list(trace([], np.zeros((0, 2), dtype=np.int64))) == []
