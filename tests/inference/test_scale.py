"""The scale that nuclei tell: which of them count, and what is said."""

import json

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data import memory
from irnet.data.nucleus_size import doubt_mpp
from irnet.errors import InputError
from irnet.inference.resizing import resize_image
from irnet.inference.scale import (
    PRIOR_NUCLEI,
    Scale,
    centre,
    estimate_scale,
    evenly_spaced,
    given_scale,
    median_nucleus,
)

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


def shrunk(zoom: float, nuclei: int) -> float:
    """An estimate from that many nuclei, nearer to 1 the fewer they are."""
    return zoom ** (nuclei / (nuclei + PRIOR_NUCLEI))


@pytest.mark.parametrize(
    ("diameter", "zoom"), [(20, 1.0), (17, 1.0), (24, 1.0), (14, 20 / 14), (30, 20 / 30), (90, 0.5), (6, 2.0)]
)
def test_nuclei_of_all_images_tell_one_scale(diameter: float, zoom: float):
    scale = estimate_scale([draw([diameter] * 12)] * 8, 20)
    expected = zoom if zoom in (0.5, 2.0) else shrunk(zoom, 96)
    assert scale.zoom == pytest.approx(expected, rel=0.06)
    assert (scale.estimated, scale.images, scale.nuclei) == (True, 8, 96)
    assert scale.nucleus_px == pytest.approx(diameter, rel=0.07)
    assert "96 nuclei on 8 images" in scale.notes[0]


def test_few_nuclei_move_the_scale_less_and_are_told_of():
    few, many = estimate_scale([draw([40] * 12)] * 2, 20), estimate_scale([draw([40] * 12)] * 6, 20)
    assert 1 > few.zoom > many.zoom > 0.5
    assert few.zoom == pytest.approx(shrunk(0.5, 24), rel=0.03)
    assert ["few nuclei" in note for note in few.notes] == [False, True]
    assert len(many.notes) == 1


def test_the_most_frequent_size_decides():
    sizes = [22, 23, 24, 23, 22, 24, 23, 22, 9, 9, 10, 55]
    assert estimate_scale([draw(sizes)] * 8, 40).nucleus_px == pytest.approx(23, rel=0.05)


def test_images_of_several_magnifications_are_told_of():
    small, large = [draw([18] * 12)] * 4, [draw([36] * 12)] * 4
    (_, note) = estimate_scale([*small, *large], 20).notes
    assert "18 px wide on some images and 36 px on others" in note
    near = [draw([22] * 12)] * 4
    assert len(estimate_scale([*small, *near], 20).notes) == 1


@pytest.mark.parametrize(("diameter", "warned"), [(10, True), (14, False), (70, False), (88, True)])
def test_nuclei_of_unusual_size_are_told_of(diameter: float, warned: bool):
    notes = estimate_scale([draw([diameter] * 12)] * 6, 20).notes
    assert any("outside 12 to 80 px" in note for note in notes) == warned


@pytest.mark.parametrize(
    "cells",
    [draw([40] * 9), draw([40] * 12, scores=0.4), draw([40] * 12, linked=False), Cells.empty((9, 9))],
    ids=["few", "doubtful", "free", "none"],
)
def test_nothing_is_estimated_from_too_few_nuclei_in_cells(cells: Cells):
    scale = estimate_scale([cells, cells], 20)
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
    scale = estimate_scale([crowded] * 5, 40)
    assert (scale.zoom, scale.nuclei) == (1.0, 30)
    cut = crowded.shift(-50, 0, (SIDE, SIDE))  # the left column loses half of each nucleus
    assert estimate_scale([cut] * 5, 40).nuclei == 20


def test_a_scale_survives_its_record():
    scale = estimate_scale([draw([30] * 12)] * 3, 20)
    assert Scale(**scale.record()) == scale
    assert json.loads(json.dumps(scale.record()))["nuclei"] == 36


@pytest.mark.parametrize("zoom", [0.0, -1.0, 1e300, float("nan"), float("inf")])
def test_a_scale_out_of_range_is_refused(zoom: float):
    with pytest.raises(InputError, match=r"give 0\.05 to 20 times"):
        given_scale(zoom)


def test_images_are_chosen_all_over_the_list():
    assert sorted(evenly_spaced(range(3))) == [0, 1, 2]
    chosen = evenly_spaced(range(1000))
    assert len(set(chosen)) == 32
    for first, gap in ((8, 130), (16, 66), (32, 33)):  # wherever looking stops, it was all over the list
        places = sorted(chosen[:first])
        assert max(np.diff([0, *places, 999])) <= gap


def test_nuclei_of_training_are_measured_at_the_networks_scale():
    known, unknown = Content(cells=draw([20] * 6, mpp=0.25)), Content(cells=draw([20] * 6))
    assert median_nucleus([known], 0.5) == pytest.approx(10, rel=0.06)
    assert median_nucleus([unknown], 0.5) == pytest.approx(20, rel=0.03)
    assert median_nucleus([known], 0) == pytest.approx(20, rel=0.03)
    assert median_nucleus([Content(cells=draw([20] * 3))], 0.5) is None


@pytest.mark.parametrize(("mpp", "doubted"), [(0.1, True), (0.37, False), (0.8, False), (1.0, True)])
def test_um_per_pixel_that_makes_nuclei_implausible_are_doubted(mpp: float, doubted: bool):
    notes = doubt_mpp(draw([20] * 5, mpp=mpp))
    assert [f"is {mpp:g} um per pixel right?" in note for note in notes] == [True] * doubted


def test_nothing_is_doubted_where_little_is_known():
    assert doubt_mpp(draw([20] * 2, mpp=1.5)) == doubt_mpp(draw([20] * 5)) == ()


def test_the_centre_of_an_image():
    image = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
    assert (centre(image, 4) == image[0:4, 2:6]).all()
    assert centre(image, 9).shape == image.shape


def test_a_scale_at_which_the_image_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "available", lambda: 10**8)
    with pytest.raises(InputError, match=r"0\.7 GB of memory to resample to 10000 x 10000 px, 0\.1 GB"):
        resize_image(np.zeros((100, 100, 3), dtype=np.uint8), (10_000, 10_000))
