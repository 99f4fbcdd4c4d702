"""Bare ground costs nothing, and no cell lies in what is taken for it."""

import numpy as np
import pytest

from irnet.cells import Cells
from irnet.inference.blank import to_patches
from irnet.inference.windows import find_content, segment_in_windows
from irnet.slides.windows import plan_windows
from irnet.synthetic import generate


def centres_outside(image: np.ndarray, cells: Cells, core: int) -> int:
    """How many cells have their centre in no box that is looked at."""
    patches, missing = to_patches(image), 0
    x, y = ((cells.boxes[:, i] + cells.boxes[:, i + 2]) / 2 for i in (0, 1))
    for window in plan_windows(image.shape[:2], core=core, halo=0):
        box = find_content(patches, window.core) or (0, 0, 0, 0)
        inside = (box[0] <= x) & (x < box[2]) & (box[1] <= y) & (y < box[3])
        missing += int((window.owns(cells.boxes) & ~inside).sum())
    return missing


def faint(image: np.ndarray, contrast: float) -> np.ndarray:
    """The same field with so much of its contrast to the ground."""
    ground = np.median(image.reshape(-1, 3), axis=0)
    return (ground + (image - ground) * contrast).round().astype(np.uint8)


@pytest.mark.parametrize("core", [64, 256])
@pytest.mark.parametrize("seed", range(6))
def test_no_pale_cell_is_taken_for_ground(seed: int, core: int):
    image, content = generate(seed, size=(512, 512), mpp=0.37, layout="sparse", palette="pale", count=3)
    assert centres_outside(image, content.cells, core) == 0
    assert centres_outside(faint(image, 0.5), content.cells, core) == 0


@pytest.mark.parametrize("shape", [(1100, 2300), (1027, 2051)])
def test_ground_is_not_looked_at(shape: tuple[int, int]):
    grain = np.random.default_rng(0).normal(0, 3, (*shape, 3))
    light = np.linspace(-15, 15, shape[1])[:, None]  # across the image, as of a lamp that is not centred
    image = 230 + grain + light
    image[600:624, 300:324] -= 20  # one small pale cell
    seen = []

    def segment(window: np.ndarray) -> tuple[Cells, bool]:
        seen.append(window.shape[:2])
        return Cells.empty(window.shape[:2]), False

    _, notes = segment_in_windows(
        segment, image.astype(np.uint8), suppress=lambda cells, windows: np.arange(len(cells)), cap_note=""
    )
    assert len(seen) == 1
    assert max(seen[0]) < 1100
    assert notes == ("1 window of up to 1792 px, and bare ground, 1 window, that was not looked at",)
