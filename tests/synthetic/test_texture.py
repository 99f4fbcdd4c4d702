"""Textures cut from tiles."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import label

from irnet.synthetic.texture import bubbles, cloud, dots, noise, paving, rods, streaks, wide_noise, wrinkles


@pytest.mark.parametrize("sigma", [0.6, 2.0, 8.0])
def test_noise_has_unit_variance(sigma: float):
    rng = np.random.default_rng(0)
    values = np.concatenate([noise(rng, (200, 200), sigma).ravel() for _ in range(8)])
    assert values.std() == pytest.approx(1, abs=0.15)
    assert abs(values.mean()) < 0.2


@pytest.mark.parametrize("draw", [cloud, rods, dots, bubbles, wrinkles, paving])
@pytest.mark.parametrize("shape", [(30, 50), (700, 340)])
def test_any_shape_is_cut(draw: Callable, shape: tuple[int, int]):
    assert draw(np.random.default_rng(1), shape, 0.4).shape == shape


def test_tiles_do_not_change_between_calls():
    first = noise(np.random.default_rng(2), (40, 40), 1.0).copy()
    noise(np.random.default_rng(3), (40, 40), 1.0)
    assert np.array_equal(first, noise(np.random.default_rng(2), (40, 40), 1.0))


def test_contrast_of_clouds_grows_with_size():
    field = cloud(np.random.default_rng(4), (300, 300), 0.3)
    fine = np.diff(field, axis=1).std()
    coarse = (field[:, 60:] - field[:, :-60]).std()
    assert coarse > 3 * fine


def test_rods_get_longer_in_pixels_at_a_finer_scale():
    rng = np.random.default_rng(5)
    shares = [np.mean(rods(rng, (500, 500), mpp) > 0.1) for mpp in (0.2, 0.5)]
    assert shares[0] == pytest.approx(shares[1], rel=0.8)  # the same share of the area ...
    assert (
        np.diff(rods(rng, (500, 500), 0.2) > 0.1, axis=1).mean()
        < 0.8 * np.diff(rods(rng, (500, 500), 0.5) > 0.1, axis=1).mean()
    )  # ... in fewer, larger pieces


def test_wide_noise_has_no_sharp_edges():
    field = wide_noise(np.random.default_rng(6), (120, 90), 20.0)
    assert field.shape == (120, 90)
    assert np.abs(np.diff(field, axis=0)).max() < 0.3


def test_streaks_are_longer_than_wide():
    along = streaks(np.random.default_rng(7), (200, 300), 3.0, 10.0, 0.0)
    assert along.shape == (200, 300)
    assert np.abs(np.diff(along, axis=0)).mean() > 4 * np.abs(np.diff(along, axis=1)).mean()
    assert along[[0, -1]].std() > 0.3  # to the borders
    down = streaks(np.random.default_rng(7), (200, 300), 3.0, 10.0, np.pi / 2)
    assert 4 * np.abs(np.diff(down, axis=0)).mean() < np.abs(np.diff(down, axis=1)).mean()


def test_paving_stones_have_the_size_of_red_cells():
    field = paving(np.random.default_rng(8), (400, 400), 0.3)
    covered = (field > 0).mean()
    sizes = np.bincount(label(field > 0.15)[0].ravel())[1:] * 0.3**2
    assert 0.4 < covered < 0.9
    assert 15 < np.median(sizes[sizes > 3]) < 80  # um2
