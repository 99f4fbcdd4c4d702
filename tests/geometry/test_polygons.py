"""Polygons: filling, outlines and what is refused."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.draw import polygon2mask
from skimage.measure import points_in_poly

from irnet.errors import InputError
from irnet.geometry import polygons


def circle(radius: float, centre: tuple[float, float] = (50.0, 50.0), vertices: int = 90) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + centre


def paste(crop: np.ndarray, offset: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    frame = np.zeros(shape, dtype=bool)
    frame[offset[1] : offset[1] + crop.shape[0], offset[0] : offset[0] + crop.shape[1]] = crop
    return frame


def test_a_pixel_belongs_to_the_polygon_that_holds_its_centre() -> None:
    ring = circle(23.3, (41.7, 52.2))
    filled = paste(*polygons.rasterise([ring], (100, 100)), (100, 100))
    centres = polygon2mask((100, 100), ring[:, ::-1] - 0.5)
    assert np.count_nonzero(filled ^ centres) <= 0.02 * np.count_nonzero(centres)


def test_any_polygon_holds_exactly_the_pixels_whose_centres_it_holds() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:50, :60]
    centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    for vertices in range(3, 40):  # crossing themselves, leaving the frame
        ring = rng.uniform(-20, 80, (vertices, 2))
        filled = paste(*polygons.rasterise([ring], (50, 60)), (50, 60))
        assert np.array_equal(filled.ravel(), points_in_poly(centres, ring))


def test_a_rectangle_on_pixel_corners_is_exact() -> None:
    crop, offset = polygons.rasterise([[3, 2, 10, 2, 10, 7, 3, 7]], (20, 20))
    assert offset == (3, 2)
    assert crop.shape == (5, 7)
    assert crop.all()


def test_what_leaves_the_frame_is_cut_off() -> None:
    crop, offset = polygons.rasterise([circle(20, (0, 50))], (100, 100))
    assert offset == (0, 30)
    assert crop.shape == (40, 20)


def test_outside_the_frame_nothing_is_left() -> None:
    crop, offset = polygons.rasterise([circle(5, (120, 120))], (100, 100))
    assert crop.shape == (0, 0)
    assert offset == (0, 0)


@pytest.mark.parametrize("radius", [6, 13, 40])
def test_outline_and_filling_are_inverse(radius: int) -> None:
    crop, offset = polygons.rasterise([circle(radius)], (100, 100))
    again, place = polygons.rasterise([polygons.contours(crop, offset)[0]], (100, 100))
    before, after = paste(crop, offset, (100, 100)), paste(again, place, (100, 100))
    assert np.count_nonzero(before & after) / np.count_nonzero(before | after) >= 0.99


def test_holes_have_outlines_of_their_own() -> None:
    crop = np.ones((9, 9), dtype=bool)
    crop[3:6, 3:6] = False
    assert len(polygons.contours(crop, (0, 0))) == 2


@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_outlines_with_holes_are_the_very_mask(mask: np.ndarray) -> None:
    if mask.any():
        (rings,) = polygons.outlines([mask], np.array([[3, 2]]))
        again = polygons.rasterise(rings, (20, 20), holes=True)
        assert np.array_equal(paste(*again, (20, 20))[2:, 3:][: mask.shape[0], : mask.shape[1]], mask)


def test_an_outline_loses_most_of_its_vertices() -> None:
    crop, offset = polygons.rasterise([circle(40)], (100, 100))
    (full,), ((lean,),) = polygons.contours(crop, offset), polygons.outlines([crop], np.array([offset]))
    assert len(lean) < 0.5 * len(full)
    assert np.array_equal(lean[0], lean[-1])
    assert {tuple(vertex) for vertex in lean} <= {tuple(vertex) for vertex in full}


def test_no_vertex_left_out_is_farther_than_the_tolerance() -> None:
    rings = [polygons.contours(*polygons.rasterise([circle(r)], (100, 100)))[0] for r in (40, 9)]
    for ring, thin in zip(rings, polygons.simplify(rings, 0.5), strict=True):
        kept = [int(np.flatnonzero((ring == vertex).all(axis=1))[0]) for vertex in thin[:-1]]
        assert kept == sorted(kept)
        for first, last in pairwise([*kept, len(ring) - 1]):
            a, b = ring[first], ring[last]
            between = ring[first : last + 1] - a
            across = np.abs(between @ np.array([-(b - a)[1], (b - a)[0]])) / np.linalg.norm(b - a)
            assert across.max() <= 0.5


def test_rings_thin_out_together_as_they_do_alone() -> None:
    line = np.array([[0, 0], [9, 0], [4, 0], [0, 0]], dtype=float)
    rings = [circle(40)[[*range(90), 0]], np.zeros((4, 2)), line, circle(9)[[*range(90), 0]]]
    for thin, ring in zip(polygons.simplify(rings, 0.5), rings, strict=True):
        assert np.array_equal(thin, polygons.simplify([ring], 0.5)[0])
    assert polygons.simplify([]) == []


def test_a_ring_inside_another_is_a_hole_only_when_asked_for() -> None:
    rings = [[0, 0, 9, 0, 9, 9, 0, 9], [3, 3, 6, 3, 6, 6, 3, 6], [4, 4, 5, 4, 5, 5, 4, 5]]
    assert polygons.rasterise(rings, (9, 9))[0].sum() == 81
    assert polygons.rasterise(rings, (9, 9), holes=True)[0].sum() == 81 - 9 + 1


def test_an_ellipse_fills_its_box() -> None:
    crop, offset = polygons.rasterise([polygons.ellipse((10, 20, 50, 40))], (100, 100))
    assert (crop.shape, offset) == ((20, 40), (10, 20))
    assert crop.sum() == pytest.approx(np.pi * 20 * 10, rel=0.01)


@pytest.mark.parametrize(
    "rings",
    [
        [],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5]],
        [[1, 2, 3, 4, float("nan"), 6]],
        [[1, 2, 3, 4, 1e8, 6]],
        [["a", "b", "c"]],
        [None],
    ],
)
def test_what_is_no_polygon_is_refused(rings: list) -> None:
    with pytest.raises(InputError, match=r"polygon|point"):
        polygons.rasterise(rings, (10, 10))


def test_an_outline_that_runs_up_and_down_without_end_is_refused() -> None:
    comb = np.stack([np.arange(20_000) % 1000, np.tile([0, 4000], 10_000)], axis=1)
    with pytest.raises(InputError, match="20000 vertices"):
        polygons.rasterise([comb], (4000, 4000))
