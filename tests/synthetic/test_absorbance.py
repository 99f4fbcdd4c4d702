"""Beer-Lambert: absorbances add, light multiplies; and what the camera does to it."""

import numpy as np
import pytest

from irnet.synthetic.optics import Camera
from irnet.synthetic.stain import STRENGTHS, Density, Palette, Stain

CLEAR = Camera(
    white=(250.0, 240.0, 230.0),
    gamma=1.0,
    vignetting=0.0,
    unevenness=0.0,
    blur=0.0,
    depth=0.0,
    deep=0.0,
    glare=0.0,
    sharpening=0.0,
    shot_noise=0.0,
    read_noise=0.0,
    noise_scale=0.0,
    calm=0.0,
    quality=None,
)
PINK = np.array([0.2, 1.8, 1.0], dtype=np.float32)


def tile(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 0.4, (30, 30)).astype(np.float32)


def lay(*layers: tuple[int, tuple[int, int]]) -> np.ndarray:
    density = Density((40, 50), grey=False)
    for seed, corner in layers:
        density.add(tile(seed), corner, PINK)
    return density.values


def test_densities_add_exactly():
    one, other = (1, (3, 4)), (2, (10, 5))
    assert np.array_equal(lay(one, other), lay(one) + lay(other))
    assert np.array_equal(lay(one, other), lay(other, one))
    assert lay(one, other)[:, 20, 20] == pytest.approx(PINK * (tile(1)[16, 17] + tile(2)[15, 10]), rel=1e-6)


def test_a_layer_is_cut_by_the_border():
    values = lay((1, (-10, -20)))
    assert values[1, :10, :20] == pytest.approx(1.8 * tile(1)[20:, 10:])
    assert not values[:, 10:].any()
    assert not lay((1, (50, 0)), (2, (-30, 0)), (3, (0, 40))).any()


def test_light_of_an_overlap_is_the_product():
    one, other = lay((1, (3, 4))), lay((2, (10, 5)))
    rng = np.random.default_rng(0)
    empty, both, first, second = (
        CLEAR.photograph(rng, values, 0.3).astype(float) for values in (0 * one, one + other, one, other)
    )
    assert np.abs(both - first * second / empty).max() < 2  # rounding to grey levels


def test_grey_stains_need_one_channel():
    assert Density((4, 5), grey=True).values.shape == (1, 4, 5)
    assert CLEAR.photograph(np.random.default_rng(0), np.zeros((1, 4, 5), np.float32), 0.3).shape == (4, 5, 3)


@pytest.mark.parametrize("palette", list(STRENGTHS))
def test_dyes_have_unit_mean(palette: Palette):
    stain = Stain.draw(np.random.default_rng(5), palette)
    rng = np.random.default_rng(6)
    for dye in (stain.haematoxylin, stain.cell_colour(rng, 0.5), stain.nucleus_colour(rng)):
        assert dye.mean() == pytest.approx(1, abs=1e-5)
    assert stain.nucleus > stain.cytoplasm


def test_eosinophilic_cells_let_red_through_and_cyanophilic_ones_do_not():
    rng = np.random.default_rng(7)
    stains = [Stain.draw(rng, "pap") for _ in range(20)]
    pink = np.mean([stain.cell_colour(rng, 1.0) for stain in stains], axis=0)
    green = np.mean([stain.cell_colour(rng, 0.0) for stain in stains], axis=0)
    assert pink[0] < 0.8 < green[0]


def test_a_nucleus_takes_up_some_of_the_dye_of_its_cell():
    rng = np.random.default_rng(8)
    stain = Stain.draw(rng, "pap")
    in_pink = np.mean([stain.nucleus_colour(rng, stain.eosinophilic) for _ in range(300)], axis=0)
    in_green = np.mean([stain.nucleus_colour(rng, stain.cyanophilic) for _ in range(300)], axis=0)
    towards = stain.eosinophilic - stain.cyanophilic
    share = (in_pink - in_green) @ towards / (towards @ towards)
    assert share == pytest.approx(1.2 / (1.2 + 3.5), abs=0.06)


def test_focus_stacking_calms_the_middle_of_the_background_only():
    noisy = Camera(**{**CLEAR.__dict__, "read_noise": 2.0, "calm": 60.0})
    density = np.zeros((1, 700, 700), dtype=np.float32)
    density[:, 340:360, 340:360] = 0.1
    picture = noisy.photograph(np.random.default_rng(1), density, 0.37)[..., 0].astype(float)
    assert picture[300:330, 300:330].std() < 0.1
    assert picture[342:358, 342:358].std() > 1.5
    assert picture[:40, :40].std() > 1.5


def test_nothing_is_darker_than_the_glare():
    hazy = Camera(**{**CLEAR.__dict__, "glare": 0.1})
    opaque = np.full((3, 8, 8), 5, np.float32)
    picture = hazy.photograph(np.random.default_rng(2), opaque, 0.37)
    assert picture[4, 4].tolist() == [25, 24, 23]
    empty = hazy.photograph(np.random.default_rng(2), np.zeros((3, 8, 8), np.float32), 0.37)
    assert empty[4, 4].tolist() == [250, 240, 230]


def test_vignetting_darkens_the_corners():
    dim = Camera(**{**CLEAR.__dict__, "vignetting": 0.2})
    picture = dim.photograph(np.random.default_rng(2), np.zeros((3, 60, 60), np.float32), 0.37).astype(int)
    assert picture[30, 30].min() > picture[0, 0].max()


def test_defocus_is_capped_and_absent_where_all_is_in_focus():
    rng = np.random.default_rng(3)
    assert CLEAR.defocus(rng, 0.25) == 0
    deep = Camera(**{**CLEAR.__dict__, "depth": 1.5})
    blurs = [deep.defocus(rng, 0.25) for _ in range(300)]
    assert max(blurs) == pytest.approx(4.0)
    assert np.mean(np.array(blurs) == 0) > 0.05


def test_compression_changes_little():
    density = lay((1, (3, 4)))
    camera = Camera(**{**CLEAR.__dict__, "quality": 90, "blur": 1.0})
    plain = Camera(**{**CLEAR.__dict__, "blur": 1.0})
    a, b = (c.photograph(np.random.default_rng(4), density, 0.3).astype(int) for c in (camera, plain))
    assert np.abs(a - b).max() > 0
    assert np.abs(a - b).mean() < 4
