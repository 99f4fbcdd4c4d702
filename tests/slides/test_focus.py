"""Focal planes merged: sharp where one of them is, and the same pixels whatever is cut out."""

from pathlib import Path

import numpy as np
import pytest
from made_slides import focal_stack, noise, write_ome, write_pyramid
from scipy.ndimage import gaussian_filter

from irnet.errors import InputError
from irnet.slides.focus import BEST, FUSE, ONE, SQUARE, InFocus, choose_focus, energy, in_focus, sums_around
from irnet.slides.layout import Layout
from irnet.slides.readers.opening import open_slide
from irnet.slides.readers.slide import Box, Pixels, Slide
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import open_planned


class Stack(Slide):
    """Focal planes (Z, H, W, 3) in memory."""

    def __init__(self, planes: Pixels) -> None:
        self.stack, self.planes, self.levels = planes, len(planes), (planes.shape[1:3],)
        self.reader, self.files, self.mpp = "array", (Path("stack"),), 0.25

    def _read(self, plane: int, level: int, box: Box) -> Pixels:
        x1, y1, x2, y2 = box
        return self.stack[plane, y1:y2, x1:x2]


def sharp_field(side: int) -> Pixels:
    """A field whose details are of some pixels."""
    rough = gaussian_filter(np.random.default_rng(0).normal(0, 1, (side, side, 3)), (1.5, 1.5, 0))
    return np.clip(200 + 120 * rough, 20, 240).astype(np.uint8)


@pytest.mark.parametrize("focus", [FUSE, BEST])
def test_any_window_gives_the_pixels_of_the_whole(focus: str) -> None:
    field = sharp_field(700)
    slide = InFocus(Stack(focal_stack(field, noise(1, 700, 700) / np.float32(255), blur=2)), focus)
    whole = slide.read(0, 0, (0, 0, 700, 700))
    draw = np.random.default_rng(2)
    for _ in range(20):
        (x1, x2), (y1, y2) = (np.sort(draw.choice(701, 2, replace=False)).tolist() for _ in range(2))
        np.testing.assert_array_equal(slide.read(0, 0, (x1, y1, x2, y2)), whole[y1:y2, x1:x2])

    for grid in (128, 192, 320):
        layout = Layout.of(slide, 0.25, 0.37, focus=focus, window=(grid, 64))
        height, width = layout.resampling.size
        big = Layout.of(slide, 0.25, 0.37, focus=focus, window=(64 * 20, 64)).windows()
        assert len(big) == 1
        expected = layout.cut_out(slide, big[0])
        assert expected.shape == (height, width, 3)
        for window in layout.windows():
            np.testing.assert_array_equal(layout.cut_out(slide, window), window.cut_out(expected))


def test_what_is_sharp_in_one_plane_is_sharp_in_the_fused() -> None:
    field = sharp_field(600)
    left = np.zeros((600, 600), np.float32)
    left[:, :300] = 1
    planes = focal_stack(field, left, blur=2)
    fused = InFocus(Stack(planes), FUSE).read(0, 0, (0, 0, 600, 600))

    def off(picture: Pixels) -> float:
        apart = np.abs(picture.astype(int) - field)
        return float(np.concatenate([apart[:, :270], apart[:, 330:]], axis=1).mean())

    assert off(fused) < 0.5
    assert min(off(plane) for plane in planes) > 5


def test_the_best_plane_of_each_square_is_taken() -> None:
    field = sharp_field(2 * SQUARE)
    left = np.zeros(field.shape[:2], np.float32)
    left[:, :SQUARE] = 1
    planes = focal_stack(field, left, blur=2)
    best = InFocus(Stack(planes), BEST).read(0, 0, (0, 0, 2 * SQUARE, 2 * SQUARE))
    np.testing.assert_array_equal(best[:, :SQUARE], planes[1, :, :SQUARE])
    np.testing.assert_array_equal(best[:, SQUARE:], planes[3, :, SQUARE:])


def test_planes_without_anything_give_the_middle_one_and_their_mean() -> None:
    planes = np.stack([np.full((50, 50, 3), level, np.uint8) for level in (100, 150, 200)])
    assert (InFocus(Stack(planes), BEST).read(0, 0, (0, 0, 50, 50)) == 150).all()
    assert (InFocus(Stack(planes), FUSE).read(0, 0, (0, 0, 50, 50)) == 150).all()
    assert InFocus(Stack(planes), FUSE).read(0, 0, (7, 9, 8, 10)).shape == (1, 1, 3)


def test_sums_are_exact_where_running_sums_pass_32_bits() -> None:
    rows, columns = np.ogrid[:6000, :60]
    loud = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    values = energy(loud)
    sums, long = sums_around(values, 7), values.astype(np.uint64)
    assert long.cumsum(axis=0).max() > 2**32  # so that they wrap
    for y, x in ((0, 0), (5900, 40), (3000, 20)):
        assert sums[y, x] == long[y : y + 15, x : x + 15].sum()


def test_which_planes_are_taken(tmp_path: Path) -> None:
    with open_slide(write_ome(tmp_path / "a.ome.tif", noise(4, 5, 300, 300, 3))) as slide:
        assert choose_focus(slide, None) == (2, FUSE)
        assert choose_focus(slide, "best") == (2, BEST)
        assert choose_focus(slide, "4") == choose_focus(slide, 4) == (4, ONE)
        assert in_focus(slide, ONE) is slide
        for asked, said in (
            ("5", "plane 5 of 5: give 0 to 4, fuse or best"),
            ("-1", "from 0"),
            ("sharp", "fuse, best"),
        ):
            with pytest.raises(InputError, match=said):
                choose_focus(slide, asked)
    with open_slide(write_pyramid(tmp_path / "b.tif", noise(5, 300, 300, 3))) as slide:
        assert choose_focus(slide, "fuse") == choose_focus(slide, None) == (0, ONE)
        with pytest.raises(InputError, match="plane 0 alone"):
            choose_focus(slide, "1")


def test_a_plan_is_run_in_its_focus_and_each_has_blocks_of_its_own(tmp_path: Path) -> None:
    field = sharp_field(400)
    stack = focal_stack(field, noise(6, 400, 400) / np.float32(255), blur=2)
    path = write_ome(tmp_path / "a.ome.tif", stack, mpp=0.37)
    keys, seen = set(), {}
    for focus in (None, "best", "2"):
        plan = plan_slides([path], tmp_path / f"out-{focus}", SlideOptions(plane=focus, every=True))
        slide = plan.slide("a")
        keys |= {plan.key(slide, window) for window in slide.windows().values()}
        with open_planned(slide) as opened:
            seen[focus] = opened.read(slide.layout.plane, 0, (0, 0, 400, 400))
        assert any("focal planes" in note for note in slide.notes)
    assert len(keys) == 3
    np.testing.assert_array_equal(seen["2"], stack[2])
    for focus, how in ((None, FUSE), ("best", BEST)):
        np.testing.assert_array_equal(seen[focus], InFocus(Stack(stack), how).read(0, 0, (0, 0, 400, 400)))
    with pytest.raises(InputError, match="another plan"):
        plan_slides([path], tmp_path / "out-best", SlideOptions(plane="1", every=True))
