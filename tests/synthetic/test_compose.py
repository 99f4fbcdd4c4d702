"""Composites of cut-outs."""

from dataclasses import replace

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.sample import Sample
from irnet.errors import InputError
from irnet.metrics.degree import degrees
from irnet.synthetic import Cutout, compose, cut_out
from irnet.synthetic.compose import _paste

SIDE = 80


def discs(*circles: tuple[float, float, float]) -> list[np.ndarray]:
    y, x = np.mgrid[:SIDE, :SIDE]
    return [(x - cx) ** 2 + (y - cy) ** 2 <= r**2 for cx, cy, r in circles]


def sample(masks: list[np.ndarray], labels: list[int], mpp: float | None = 0.4) -> Sample:
    image = np.full((SIDE, SIDE, 3), 240, np.uint8)
    for mask, label in zip(masks, labels, strict=True):
        image[mask] = 190 if label == CYTOPLASM else 100
    cells = Cells.from_dense(np.array(masks), labels, mpp=mpp)
    return Sample(name="one.png", image=image, content=Content(cells=cells))


@pytest.fixture
def cutout() -> Cutout:
    (found,) = cut_out(sample(discs((38, 40, 20), (36, 42, 6)), [CYTOPLASM, NUCLEUS]))
    return found


def test_a_free_cell_is_cut_out_with_a_margin(cutout: Cutout):
    assert cutout.cytoplasm.sum() == discs((38, 40, 20))[0].sum()
    assert cutout.nucleus.sum() == discs((36, 42, 6))[0].sum()
    assert not cutout.cytoplasm[:, :10].any()
    assert cutout.image[cutout.nucleus].max() == 100
    assert cutout.mpp == 0.4


@pytest.mark.parametrize(
    ("circles", "labels"),
    [
        ([(40, 40, 20)], [CYTOPLASM]),
        ([(40, 40, 20), (34, 40, 5), (46, 40, 5)], [CYTOPLASM, NUCLEUS, NUCLEUS]),
        ([(40, 40, 20), (40, 40, 5), (60, 40, 15)], [CYTOPLASM, NUCLEUS, CYTOPLASM]),
        ([(5, 40, 20), (8, 40, 5)], [CYTOPLASM, NUCLEUS]),
    ],
    ids=["no nucleus", "two nuclei", "overlapped", "cut by the border"],
)
def test_other_cells_are_not_cut_out(circles: list, labels: list[int]):
    assert cut_out(sample(discs(*circles), labels)) == []


def test_scale_must_be_known():
    unknown = sample(discs((38, 40, 20), (36, 42, 6)), [CYTOPLASM, NUCLEUS], mpp=None)
    with pytest.raises(InputError, match=r"one\.png"):
        cut_out(unknown)
    assert cut_out(unknown, 0.2)[0].mpp == 0.2


@pytest.mark.parametrize("seed", range(5))
def test_a_pasted_cell_keeps_its_shape_at_its_new_scale(cutout: Cutout, seed: int):
    drawing = _paste(np.random.default_rng(seed), cutout, (50.0, 60.0), 30.0, grey=True)
    assert drawing.cytoplasm is not None
    mask, (x, y) = drawing.cytoplasm
    assert mask.sum() == pytest.approx(np.pi * 30**2, rel=0.03)
    assert np.argwhere(mask).mean(axis=0) + np.array([y, x]) == pytest.approx([60, 50], abs=1)
    ((nucleus, _),) = drawing.nuclei
    assert nucleus.sum() == pytest.approx(np.pi * (6 * 1.5) ** 2, rel=0.08)


def test_a_pasted_cell_keeps_its_density_up_to_its_gain(cutout: Cutout):
    layer = _paste(np.random.default_rng(0), cutout, (50.0, 60.0), 20.0, grey=True).layers[0]
    mask = layer.density > 0.05
    ratio = np.median(layer.density[mask]) / np.log10(240 / 190)
    assert 0.6 < ratio < 1.6
    assert layer.density.max() / np.median(layer.density[mask]) == pytest.approx(
        np.log10(240 / 100) / np.log10(240 / 190), rel=0.05
    )


def test_fields_of_cutouts_have_whole_truth(cutout: Cutout):
    picture, truth = compose(5, [cutout, replace(cutout, kind="parabasal")], size=(200, 180), count=8)
    again, _ = compose(5, [cutout, replace(cutout, kind="parabasal")], size=(200, 180), count=8)
    assert np.array_equal(picture, again)
    assert picture.shape == (200, 180, 3)
    cells = truth.cells
    assert set(truth.kinds) == {"unknown", "parabasal"}
    assert len(truth.kinds) == len(cells)
    assert (cells.parents[cells.labels == NUCLEUS] != NO_PARENT).all()
    cytoplasms = cells.of(CYTOPLASM)
    assert np.count_nonzero(np.triu(cytoplasms.intersections(cytoplasms), 1))
    assert picture[cells.of(NUCLEUS).to_dense().any(axis=0)].mean() < picture.mean() - 40


def test_colours_survive(cutout: Cutout):
    pink = cutout.image.copy()
    pink[cutout.cytoplasm] = (230, 150, 180)
    picture, truth = compose(1, [replace(cutout, image=pink)], size=(150, 150), palette="pap", count=4)
    inside = truth.cells.of(CYTOPLASM).to_dense().any(axis=0)
    red, green, blue = np.median(picture[inside], axis=0) / np.median(picture[~inside], axis=0)
    assert green < blue < red


def test_nothing_is_composed_of_nothing():
    with pytest.raises(InputError, match="at least one cut-out"):
        compose(0, [])


@pytest.mark.parametrize("count", [2, 5, 8])
def test_every_second_cell_can_be_laid_under_others(cutout: Cutout, count: int):
    _, truth = compose(count, [cutout], size=(300, 300), count=count, covered=0.6)
    shares = degrees(truth.cells.of(CYTOPLASM))
    assert np.count_nonzero(shares > 0.6) >= count // 2


def test_a_cell_that_nothing_can_cover_is_told_of(cutout: Cutout):
    with pytest.raises(InputError, match="no place"):
        compose(0, [cutout], count=2, covered=1.0)
