"""Truth and finding side by side: the same cell has the same colour in both panels."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, Cells
from irnet.report.colours import LOOSE, colour_cells
from irnet.report.figure import BAND, SPACE, add_scale_bar, compare, count, panels

GREY = np.full((100, 200, 3), 128, dtype=np.uint8)


def square(x: int, y: int, side: int = 40) -> np.ndarray:
    mask = np.zeros((100, 200), dtype=bool)
    mask[y : y + side, x : x + side] = True
    return mask


def cells_of(*masks: np.ndarray) -> Cells:
    return Cells.from_dense(np.stack(masks), [CYTOPLASM] * len(masks))


def has(panel: np.ndarray, colour: np.ndarray) -> bool:
    return bool((np.abs(panel.astype(int) - colour).max(axis=2) < 6).any())


def split(figure: np.ndarray) -> list[np.ndarray]:
    return [figure[BAND:, i * (200 + SPACE) : i * (200 + SPACE) + 200] for i in range(3)]


def test_matched_cells_share_a_colour_and_the_others_are_white() -> None:
    truth = cells_of(square(10, 10), square(120, 20))
    found = cells_of(square(122, 22), square(70, 50, 20))
    shared = colour_cells(truth)[1]
    image, left, right = split(compare(GREY, truth, found))
    assert (image == GREY).all()
    assert has(left[:, 100:], shared)
    assert has(left[:, :100], LOOSE)  # missed
    assert has(right[:, 100:], shared)
    assert has(right[:, :100], LOOSE)  # false


def test_nothing_found_and_nothing_true_are_drawn() -> None:
    some, none = cells_of(square(10, 10)), Cells.empty((100, 200))
    assert has(split(compare(GREY, some, none))[1], LOOSE)
    assert has(split(compare(GREY, none, some))[2], LOOSE)
    assert (split(compare(GREY, none, none))[1] == GREY).all()


def test_captions_count() -> None:
    assert count(cells_of(square(10, 10))) == "1 cell, 0 nuclei"
    sheet = panels([GREY, GREY], ["", "12"])
    assert sheet.shape == (100 + BAND, 400 + SPACE, 3)
    assert (sheet[:BAND, :200] == 255).all()
    assert (sheet[:BAND, 200:] < 128).any()


def test_the_scale_bar_is_20_um_long() -> None:
    drawn = add_scale_bar(GREY, 0.25)
    black = (drawn[80:] == 0).all(axis=2).sum(axis=1).max()
    assert 78 <= black <= 81  # 80 px, its outline is white
    assert (drawn[:50] == 128).all()


@pytest.mark.parametrize(("mpp", "um"), [(0.05, 2.0), (0.25, 20.0), (2.0, 100.0)])
def test_a_scale_bar_is_as_long_as_the_picture_has_room(mpp: float, um: float) -> None:
    ground = np.full((300, 300, 3), 128, np.uint8)
    drawn = add_scale_bar(ground, mpp)
    black = (drawn[300 - 18] == 0).all(axis=1)
    assert black.sum() + 2 == pytest.approx(um / mpp, abs=2)
    assert (drawn[:, :10] == 128).all()
    assert (drawn[:, 290:] == 128).all()


@pytest.mark.parametrize("shape", [(4, 1280, 3), (1280, 4, 3)])
def test_a_strip_has_no_room_for_a_scale_bar(shape: tuple[int, int, int]) -> None:
    ground = np.full(shape, 128, np.uint8)
    assert (add_scale_bar(ground, 0.25) == ground).all()
