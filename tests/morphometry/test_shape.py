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
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from scipy.special import ellipe
from skimage.measure import perimeter_crofton, regionprops

from irnet.geometry.sheets import sheets
from irnet.morphometry.shape import Shapes, measure_shapes

TURNS = np.linspace(0, np.pi / 2, 5)
SIDES = ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))  # midpoints of a pixel's sides, from its centre
DIAMETER = 1.001  # px


def plane(reach: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    half = int(reach) + 3
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def measure_shape(mask: np.ndarray) -> Shapes:
    """The figures of one mask."""
    return Shapes(*(values[0] for values in measure_shapes([mask])))


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
    assert (found.area, found.min_diameter, found.solidity) == (1200, 30, 1)
    assert found.centroid.tolist() == [19.5, 14.5]
    assert found.max_diameter == pytest.approx(50, abs=1)
    assert found.eccentricity == pytest.approx(np.sqrt(1 - (30**2) / 40**2), abs=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_ragged_masks_as_scikit_image_has_them(seed: int):
    rough = gaussian_filter(np.random.default_rng(seed).random((60, 60)), 6)
    mask = rough > np.quantile(rough, 0.6)  # several parts, holes
    region, found = regionprops(mask.astype(np.uint8))[0], measure_shape(mask)
    assert found.area == region.area
    assert found.centroid == pytest.approx(region.centroid[::-1])
    assert found.perimeter == pytest.approx(region.perimeter_crofton)
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


def odd_masks(seed: int) -> list[np.ndarray]:
    """Masks of all kinds: empty, lines, dust, several parts, holes, a spike far off, wide beside narrow."""
    rng = np.random.default_rng(seed)
    masks = [np.ones(shape, bool) for shape in ((1, 1), (1, 9), (9, 1), (300, 4), (3, 400))]
    masks += [np.zeros((0, 0), bool), np.zeros((3, 4), bool), np.eye(7, dtype=bool), np.tri(9, dtype=bool)]
    masks.append(np.pad(ellipse(40, 40, 0), ((0, 90), (0, 150))))
    masks[-1][-1, -1] = True
    for _ in range(30):
        size = rng.integers(1, 70, 2)
        rough = gaussian_filter(rng.random(size), 3)
        masks += [rng.random(size) < rng.choice([0.02, 0.1, 0.5, 0.9]), rough > np.quantile(rough, 0.6)]
    return [masks[i] for i in rng.permutation(len(masks))]


@pytest.mark.parametrize("seed", range(4))
def test_many_masks_at_once_as_each_alone_by_other_libraries(seed: int):
    masks = odd_masks(seed)
    found = measure_shapes(masks)
    for mask, *values in zip(masks, *found, strict=True):
        one = Shapes(*values)
        assert one.area == mask.sum()
        if not mask.any():
            assert np.isnan(np.concatenate([one.centroid, values[2:]])).all()
            continue

        y, x = np.nonzero(mask)
        points = np.concatenate([np.stack([x + a, y + b], axis=1) for a, b in SIDES])
        hull = ConvexHull(points)
        corners = points[hull.vertices]
        widths = np.ptp(hull.equations[:, :2] @ corners.T, axis=1)  # normals have the length 1
        moments = np.linalg.eigvalsh(np.cov(np.stack([x, y]), bias=True)) if len(x) > 1 else np.zeros(2)

        assert one.centroid == pytest.approx((x.mean(), y.mean()))
        assert one.perimeter == pytest.approx(perimeter_crofton(mask))
        assert one.max_diameter == pytest.approx(pdist(corners).max())
        assert one.min_diameter == pytest.approx(widths.min())
        assert one.solidity == pytest.approx(min(1, len(x) / hull.volume))
        assert one.circularity == pytest.approx(min(1, 4 * np.pi * len(x) / perimeter_crofton(mask) ** 2))
        assert one.eccentricity**2 == pytest.approx(1 - moments[0] / moments[1] if moments[1] else 0)


def test_sheets_large_and_small_give_the_same(monkeypatch: pytest.MonkeyPatch):
    masks = odd_masks(5)
    whole = measure_shapes(masks)
    monkeypatch.setattr("irnet.morphometry.shape.sheets", lambda masks: sheets(masks, pixels=500))
    for alone, together in zip(measure_shapes(masks), whole, strict=True):
        np.testing.assert_array_equal(alone, together)
