"""The scale that nuclei tell: which of them count, and what is said."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Truth
from irnet.engine.scale import centre, estimate_scale, median_nucleus

SIDE = 400


def draw(
    diameters: list[float], *, scores: float = 0.9, linked: bool = True, mpp: float | None = None
) -> Cells:
    """Round nuclei in a row, each in a square cell of its own."""
    y, x = np.mgrid[:SIDE, :SIDE]
    masks, labels, parents = [], [], []
    for number, diameter in enumerate(diameters):
        cx, cy = 50 + 100 * (number % 4), 50 + 100 * (number // 4)
        parents += [-1, len(masks) if linked else -1]
        masks += [
            np.maximum(abs(x - cx), abs(y - cy)) < 45,
            np.hypot(x - cx, y - cy) < diameter / 2,
        ]
        labels += [CYTOPLASM, NUCLEUS]
    return Cells.from_dense(
        np.array(masks), labels, scores=np.full(len(masks), scores), parents=parents, mpp=mpp
    )


@pytest.mark.parametrize(
    ("diameter", "zoom"), [(20, 1.0), (17, 1.0), (24, 1.0), (14, 20 / 14), (30, 20 / 30), (60, 0.5), (8, 2.0)]
)
def test_nuclei_tell_the_scale(diameter: float, zoom: float):
    scale = estimate_scale(draw([diameter] * 6), 20)
    assert scale.zoom == pytest.approx(zoom, rel=0.06)
    assert scale.estimated
    assert "6 nuclei" in scale.notes[0]


@pytest.mark.parametrize(("diameter", "warned"), [(10, True), (14, False), (70, False), (84, True)])
def test_nuclei_of_unusual_size_are_told_of(diameter: float, warned: bool):
    notes = estimate_scale(draw([diameter] * 6), 20).notes
    assert any("outside 12 to 80 px" in note for note in notes) == warned


@pytest.mark.parametrize(
    "cells",
    [draw([40] * 4), draw([40] * 6, scores=0.4), draw([40] * 6, linked=False), Cells.empty((9, 9))],
    ids=["few", "doubtful", "free", "none"],
)
def test_nothing_is_estimated_from_too_few_nuclei_in_cells(cells: Cells):
    scale = estimate_scale(cells, 20)
    assert (scale.zoom, scale.estimated) == (1.0, False)
    assert "too few" in scale.notes[0]


def test_lobes_on_a_cell_and_cut_nuclei_do_not_count():
    cells = draw([40] * 6)
    lobes = draw([6] * 6).of(NUCLEUS)
    many = Cells.concat([cells, lobes, lobes, lobes])
    parents = np.concatenate([cells.parents, *[cells.parents[cells.labels == NUCLEUS]] * 3])
    scores = np.where(np.arange(len(many)) < len(cells), 0.9, 0.8)
    crowded = Cells.build(
        many.masks, many.offsets, many.labels, many.image_shape, scores=scores, parents=parents
    )
    assert estimate_scale(crowded, 40).zoom == 1.0
    cut = crowded.shift(-50, 0, (SIDE, SIDE))  # the left column loses half of each nucleus
    assert "4 nuclei" in estimate_scale(cut, 40).notes[0]


def test_nuclei_of_training_are_measured_at_the_networks_scale():
    known, unknown = Truth(cells=draw([20] * 6, mpp=0.25)), Truth(cells=draw([20] * 6))
    assert median_nucleus([known], 0.5) == pytest.approx(10, rel=0.06)
    assert median_nucleus([unknown], 0.5) == pytest.approx(20, rel=0.03)
    assert median_nucleus([known], 0) == pytest.approx(20, rel=0.03)
    assert median_nucleus([Truth(cells=draw([20] * 3))], 0.5) is None


def test_the_centre_of_an_image():
    image = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
    assert (centre(image, 4) == image[0:4, 2:6]).all()
    assert centre(image, 9).shape == image.shape
