"""Cells, nuclei and outlines: what is drawn and what is said to be true of it."""

from dataclasses import replace

import numpy as np
import pytest

from irnet.synthetic.cell import Layer, draw_bare_nucleus, draw_cell
from irnet.synthetic.film import Habit
from irnet.synthetic.kinds import INTERMEDIATE, KINDS, SUPERFICIAL, Kind
from irnet.synthetic.nucleus import draw_nucleus
from irnet.synthetic.shape import bend, draw_outline, plane
from irnet.synthetic.stain import Stain

MPP = 0.3


def draw(seed: int, kind: Kind, blur: float = 0.0):
    rng = np.random.default_rng(seed)
    stain, habit = Stain.draw(rng, "pap"), Habit.draw(rng, "pap")
    radius = kind.diameter_um[0] / 2 / MPP
    return draw_cell(rng, kind, (40.3, -7.6), radius, stain=stain, habit=habit, mpp=MPP, blur=blur)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_cell_holds_its_nuclei(kind: Kind):
    for seed in range(6):
        drawing = draw(seed, kind)
        assert drawing.cytoplasm is not None
        mask, (x, y) = drawing.cytoplasm
        for nucleus, (left, top) in drawing.nuclei:
            height, width = nucleus.shape
            assert mask[top - y : top - y + height, left - x : left - x + width][nucleus].all()


def test_a_cells_area_is_that_of_its_kind():
    areas = [np.count_nonzero(draw(seed, INTERMEDIATE).cytoplasm[0]) * MPP**2 for seed in range(25)]
    assert np.median(areas) == pytest.approx(np.pi / 4 * INTERMEDIATE.diameter_um[0] ** 2, rel=0.12)


def test_layers_are_dense_inside_and_empty_at_the_tiles_border():
    for seed in range(8):
        for layer in draw(seed, INTERMEDIATE).layers:
            assert layer.density.min() >= 0
            assert layer.density.max() > 0.03
            border = np.concatenate([layer.density[[0, -1]].ravel(), layer.density[:, [0, -1]].ravel()])
            assert border.max() < 1e-3


def test_blur_keeps_absorbance_and_truth():
    sharp, soft = draw(3, INTERMEDIATE), draw(3, INTERMEDIATE, blur=2.5)
    assert np.array_equal(sharp.cytoplasm[0], soft.cytoplasm[0])
    for a, b in zip(sharp.layers, soft.layers, strict=True):
        assert b.density.sum() == pytest.approx(a.density.sum(), rel=1e-3)
        assert b.density.max() < a.density.max()
        assert b.corner[0] < a.corner[0]


def test_a_blurred_layer_stays_in_place():
    density = np.zeros((21, 21), dtype=np.float32)
    density[10, 10] = 1
    layer = Layer(density, (5, 7), np.ones(3, dtype=np.float32)).blurred(1.5)
    y, x = np.unravel_index(layer.density.argmax(), layer.density.shape)
    assert (x + layer.corner[0], y + layer.corner[1]) == (15, 17)


def test_a_bare_nucleus_has_no_cytoplasm():
    rng = np.random.default_rng(0)
    drawing = draw_bare_nucleus(rng, INTERMEDIATE, (0, 0), stain=Stain.draw(rng, "grey"), mpp=MPP, blur=0)
    assert drawing.cytoplasm is None
    assert len(drawing.nuclei) == 1


def test_nuclei_have_the_size_of_their_kind():
    rng = np.random.default_rng(1)
    areas = [draw_nucleus(rng, INTERMEDIATE, (0.2, 0.7), MPP).mask.sum() * MPP**2 for _ in range(60)]
    assert 45 < np.median(areas) < 70  # um^2; real ones of all kinds: 56, slightly generously annotated


def test_an_outline_has_the_area_asked_for():
    outline = draw_outline(
        np.random.default_rng(2),
        50,
        aspect=1.4,
        polygonal=0.8,
        waviness=0.05,
        notches=1,
        raggedness=0.01,
    )
    x, y = plane(int(outline.reach) + 2)
    assert np.count_nonzero(outline.depth(x, y)[0] > 0) == pytest.approx(np.pi * 50**2, rel=0.02)


def test_depth_is_the_distance_from_the_edge_of_a_circle():
    outline = draw_outline(
        np.random.default_rng(3), 40, aspect=1, polygonal=0, waviness=0, notches=0, raggedness=0
    )
    x, y = plane(60, (0.25, -0.5))
    depth, angle = outline.depth(x, y)
    assert np.allclose(depth, 40 - np.hypot(x, y), atol=1e-3)
    assert angle.min() >= 0
    assert angle.max() < len(outline.radii)


def test_bending_keeps_areas():
    x, y = plane(80)
    bent_x, bent_y = bend(x, y, 0.7, 0.005)
    assert np.count_nonzero(np.hypot(bent_x, bent_y) < 50) == pytest.approx(np.pi * 50**2, rel=0.01)


def test_a_folded_cell_ends_at_its_fold_and_is_darker_beside_it():
    rng = np.random.default_rng(9)
    habit = replace(Habit.draw(rng, "grey"), crumpled=0.0, turned=0.0, folded=0.0)
    stain, areas, densities = Stain.draw(rng, "grey"), [], []
    for folded in (0.0, 1.0):
        draws = [
            draw_cell(
                np.random.default_rng(seed),
                SUPERFICIAL,
                (0, 0),
                60.0,
                stain=stain,
                habit=replace(habit, folded=folded),
                mpp=MPP,
                blur=0,
            )
            for seed in range(20)
        ]
        areas.append(np.median([draw.cytoplasm[0].sum() for draw in draws if draw.cytoplasm]))
        densities.append(np.mean([d.layers[0].density[d.cytoplasm[0]].mean() for d in draws if d.cytoplasm]))
    assert 0.55 < areas[1] / areas[0] < 0.97
    assert densities[1] > 1.05 * densities[0]
