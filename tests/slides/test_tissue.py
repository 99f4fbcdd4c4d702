"""What differs from the background of a slide is looked at, however pale; bare glass is not."""

from pathlib import Path

import numpy as np
import pytest
from made_slides import write_pyramid

from irnet.slides.layout import LEAST_AUDITED, Layout, audited, pixels_of
from irnet.slides.readers.opening import open_slide
from irnet.slides.readers.picture import PictureSlide
from irnet.slides.tissue import find_tissue

GLASS = (233, 228, 236)


def glass(side: int, seed: int = 0) -> np.ndarray:
    """Bare glass with the noise of a camera."""
    noise = np.random.default_rng(seed).normal(0, 3, (side, side, 3))
    return np.clip(np.array(GLASS) + noise, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("seed", range(20))
def test_windows_with_a_pale_cell_are_never_skipped(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    image = glass(2600, seed)
    places = draw.integers(100, 2500, (4, 2))
    for y, x in places:
        rows, columns = np.ogrid[-60:60, -60:60]  # 30 um wide, optical density .03
        spot = image[y - 60 : y + 60, x - 60 : x + 60]
        spot[(rows**2 + columns**2 < 60**2)] = np.array(GLASS) * 10**-0.03

    with open_slide(write_pyramid(tmp_path / "a.tif", image, levels=1 + seed % 4, compression=None)) as slide:
        assert slide.mpp
        tissue = find_tissue(slide, 0, slide.mpp)
        layout = Layout.of(slide, slide.mpp, 0.37, plane=0, window=(256, 64))
    assert tissue.background == pytest.approx(GLASS, abs=2)

    windows = layout.windows()
    seen = [window for window in windows if layout.shows(window, tissue)]
    for y, x in places / layout.px:
        owners = [w for w in windows if w.owns(np.array([[x - 30, y - 30, x + 30, y + 30]]))[0]]
        assert len(owners) == 1
        assert owners[0] in seen
    assert 0 < len(seen) < len(windows)


def test_what_was_not_scanned_differs_in_nothing() -> None:
    image = glass(1200)
    image[:600], image[600:700] = 255, 0
    slide = PictureSlide(image, 0.5)
    tissue = find_tissue(slide, 0, 0.5)
    assert tissue.background == pytest.approx(GLASS, abs=2)
    assert not tissue.places[:70].any()
    assert not tissue.places[90:].any()


def dotted(glass_level: int, side: int = 1500) -> np.ndarray:
    """Cells of one colour on even glass, 60 um wide and as far from one another, with soft edges."""
    rows, columns = np.ogrid[:side, :side]
    away = np.hypot(rows % 240 - 120, columns % 240 - 120)
    cover = np.clip((66 - away) / 6, 0, 1)[..., None]
    return (glass_level + cover * (np.array([225, 206, 222]) - glass_level)).round().astype(np.uint8)


@pytest.mark.parametrize("level", [254, 255])
def test_pure_white_between_cells_is_glass(level: int) -> None:
    tissue = find_tissue(PictureSlide(dotted(level), 0.5), 0, 0.5)
    assert tissue.background == pytest.approx((255, 255, 255), abs=2)
    assert tissue.dark.max() < 255
    assert 0.15 < tissue.share < 0.35


def test_white_around_what_was_scanned_stays_unscanned() -> None:
    image = np.full((2600, 2600, 3), 255, np.uint8)
    image[300:1800, 300:1800] = dotted(228)
    tissue = find_tissue(PictureSlide(image, 0.5), 0, 0.5)
    assert tissue.background == pytest.approx((228, 228, 228), abs=2)
    assert (tissue.dark[:30, :, 0] == 255).all()


def test_the_level_and_scale_that_are_read(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", glass(1300), levels=4, mpp=0.1)
    with open_slide(path) as slide:
        layout = Layout.of(slide, 0.1, 0.37, plane=0, window=(256, 64))
        assert (layout.level, layout.downsample) == (1, 2)  # .2 um; .4 um would be too coarse
        assert layout.scaled_mpp == pytest.approx(0.37, rel=1e-4)
        assert Layout.of(slide, 0.09, 0.37, plane=0, window=(256, 64)).level == 2  # .36 um, within 3 %
        assert Layout.of(slide, 0.09, 0.37, plane=0, window=(256, 64)).resampling.px == 1
        assert Layout.of(slide, 0.5, 0.37, plane=0, window=(256, 64)).level == 0
        assert (
            Layout.of(slide, 0.5, 0.0, plane=0, window=(256, 64)).resampling.px == 1
        )  # weights without a scale

        window = layout.windows()[0]
        assert layout.cut_out(slide, window).shape == (*window.frame_shape, 3)
        assert pixels_of([window]) == window.frame_shape[0] * window.frame_shape[1]


def test_some_of_the_skipped_are_looked_at_all_the_same() -> None:
    assert audited([]) == []
    assert audited([4, 7]) == [4, 7]
    assert len(audited(range(100))) == LEAST_AUDITED
    spread = audited(range(10_000))
    assert len({*spread}) == 100
    assert max(np.diff(spread)) == min(np.diff(spread)) == 100
