"""A slide seen small: tiles of every scale fit together, and show what lies there."""

from pathlib import Path

import numpy as np
import pytest
from made_slides import write_pyramid

from irnet.errors import InputError
from irnet.slides import overview
from irnet.slides.overview import shrink
from irnet.slides.readers.opening import open_slide
from irnet.slides.readers.picture import PictureSlide


def blocks(side: int, *shape: int) -> np.ndarray:
    """Squares of random colours."""
    colours = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    return colours.repeat(side, axis=0).repeat(side, axis=1)


@pytest.mark.parametrize("halvings", [0, 1, 2, 4])
def test_tiles_are_parts_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, halvings: int) -> None:
    monkeypatch.setattr(overview, "_TOGETHER", 5000)  # a tile in several bands
    image = blocks(32, 24, 40)
    height, width = image.shape[:2]
    with open_slide(write_pyramid(tmp_path / "a.tif", image)) as slide:
        whole = shrink(slide, 0, (0, 0, width, height), (height >> halvings, width >> halvings))
        side = 64 << halvings
        for x, y in ((0, 0), (side, 0), (0, side)):
            if x + side > width or y + side > height:
                continue
            part = shrink(slide, 0, (x, y, x + side, y + side), (64, 64))
            left, top = x >> halvings, y >> halvings
            assert np.array_equal(part, whole[top : top + 64, left : left + 64])
    mean = image.reshape(height >> halvings, 2**halvings, width >> halvings, 2**halvings, 3).mean(axis=(1, 3))
    assert np.abs(whole - mean).max() <= 2  # levels are rounded


def test_sides_that_are_no_multiples(tmp_path: Path) -> None:
    image = blocks(9, 37, 53)
    with open_slide(write_pyramid(tmp_path / "a.tif", image)) as slide:
        height, width = image.shape[:2]
        for halvings in range(4):
            shape = -(-height >> halvings), -(-width >> halvings)
            assert shrink(slide, 0, (0, 0, width, height), shape).shape == (*shape, 3)
            assert shrink(slide, 0, (width - 1, height - 1, width, height), (1, 1)).shape == (1, 1, 3)


def test_the_level_that_is_read(tmp_path: Path) -> None:
    with open_slide(write_pyramid(tmp_path / "a.tif", blocks(32, 24, 40))) as slide:
        assert [slide.level_for(factor) for factor in (0.5, 1, 1.99, 2, 3, 4, 100)] == [0, 0, 0, 1, 1, 2, 2]


def test_a_slide_without_a_level_that_is_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    slide = PictureSlide(blocks(8, 50, 50))
    monkeypatch.setattr(overview, "MOST_READ", 10_000)
    assert shrink(slide, 0, (0, 0, 100, 100), (50, 50)).shape == (50, 50, 3)
    with pytest.raises(InputError, match="zoom in"):
        shrink(slide, 0, (0, 0, 400, 400), (50, 50))
