"""The first guess: who owns an outline, stars, and the distance map."""

import numpy as np
import pytest
from discs import disc, iou
from scipy.ndimage import binary_dilation

from irnet.baselines.jomls.guess import (
    ANGLES,
    Star,
    draw_map,
    drop_fragments,
    guess_cells,
    outlines,
    share_outline,
)
from irnet.baselines.jomls.patch import Patch, Rectangle

SHAPE = (120, 180)
CENTRES = np.array([(60.0, 65.0), (60.0, 115.0)])
DISCS = [disc(SHAPE, tuple(centre), 40) for centre in CENTRES]
CLUMP = DISCS[0] | DISCS[1]
FRAME = Rectangle(0, SHAPE[0], 0, SHAPE[1])


def test_two_discs_are_guessed_through_one_another() -> None:
    cells = guess_cells(CLUMP, CENTRES)
    assert list(cells) == [0, 1]
    for index, cell in cells.items():
        assert iou(cell.within(FRAME), DISCS[index]) > 0.95


def test_the_outline_goes_to_the_nearest_centre() -> None:
    left, right = share_outline(CLUMP, CENTRES)
    assert len(left) + len(right) == sum(map(len, outlines(CLUMP)))
    assert left[:, 1].max() <= 90 <= right[:, 1].min()


def test_an_outline_that_its_centre_cannot_see_goes_to_the_neighbour_along_it() -> None:
    clump = np.zeros((80, 130), dtype=bool)
    clump[10:70, 10:40] = clump[10:70, 90:120] = clump[55:70, 10:120] = True  # a U
    clump[10:30, 10:75] = True  # an arm of the left leg towards the right one
    centres = np.array([(40.0, 25.0), (20.0, 105.0)])
    left, right = share_outline(clump, centres)
    tip = {(float(y), 74.0) for y in range(12, 28)}  # nearer to the right centre, across the gap
    assert tip <= set(map(tuple, left.tolist()))
    assert not tip & set(map(tuple, right.tolist()))


def test_a_cell_inside_takes_its_part_of_the_clump() -> None:
    y, x = 100 + 60 * np.sin(np.arange(6) * np.pi / 3), 100 + 60 * np.cos(np.arange(6) * np.pi / 3)
    ring = np.stack([y, x], axis=1)
    clump = np.any([disc((200, 200), (cy, cx), 42) for cy, cx in ring], axis=0) | disc(
        (200, 200), (100, 100), 40
    )
    centres = np.concatenate([[(100.0, 100.0)], ring])
    inner = share_outline(clump, centres)[0]
    assert len(inner) > 50
    assert np.hypot(*(inner - 100).T).max() < 60
    assert 0 in guess_cells(clump, centres)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (4.3, -2.6)])
def test_a_star_is_star_shaped_about_its_centre(shift: tuple[float, float]) -> None:
    angles = np.linspace(0, 2 * np.pi, 60)
    radii = 26 + 9 * np.sin(3 * angles)
    points = 45 + radii[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    centre = np.array([45.0, 45.0]) + shift
    values, window = Star.through(centre, points).distance_map((90, 90))
    inside = np.zeros((90, 90), dtype=bool)
    inside[window.slices] = values > 0
    assert inside.sum() > 1500
    near = binary_dilation(inside)  # a place between pixels is rounded
    for part in (0.2, 0.4, 0.6, 0.8):
        between = np.rint(centre + part * (np.argwhere(inside) - centre)).astype(int)
        assert near[tuple(between.T)].all()


def test_the_map_is_1_at_the_centre_and_small_at_the_outline() -> None:
    star = Star(np.array([60.0, 60.0]), np.full(ANGLES, 40.0))
    values, window = star.distance_map((120, 120))
    assert values[60 - window.top, 60 - window.left] == 1
    assert values[60 - window.top, 100 - window.left] == pytest.approx(2 - 2 / (1 + np.exp(-5)))
    assert values[60 - window.top, 100 - window.left] == pytest.approx(0.013, abs=5e-4)
    assert np.all(np.diff(values[60 - window.top, 60 - window.left : 101 - window.left]) < 0)


def test_a_star_keeps_to_the_frame() -> None:
    values, window = Star(np.array([5.0, 5.0]), np.full(ANGLES, 40.0)).distance_map((30, 50))
    assert window == Rectangle(0, 30, 0, 46)
    assert values.shape == (30, 46)


def test_the_star_of_a_disc_is_the_disc() -> None:
    star = Star.of(Patch.cut(disc((90, 90), (40, 45), 20), 7, 3))
    assert star.centre == pytest.approx([43, 52])
    assert star.radii == pytest.approx(20, abs=1)


def test_the_map_of_a_clump_is_the_largest_of_its_cells() -> None:
    stars = [Star(centre, np.full(ANGLES, 40.0)) for centre in CENTRES]
    clump_map = draw_map(CLUMP, stars)
    assert np.all(clump_map[~CLUMP] == 1)
    assert clump_map[60, 65] == clump_map[60, 115] == 1
    assert clump_map[60, 90] == pytest.approx(2 - 2 / (1 + np.exp(-5 * 25 / 40)))


def test_small_fragments_go() -> None:
    mask = disc(SHAPE, (60, 50), 20) | disc(SHAPE, (60, 120), 9)
    assert np.array_equal(drop_fragments(Patch.cut(mask)).within(FRAME), disc(SHAPE, (60, 50), 20))
    assert not drop_fragments(Patch.cut(disc(SHAPE, (60, 50), 9))).mask.any()


def test_a_patch_is_seen_from_any_window() -> None:
    patch = Patch.cut(disc((50, 50), (20, 30), 8))
    assert np.array_equal(patch.within(Rectangle(0, 50, 0, 50)), disc((50, 50), (20, 30), 8))
    assert np.array_equal(patch.within(Rectangle(-5, 20, 25, 60)), disc((25, 35), (25, 5), 8))
    assert not patch.within(Rectangle(40, 50, 0, 10)).any()
