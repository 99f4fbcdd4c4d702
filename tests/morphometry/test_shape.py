"""Size and form against formulas and against scikit-image.

The bounds are those of drawing on pixels. A mask of the pixels whose centre lies inside has up to half a
pixel too much or too little on each side: a diameter is off by up to 1 px. Crofton's formula with four
directions is right for the mean over all turns of a straight edge; a single edge is 5.2 % short, (pi / 8)
(1 + sqrt 2), along the axes and diagonals and 2.6 % long between them: round masks come out right, rectangles
do not.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import ellipe
from skimage.measure import regionprops

from irnet.morphometry.shape import measure_shape

TURNS = np.linspace(0, np.pi / 2, 5)
DIAMETER = 1.001  # px


def plane(reach: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    half = int(reach) + 3
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def ellipse(a: float, b: float, turn: float) -> np.ndarray:
    u, v = plane(a, turn)
    return (u / a) ** 2 + (v / b) ** 2 <= 1


def rectangle(width: float, height: float, turn: float) -> np.ndarray:
    u, v = plane(np.hypot(width, height) / 2, turn)
    return (abs(u) <= width / 2) & (abs(v) <= height / 2)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("ratio", [1.0, 0.7, 0.4])
@pytest.mark.parametrize("a", [20, 50, 120])
def test_discs_and_ellipses(a: int, ratio: float, turn: float):
    b = a * ratio
    found = measure_shape(ellipse(a, b, turn))
    perimeter = 4 * a * ellipe(1 - ratio**2)
    assert found.area == pytest.approx(np.pi * a * b, rel=0.3 / b)
    assert found.perimeter == pytest.approx(perimeter, rel=0.02)
    assert (found.max_diameter, found.min_diameter) == pytest.approx((2 * a, 2 * b), abs=DIAMETER)
    assert found.eccentricity == pytest.approx(np.sqrt(1 - ratio**2), abs=0.01)
    assert found.circularity == pytest.approx(4 * np.pi * np.pi * a * b / perimeter**2, abs=0.04)
    assert 0.94 < found.solidity <= 1


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(("width", "height"), [(41, 41), (61, 31), (151, 45)])
def test_rectangles(width: int, height: int, turn: float):
    found = measure_shape(rectangle(width, height, turn))
    assert found.area == pytest.approx(
        width * height, abs=0.75 * (width + height)
    )  # < half a pixel all around
    perimeter = 2 * (width + height)
    assert (
        0.947 * perimeter - 4 < found.perimeter < 1.027 * perimeter + 4
    )  # each corner half a pixel or two off
    assert found.max_diameter == pytest.approx(np.hypot(width, height), abs=1.5)  # from corner to corner
    assert found.min_diameter == pytest.approx(height, abs=DIAMETER)
    assert 0.94 < found.solidity <= 1


def test_an_upright_rectangle_is_exact_but_for_its_corners():
    found = measure_shape(np.ones((30, 40), bool))
    assert (found.area, found.min_diameter, found.centroid, found.solidity) == (1200, 30, (19.5, 14.5), 1)
    assert found.max_diameter == pytest.approx(50, abs=1)
    assert found.eccentricity == pytest.approx(np.sqrt(1 - (30**2) / 40**2), abs=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_ragged_masks_as_scikit_image_has_them(seed: int):
    rough = gaussian_filter(np.random.default_rng(seed).random((60, 60)), 6)
    mask = rough > np.quantile(rough, 0.6)  # several parts, holes
    region, found = regionprops(mask.astype(np.uint8))[0], measure_shape(mask)
    assert found.area == region.area
    assert found.centroid == pytest.approx(region.centroid[::-1])
    assert found.perimeter == region.perimeter_crofton
    assert found.eccentricity == pytest.approx(region.eccentricity)
    assert found.max_diameter == pytest.approx(region.feret_diameter_max, abs=0.3)
    assert found.solidity == pytest.approx(region.solidity, rel=0.005)  # there the hull is counted in pixels


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 9), (9, 1), (2, 2)])
def test_the_smallest_masks(shape: tuple[int, int]):
    found = measure_shape(np.ones(shape, bool))
    assert (found.area, found.min_diameter) == (shape[0] * shape[1], pytest.approx(min(shape), abs=0.6))
    assert max(shape) <= found.max_diameter <= np.hypot(*shape)
    assert found.solidity == 1
    assert 0 < found.circularity <= 1
    assert 0 <= found.eccentricity <= 1


def test_two_pixels_far_apart():
    mask = np.zeros((1, 11), bool)
    mask[0, [0, 10]] = True
    found = measure_shape(mask)
    assert (found.area, found.max_diameter) == (2, 11)
    assert found.solidity == pytest.approx(0.2, abs=0.02)
