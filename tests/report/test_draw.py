"""Contours lie where the outline is, tell overlapping cells apart and leave the rest of the image alone."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.report.colours import LOOSE, PALETTE, colour_cells
from irnet.report.draw import overlay
from irnet.report.pictures import draw_field

GREY = np.full((120, 160, 3), 128, dtype=np.uint8)


def disc(x: int, y: int, radius: int) -> np.ndarray:
    rows, columns = np.indices(GREY.shape[:2])
    return np.hypot(columns + 0.5 - x, rows + 0.5 - y) < radius


def distance_to_circle(x: int, y: int, radius: int) -> np.ndarray:
    rows, columns = np.indices(GREY.shape[:2])
    return np.abs(np.hypot(columns + 0.5 - x, rows + 0.5 - y) - radius)


def test_a_contour_covers_the_outline_and_nothing_else() -> None:
    cells = Cells.from_dense(disc(80, 60, 40)[None], [CYTOPLASM])
    drawn = overlay(GREY, cells, width=2)
    away = distance_to_circle(80, 60, 40)
    assert (drawn[away > 4] == 128).all()
    colour = colour_cells(cells)[0].astype(int)
    assert np.abs(drawn[away < 0.3].astype(int) - colour).max() < 90  # nearly the pure colour on the line
    assert np.abs(drawn[away < 0.3].astype(int) - colour).mean() < 12


def test_an_enlarged_image_has_its_lines_as_wide_and_twice_as_far() -> None:
    cells = Cells.from_dense(disc(40, 30, 20)[None], [CYTOPLASM]).select([0])
    small = Cells.build(cells.masks, cells.offsets, [CYTOPLASM], (60, 80))
    drawn = overlay(GREY, small, width=2, zoom=2)
    away = distance_to_circle(80, 60, 40)
    assert (drawn[away > 5] == 128).all()
    assert np.abs(drawn[away < 0.3].astype(int) - colour_cells(small)[0]).mean() < 25
    with pytest.raises(InputError, match="frame"):
        overlay(GREY, small, zoom=1.5)


def test_a_large_image_is_drawn_as_small_as_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irnet.report.pictures.LARGEST", 160)
    y, x = np.mgrid[:480, :640] + 0.5
    cells = Cells.from_dense((np.hypot(x - 320, y - 240) < 160)[None], [CYTOPLASM])
    drawn = draw_field(np.full((480, 640, 3), 128, dtype=np.uint8), cells)
    assert drawn.shape == GREY.shape
    away = distance_to_circle(80, 60, 40)
    assert (drawn[away > 4] == 128).all()
    assert np.abs(drawn[away < 0.3].astype(int) - colour_cells(cells)[0]).mean() < 25


def test_lines_are_smooth() -> None:
    drawn = overlay(GREY, Cells.from_dense(disc(80, 60, 40)[None], [CYTOPLASM]))
    assert len(np.unique(drawn[:, :, 2])) > 20  # anti-aliased: many shades


def test_the_image_itself_stays_as_it_was() -> None:
    image = GREY.copy()
    overlay(image, Cells.from_dense(disc(80, 60, 40)[None], [CYTOPLASM]))
    assert (image == 128).all()


def test_no_cells_give_the_image() -> None:
    assert (overlay(GREY, Cells.empty((120, 160))) == GREY).all()


@pytest.mark.parametrize("mask", [disc(0, 0, 30), disc(80, 60, 1), np.ones((120, 160), dtype=bool)])
def test_cut_tiny_and_frame_filling_masks_are_drawn(mask: np.ndarray) -> None:
    assert (overlay(GREY, Cells.from_dense(mask[None], [CYTOPLASM])) != GREY).any()


def test_a_hole_is_outlined_too() -> None:
    ring = disc(80, 60, 40) & ~disc(80, 60, 20)
    drawn = overlay(GREY, Cells.from_dense(ring[None], [CYTOPLASM]))
    assert (drawn[distance_to_circle(80, 60, 20) < 0.3] != 128).any(axis=1).all()


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch, zoom: float) -> None:
    rng = np.random.default_rng(0)
    discs = np.stack([disc(*rng.integers(0, 120, 2), rng.integers(2, 40)) for _ in range(20)])
    cells = Cells.from_dense(discs, rng.integers(1, 3, 20))
    image = rng.integers(0, 256, (int(120 * zoom), int(160 * zoom), 3), dtype=np.uint8)
    whole = overlay(image, cells, zoom=zoom, width=3.0)
    monkeypatch.setattr("irnet.report.draw.BAND", 11)
    np.testing.assert_array_equal(overlay(image, cells, zoom=zoom, width=3.0), whole)


def test_cells_of_another_frame_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(50, 50\)"):
        overlay(GREY, Cells.empty((50, 50)))


def test_overlapping_cells_have_different_colours() -> None:
    rng = np.random.default_rng(0)
    discs = np.stack([disc(*rng.integers(20, 100, 2), 18) for _ in range(12)])
    cells = Cells.from_dense(discs, [CYTOPLASM] * 12)
    colours = colour_cells(cells)
    meets = np.triu(cells.intersections(cells) > 0, 1)
    assert meets.sum() > 10
    for i, j in np.argwhere(meets):
        assert (colours[i] != colours[j]).any()


def test_more_neighbours_than_colours_share_evenly() -> None:
    count = 3 * len(PALETTE)
    cells = Cells.from_dense(np.stack([disc(80, 60, 30)] * count), [CYTOPLASM] * count)
    _, used = np.unique(colour_cells(cells), axis=0, return_counts=True)
    assert used.tolist() == [3] * len(PALETTE)


def test_a_nucleus_has_the_colour_of_its_cell_and_a_loose_one_is_white_and_dashed() -> None:
    masks = np.stack([disc(50, 60, 30), disc(50, 60, 10), disc(120, 60, 10)])
    cells = Cells.from_dense(masks, [CYTOPLASM, NUCLEUS, NUCLEUS], parents=[-1, 0, -1])
    colours = colour_cells(cells)
    assert (colours[0] == colours[1]).all()
    assert (colours[2] == LOOSE).all()
    line = overlay(GREY, cells)[distance_to_circle(120, 60, 10) < 0.4]
    white = (line > 220).all(axis=1).mean()
    assert 0.2 < white < 0.9


def test_nuclei_without_any_cell_are_drawn() -> None:
    cells = Cells.from_dense(disc(50, 60, 10)[None], [NUCLEUS])
    assert (overlay(GREY, cells) > 220).all(axis=2).any()
