"""Clumps, nuclei and joint evolution on scenes of discs."""

import numpy as np
import pytest
from discs import disc, iou, photograph

from irnet.baselines.jomls import clumps, joint, nuclei
from irnet.baselines.jomls.patch import Patch, Rectangle
from irnet.baselines.jomls.segment import prepare

SHAPE = (150, 190)


def grey_of(cells: list[np.ndarray], inner: list[np.ndarray]) -> np.ndarray:
    return prepare(photograph(cells, inner), 0.37)


# Clumps


def test_a_disc_is_a_clump_and_a_small_one_is_none() -> None:
    large, small = disc(SHAPE, (70, 60), 40), disc(SHAPE, (70, 150), 15)
    found = clumps.find_clumps(grey_of([large, small], []))
    assert set(np.unique(found)) == {0, found[70, 60]}
    assert iou(found > 0, large) > 0.93


def test_a_clump_has_no_hull_of_a_faint_step() -> None:
    step = np.full((130, 80), 238, dtype=np.uint8)
    step[:, 40:] = 233
    assert not clumps.outline_clumps(step).any()
    step[:, 40:] = 220
    assert clumps.outline_clumps(step).any()


def test_hulls_are_convex_and_filled() -> None:
    hull = clumps.outline_clumps(grey_of([disc(SHAPE, (70, 60), 40)], []))
    assert hull[70, 60]
    assert iou(hull, disc(SHAPE, (70, 60), 40)) > 0.85


def test_gaussians_part_two_clouds() -> None:
    rng = np.random.default_rng(0)
    dark, bright = rng.normal(0.5, 0.05, (3, 500)), rng.normal(0.9, 0.02, (3, 1500))
    features, truth = np.concatenate([dark, bright], axis=1), np.arange(2000) < 500
    first = truth.copy()
    first[400:600] = ~first[400:600]
    fitted = clumps.fit_gaussians(features, first)
    assert np.array_equal(clumps.classify(features, fitted), truth)
    assert fitted.means[:, 0] == pytest.approx([0.9, 0.5], abs=0.01)
    assert fitted.covariances[1] == pytest.approx(np.cov(dark, bias=True), abs=1e-4)


def test_a_cell_needs_a_probability_of_65_percent() -> None:
    gaussians = clumps.Gaussians(np.array([[0.0] * 3, [1.0] * 3]), np.stack([np.eye(3)] * 2))
    features = np.array([[9.0], [9.0], [9.0]]) * np.array([[1.0, 0, 0]])  # one pixel is certain
    between = 0.5 + np.log(np.array([0.64, 0.67]) / np.array([0.36, 0.33])) / 3  # P(cell) .64 and .67
    features[:, 1:] = between
    assert clumps.classify(features, gaussians).tolist() == [True, False, True]


# Nuclei


def test_only_nuclei_whole_inside_a_clump_count() -> None:
    clump = disc(SHAPE, (70, 60), 45)
    inner = [disc(SHAPE, (70, 50), 9), disc(SHAPE, (70, 104), 9), disc(SHAPE, (110, 160), 9)]
    found = nuclei.find_nuclei(grey_of([clump], inner), clump.astype(np.int64))
    assert [nucleus.clump for nucleus in found] == [1]
    assert found[0].centre == pytest.approx((70, 50), abs=0.6)
    assert iou(found[0].patch.within(Rectangle(0, SHAPE[0], 0, SHAPE[1])), inner[0]) > 0.75


@pytest.mark.parametrize(
    ("radius", "found"), [(4, 0), (7, 1), (12, 1), (16, 0)], ids=["tiny", "small", "large", "too large"]
)
def test_nuclei_have_120_to_600_pixels(radius: int, found: int) -> None:
    clump = disc((200, 200), (100, 100), 80)
    grey = grey_of([clump], [disc((200, 200), (100, 100), radius)])
    assert len(nuclei.find_nuclei(grey, clump.astype(np.int64))) == found


def test_a_long_blob_is_no_nucleus() -> None:
    clump, long = disc(SHAPE, (70, 90), 60), np.zeros(SHAPE, dtype=bool)
    long[66:73, 70:110] = True
    assert nuclei.find_nuclei(grey_of([clump], [long]), clump.astype(np.int64)) == []


def test_a_blob_that_fills_its_clump_is_no_nucleus() -> None:
    clump, blob = disc(SHAPE, (70, 60), 24), disc(SHAPE, (70, 60), 10)
    assert nuclei.find_nuclei(grey_of([clump], [blob]), clump.astype(np.int64)) == []


# Joint evolution


@pytest.mark.parametrize(("radius", "least"), [(45, 0.96), (40, 0.96), (36, 0.91)])
def test_overlapping_discs_are_found_from_wrong_ones(radius: float, least: float) -> None:
    cells = [disc(SHAPE, (70, 65), 40), disc(SHAPE, (70, 115), 40)]
    clump = cells[0] | cells[1]
    grey = np.where(clump, photograph(cells, [])[..., 0], 0).astype(float)
    starts = [disc(SHAPE, (70, 65), radius) & clump, disc(SHAPE, (70, 115), radius) & clump]
    moved = joint.evolve_jointly(grey, clump, {4: Patch.cut(starts[0]), 7: Patch.cut(starts[1])})
    assert list(moved) == [4, 7]
    for cell, truth in zip(moved.values(), cells, strict=True):
        assert iou(cell.within(Rectangle(0, SHAPE[0], 0, SHAPE[1])), truth) > least


def test_a_mirrored_scene_has_mirrored_cells() -> None:
    cells = [disc((100, 160), (50, 59.5), 35), disc((100, 160), (50, 99.5), 35)]
    clump = cells[0] | cells[1]
    grey = np.where(clump, 190.0 - 30 * (cells[0] & cells[1]), 0)
    moved = joint.evolve_jointly(grey, clump, dict(enumerate(map(Patch.cut, cells))))
    frame = Rectangle(0, 100, 0, 160)
    assert np.array_equal(moved[0].within(frame)[:, ::-1], moved[1].within(frame))


def test_overlap_costs_area() -> None:
    """Against a neighbour a cell gives up more than alone, wherever no edge holds it."""
    clump = np.ones((100, 160), dtype=bool)
    cell, other = Patch.cut(disc(clump.shape, (50, 60), 30)), Patch.cut(disc(clump.shape, (50, 90), 30))
    weight = np.full(clump.shape, 0.1)
    met = joint.evolve_cell(cell, [other], weight, clump)
    missed = joint.evolve_cell(cell, [Patch.cut(disc(clump.shape, (50, 140), 15))], weight, clump)
    assert met.mask.sum() < 0.95 * missed.mask.sum()


def test_neighbours_are_within_5_pixels() -> None:
    cells = {i: Patch(np.ones((10, 10), dtype=bool), x, 0) for i, x in enumerate((0, 14, 40))}
    assert len(joint.find_neighbours(0, cells)) == 1
    assert joint.find_neighbours(1, cells)[0] is cells[0]
    assert joint.find_neighbours(2, cells) == []


def test_the_largest_piece_is_kept_whole() -> None:
    mask = disc(SHAPE, (70, 60), 20) | disc(SHAPE, (70, 140), 10)
    holed = mask & ~disc(SHAPE, (70, 60), 5)
    assert np.array_equal(joint.keep_largest(holed), disc(SHAPE, (70, 60), 20))
    assert not joint.keep_largest(np.zeros((5, 5), dtype=bool)).any()
