"""Cells that are drawn on bare ground, on pictures whose cells are known."""

import numpy as np
import pytest
from scipy import ndimage

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.inference.bare_ground import find_bare, leave_bare_out
from irnet.inference.detections import ImageDetections
from irnet.inference.predict import Predictor

SIDE, UM = 300, 0.5
CENTRES = (70, 70), (220, 70), (70, 220)  # x, y


def disc(centre: tuple[int, int], radius: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.hypot(x - centre[0], y - centre[1]) < radius


def picture(level: float, *, outline: bool = False) -> np.ndarray:
    """Ground of 230 with grain and white cells on it, and at the second centre a cell of `level`."""
    image = np.full((SIDE, SIDE), 230.0)
    cell = disc(CENTRES[1], 45)
    image[cell] = level
    if outline:
        image[cell & ~ndimage.binary_erosion(cell, iterations=6)] = 205
    for x, y in CENTRES:
        image[disc((x + 10, y), 7)] = 90
    grain = np.random.default_rng(4).normal(0, 5, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)[:, :, None].repeat(3, axis=2)


def drawn(*, nucleus: float = 0.0) -> Cells:
    """A cell around each centre; the first has a nucleus of score `nucleus`."""
    masks = [disc(centre, 45) for centre in CENTRES]
    labels, scores, parents = [CYTOPLASM] * 3, [0.9] * 3, [-1] * 3
    if nucleus:
        masks.append(disc(CENTRES[0], 8))
        labels, scores, parents = [*labels, NUCLEUS], [*scores, nucleus], [*parents, 0]
    return Cells.from_dense(np.array(masks), labels, scores=scores, parents=parents)


@pytest.mark.parametrize("level", [120, 190, 205])
def test_a_pale_cell_stays_and_bare_ground_goes(level: int):
    assert find_bare(picture(level), drawn(), UM, 0.04).tolist() == [True, False, True]


def test_an_outline_makes_a_cell():
    assert find_bare(picture(230), drawn(), UM, 0.04).tolist() == [True, True, True]
    assert find_bare(picture(230, outline=True), drawn(), UM, 0.04).tolist() == [True, False, True]


@pytest.mark.parametrize(("score", "bare"), [(0.9, False), (0.5, True)])
def test_a_sure_nucleus_makes_a_cell(score: float, bare: bool):
    assert find_bare(picture(190), drawn(nucleus=score), UM, 0.04).tolist() == [bare, False, True, False]


def test_the_only_cell_of_an_image_without_ground_stays():
    image = np.full((SIDE, SIDE, 3), 150, np.uint8)
    image[disc(CENTRES[0], 45)] = 200  # paler than all around: where is the ground?
    assert not find_bare(image, drawn(), UM, 0.04)[0]
    whole = Cells.from_dense(np.ones((1, SIDE, SIDE), bool), [CYTOPLASM])
    assert not find_bare(image, whole, UM, 0.04).any()


@pytest.mark.parametrize("um_per_px", [0.2, 0.5, 1.5])
def test_scales(um_per_px: float):
    assert find_bare(picture(190), drawn(), um_per_px, 0.04).tolist() == [True, False, True]


def test_what_is_left_out_is_told():
    found = ImageDetections(drawn(), 1.0, ("before",))
    cuts = {CYTOPLASM: 0.5, NUCLEUS: 0.5}
    left = leave_bare_out(found, picture(190), cuts, um_per_px=UM, excess=0.04)
    assert left.cells.boxes.tolist() == drawn().select([1]).boxes.tolist()
    assert left.notes[1:] == ("left out as bare ground on a second look: 2 cells",)
    for off in ({"excess": 0.0}, {"um_per_px": 0.0}):
        assert leave_bare_out(found, picture(190), cuts, **{"um_per_px": UM, "excess": 0.04} | off) is found
    high = {CYTOPLASM: 0.95, NUCLEUS: 0.5}  # candidates below the cut are not tested
    assert leave_bare_out(found, picture(190), high, um_per_px=UM, excess=0.04) is found


def test_a_predictor_looks_again(blobs: Predictor):
    y, x = np.mgrid[:200, :200]
    image = np.full((200, 200, 3), 212, np.uint8)
    image[np.hypot(x - 60, y - 60) < 30] = 209  # dark enough for the stand-in, and no darker than ground
    image[np.hypot(x - 140, y - 140) < 30] = 150
    image[np.hypot(x - 140, y - 140) < 10] = 60
    found = blobs.find(image, mpp=0.37)
    assert found.cells.labels.tolist() == [CYTOPLASM, NUCLEUS]
    assert found.cells.boxes[0, 0] > 100
    assert "1 cell" in found.notes[-1]
    off = blobs.settings.predict.model_copy(update={"bare_ground": 0.0})
    blobs.settings = blobs.settings.model_copy(update={"predict": off})
    assert len(blobs.find(image, mpp=0.37).cells) == 3
