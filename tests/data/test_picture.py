"""Arrays that a user gives: those of 16 bits by the rule of TIFF files."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from irnet.data.image import read_image
from irnet.data.picture import open_picture
from irnet.errors import InputError

RNG = np.random.default_rng(0)
RGB_12 = RNG.integers(0, 4096, (60, 90, 3), dtype=np.uint16)
ON_12 = 255 / 4095  # of 12 bits to 8


def with_alpha(value: int) -> np.ndarray:
    alpha = np.full((60, 90, 1), value, dtype=np.uint16)
    alpha[:7] = 0
    return np.concatenate([RGB_12, alpha], axis=2)


@pytest.mark.parametrize("value", [255, 4095, 65535])
def test_transparency_has_a_depth_of_its_own(tmp_path: Path, value: int) -> None:
    array = with_alpha(value)
    image = open_picture(array)
    assert np.array_equal(image.pixels[7:], np.round(RGB_12 * ON_12)[7:])
    assert (image.pixels[:7] == 255).all()
    assert "scaled from 12 bits" in image.notes[0]
    assert "transparency laid on white" in image.notes[1]

    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["unassalpha"])
    file = read_image(tmp_path / "a.tif")
    assert (file.pixels == image.pixels).all()
    assert file.notes == image.notes


@pytest.mark.parametrize(
    "values", [RGB_12, RGB_12[..., 0], RGB_12[..., :1]], ids=["RGB", "grey", "one channel"]
)
def test_colours_of_16_bits_are_scaled_and_it_is_said(values: np.ndarray) -> None:
    image = open_picture(values)
    assert np.array_equal(
        image.pixels, np.broadcast_to(np.round(values.reshape(60, 90, -1) * ON_12), (60, 90, 3))
    )
    assert image.notes == (f"16-bit values scaled from 12 bits (the largest is {values.max()})",)


def test_the_order_of_bytes_changes_nothing() -> None:
    assert np.array_equal(open_picture(RGB_12.astype(">u2")).pixels, open_picture(RGB_12).pixels)


@pytest.mark.parametrize("array", [RGB_12[..., :2], RGB_12[:0], RGB_12.astype(np.int32), RGB_12[None]])
def test_what_is_no_image_is_refused(array: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"give \(H, W\), \(H, W, 3\) or \(H, W, 4\) of uint8 or uint16"):
        open_picture(array)
