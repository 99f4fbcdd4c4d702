"""A pixel at the network's scale depends on its place in the slide alone, whatever is cut out with it."""

import numpy as np
import PIL.Image
import pytest
from made_slides import noise

from irnet.errors import InputError
from irnet.slides.resample import STEPS, Box, Pixels, Resampling

SCALES = (0.31, 0.68, 1.0, 1.48, 2.37, 5.3)  # px of the level per pixel


def reader(image: Pixels):
    def read(box: Box) -> Pixels:
        x1, y1, x2, y2 = box
        height, width = image.shape[:2]
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        return image[y1:y2, x1:x2]

    return read


@pytest.mark.parametrize("px", SCALES)
def test_any_grid_gives_the_pixels_of_the_whole(px: float) -> None:
    image = noise(1, 757, 913, 3)
    how, read = Resampling(image.shape[:2], round(px * STEPS)), reader(image)
    height, width = how.size
    whole = how.cut_out(read, (0, 0, width, height))
    assert whole.shape == (height, width, 3)

    draw, compared = np.random.default_rng(2), 0
    for _ in range(20):
        side = 64 * int(draw.integers(1, 9))
        left, top = (64 * draw.integers(0, 9, 2) % side).tolist()
        for y in range(top, height, side):
            for x in range(left, width, side):
                frame = (x, y, min(x + side, width), min(y + side, height))
                cut = how.cut_out(read, frame)
                np.testing.assert_array_equal(cut, whole[y : frame[3], x : frame[2]])
                compared += cut.size
    assert compared > whole.size


@pytest.mark.parametrize("px", SCALES)
def test_it_is_the_mean_under_a_triangle(px: float) -> None:
    image = noise(3, 300, 500, 3)
    how = Resampling(image.shape[:2], round(px * STEPS))
    frame = (64, 64, min(256, how.size[1]), min(128, how.size[0]))
    if frame[0] >= frame[2] or frame[1] >= frame[3]:
        frame = (0, 0, how.size[1], how.size[0])
    found = how.cut_out(reader(image), frame)
    for x, y in ((frame[0] + 3, frame[1] + 5), (frame[2] - 3, frame[3] - 2)):
        weights = [triangle(place, how.px, length) for place, length in ((y, 300), (x, 500))]
        expected = np.einsum("y,x,yxc->c", *weights, image.astype(float))
        assert np.abs(found[y - frame[1], x - frame[0]] - expected).max() <= 1.2


def triangle(place: int, px: float, length: int) -> np.ndarray:
    """Weights of the pixels of a side, those beyond its ends added to the outermost."""
    reach = max(1.0, px)
    taps = np.arange(-20, length + 20)
    weights = np.clip(1 - np.abs(taps + 0.5 - (place + 0.5) * px) / reach, 0, None)
    inside = np.bincount(np.clip(taps, 0, length - 1), weights, minlength=length)
    return inside / inside.sum()


def test_resizing_crops_by_themselves_would_differ() -> None:
    """Why there is a grid: what the test above asks of `Resampling` fails with plain crops."""
    image = noise(4, 640, 640, 3)
    whole = PIL.Image.fromarray(image).resize((432, 432), PIL.Image.Resampling.BILINEAR)
    crop = PIL.Image.fromarray(image[:320, :320]).resize((216, 216), PIL.Image.Resampling.BILINEAR)
    assert (np.asarray(whole)[:216, :216] != np.asarray(crop)).any()


def test_frames_off_the_grid_and_scales_of_no_slide_are_refused() -> None:
    how = Resampling((500, 500), STEPS)
    with pytest.raises(ValueError, match="grid"):
        how.cut_out(reader(noise(0, 500, 500, 3)), (32, 0, 64, 64))
    with pytest.raises(InputError, match="um per pixel"):
        Resampling((500, 500), 100 * STEPS)
