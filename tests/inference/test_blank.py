"""What is no cell regardless of the network."""

import io

import numpy as np
import PIL.Image
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.inference.blank import BLANK, drop_specks, is_blank
from irnet.inference.predict import Predictor
from irnet.synthetic import generate


def noise(side: int, kind: str) -> np.ndarray:
    """A picture of nothing but noise."""
    rng = np.random.default_rng(7)
    if kind == "uniform":
        return rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    if kind == "grey":
        return rng.integers(0, 256, (side, side, 1), dtype=np.uint8).repeat(3, axis=2)
    if kind == "salt":
        return np.uint8(255) * (rng.random((side, side, 1)) < 0.02).repeat(3, axis=2)
    return rng.normal(220, 6, (side, side, 3)).clip(0, 255).astype(np.uint8)


def as_jpeg(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=80)
    return np.asarray(PIL.Image.open(file))


@pytest.mark.parametrize("side", [50, 400])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_is_blank(side: int, level: int):
    assert is_blank(np.full((side, side, 3), level, np.uint8))


@pytest.mark.parametrize("zoom", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("side", [50, 400])
@pytest.mark.parametrize("kind", ["uniform", "grey", "salt", "faint"])
def test_noise_is_blank(side: int, kind: str, zoom: float):
    image = noise(side, kind)
    if zoom < 1 or kind != "salt":
        assert is_blank(image, zoom)
    assert is_blank(as_jpeg(image), 1.0)


@pytest.mark.parametrize("shape", [(3, 3), (1, 400), (400, 15)])
def test_an_image_that_no_cell_fits_in_is_blank(shape: tuple[int, int]):
    image = np.full((*shape, 3), 240, np.uint8)
    image[: shape[0] // 2 + 1] = 10
    assert is_blank(image)


@pytest.mark.parametrize("palette", ["pale", "grey"])
@pytest.mark.parametrize("sigma", [0.0, 12.0])
def test_fields_are_not_blank(palette: str, sigma: float):
    image, _ = generate(3, size=(300, 300), mpp=0.37, layout="sparse", palette=palette)
    grain = np.random.default_rng(0).normal(0, sigma, image.shape)
    assert not is_blank((image + grain).clip(0, 255).astype(np.uint8))


def test_one_small_pale_cell_is_enough():
    image = np.full((1000, 1000, 3), 235, np.uint8)
    image[500:524, 500:524] -= 20
    assert not is_blank(image)


def test_nothing_is_looked_for_in_a_blank_picture(blobs: Predictor):
    for image in (np.zeros((60, 90, 3), np.uint8), noise(90, "grey")):
        found = blobs.find(image, 0.37)
        assert (len(found.cells), found.cells.image_shape, found.cells.mpp) == (0, image.shape[:2], 0.37)
        assert BLANK in found.notes
        assert len(blobs.predict(image)) == 0
    assert blobs.model.seen == []


def test_specks_are_no_cells_and_what_the_border_cuts_may_be_smaller():
    def square(x: int, side: int) -> tuple[np.ndarray, tuple[int, int]]:
        return np.ones((side, side)), (x, 40 if x else 0)

    sides = [(10, 3), (20, 5), (30, 10), (50, 15), (0, 3), (0, 7)]
    masks, offsets = zip(*(square(x, side) for x, side in sides), strict=True)
    labels = [NUCLEUS, NUCLEUS, CYTOPLASM, CYTOPLASM, NUCLEUS, CYTOPLASM]
    cells = Cells.build(masks, offsets, labels, (100, 100))
    assert drop_specks(cells, 0.37).areas.tolist() == [25, 225, 9, 49]
    assert len(drop_specks(cells, 3.7)) == len(drop_specks(cells, 0.0)) == 6
