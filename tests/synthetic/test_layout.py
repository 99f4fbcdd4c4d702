"""Arrangement: numbers and overlaps of each layout."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM
from irnet.synthetic import generate
from irnet.synthetic.kinds import KINDS, draw_crowd, draw_kind
from irnet.synthetic.layout import LAYOUTS, LayoutName, draw_counts, draw_plan

FIELD = (1000, 1000)
MPP = 0.2529


def test_numbers_of_cells_are_those_of_the_paper():
    """4439 cytoplasms in 413 fields: 10.75 a field, of negative binomial variance m + m^2 / 6 = 30."""
    counts = draw_counts(np.random.default_rng((0, 2)), "cps", FIELD, MPP, 413)
    assert counts.sum() == pytest.approx(4439, rel=0.02)
    assert counts.var() == pytest.approx(30, rel=0.15)
    assert counts.min() <= 1
    assert counts.max() >= 25


def test_numbers_follow_the_area_of_a_field():
    rng = np.random.default_rng(1)
    half = draw_counts(rng, "dense", (500, 1000), MPP, 200).sum()
    assert draw_counts(rng, "dense", FIELD, MPP, 200).sum() == pytest.approx(2 * half, rel=0.05)


def test_bare_nuclei_bring_the_nuclei_to_the_papers_number():
    """4789 nuclei: of 1.079 a cell, 1.02 are in cells (binucleate and anucleate ones), less those cut off."""
    rng, cells, bare = np.random.default_rng(2), 0, 0
    for _ in range(400):
        plan = draw_plan(rng, "cps", FIELD, 11, lambda: ("cell", 80.0))
        cells, bare = cells + len(plan.cells), bare + len(plan.bare)
    assert bare / cells == pytest.approx(LAYOUTS["cps"].bare, abs=0.02)


def test_every_cell_reaches_into_the_field():
    rng = np.random.default_rng(3)
    for _ in range(20):
        for place in draw_plan(
            rng, "dense", (300, 400), 15, lambda: (None, float(rng.uniform(20, 60)))
        ).cells:
            x, y = place.centre
            assert -place.radius < x < 400 + place.radius
            assert -place.radius < y < 300 + place.radius


@pytest.mark.parametrize(("layout", "least", "most"), [("dense", 0.85, 1.0), ("sparse", 0.3, 0.68)])
def test_overlapped_share(layout: LayoutName, least: float, most: float):
    """ISBI 2014 composites: 92 % of the cells overlap another one; Cx22: 49 %."""
    overlapped = []
    for seed in range(14):
        _, truth = generate(seed, size=(420, 420), mpp=0.45, layout=layout, palette="grey")
        cytoplasms = truth.cells.of(CYTOPLASM)
        shared = cytoplasms.intersections(cytoplasms)
        overlapped += list(((shared > 0).sum(axis=1) > 1).tolist())
    assert least < np.mean(overlapped) < most


def test_cells_lie_under_others_in_heaps():
    """Share of the cells of which others cover more than 60 %."""
    buried: dict[LayoutName, list[bool]] = {"dense": [], "heaped": []}
    for layout, found in buried.items():
        for seed in range(8):
            _, truth = generate(seed, size=(420, 420), mpp=0.45, layout=layout, palette="grey")
            dense = truth.cells.of(CYTOPLASM).to_dense()
            layers = dense.sum(axis=0)
            found += [bool((layers[mask] > 1).mean() > 0.6) for mask in dense]
    assert np.mean(buried["dense"]) < 0.5 < np.mean(buried["heaped"]) < 0.85


def test_crowds_are_of_one_kind_and_full_of_nucleus():
    rng = np.random.default_rng(6)

    def draw_small():
        kind = rng.random()
        return lambda: (kind, 20.0)

    plan = draw_plan(rng, "crowded", FIELD, 60, lambda: ("common", 80.0), draw_small)
    crowded = [place for place in plan.cells if place.item != "common"]
    assert len(crowded) > 10
    for kind in {place.item for place in crowded}:
        centres = np.array([place.centre for place in crowded if place.item == kind])
        assert np.ptp(centres, axis=0).max() < 40 * 40  # px: each within a diameter of another one
    shares = []
    for _ in range(40):
        draw = draw_crowd(rng, MPP)
        kind, radius = draw()
        assert draw()[0] is kind
        shares.append(kind.nucleus_um[0] / (2 * radius * MPP))
    assert 0.4 < np.median(shares) < 0.9


def test_crowds_are_not_drawn_where_nothing_says_what_of():
    plan = draw_plan(np.random.default_rng(7), "crowded", FIELD, 30, lambda: ("common", 80.0))
    assert len(plan.cells) == 30


def test_kinds_have_the_sizes_of_the_table():
    rng = np.random.default_rng(4)
    for index, kind in enumerate(KINDS):
        shares = np.eye(len(KINDS))[index]
        radii = [draw_kind(rng, shares, 0.5)[1] for _ in range(300)]
        assert 2 * 0.5 * np.mean(radii) == pytest.approx(
            max(kind.diameter_um[0], 1.25 * kind.nucleus_um[0]), rel=0.08
        )


def test_one_cell_is_placed_where_there_is_no_room_for_others():
    plan = draw_plan(np.random.default_rng(5), "dense", (16, 16), 6, lambda: (None, 40.0))
    assert len(plan.cells) == 6
