import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.report.labels import write_numbers

GREY = np.full((120, 160, 3), 128, dtype=np.uint8)


def square(x: int, y: int, side: int) -> np.ndarray:
    mask = np.zeros(GREY.shape[:2], dtype=bool)
    mask[y : y + side, x : x + side] = True
    return mask


def scene() -> Cells:
    masks = np.array([square(20, 20, 80), square(60, 70, 20), square(150, 110, 10)])
    return Cells.from_dense(masks, [CYTOPLASM, NUCLEUS, NUCLEUS], parents=[-1, 0, -1])


def test_each_instance_has_its_number_where_it_lies() -> None:
    drawn = GREY.copy()
    write_numbers(drawn, scene(), [17, 8, 123456])
    rows, columns = np.nonzero((drawn != GREY).any(axis=2))
    places = [(rows >= 20) & (rows < 45) & (columns >= 20) & (columns < 100)]
    places += [(rows >= 65) & (rows < 95) & (columns >= 55) & (columns < 85), (rows > 95) & (columns > 85)]
    assert all(place.any() for place in places)
    assert np.logical_or.reduce(places).all()  # also at the edge of the frame


@pytest.mark.parametrize("number", [1, 8])
def test_numbers_differ(number: int) -> None:
    drawn, other = GREY.copy(), GREY.copy()
    write_numbers(drawn, scene().select([0]), [number])
    write_numbers(other, scene().select([0]), [7])
    assert (drawn != other).any()


def test_a_number_larger_than_the_picture_is_cut() -> None:
    tiny = Cells.from_dense(np.ones((1, 4, 4), dtype=bool), [NUCLEUS])
    drawn = np.full((4, 4, 3), 128, dtype=np.uint8)
    write_numbers(drawn, tiny, [1234])
    assert drawn.shape == (4, 4, 3)
