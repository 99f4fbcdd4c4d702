"""Merit: hand-made cells at several cuts, and what it asks for beyond F1."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.metrics.merit import PARTS, merit_ratios, merits

CUTS = [0.1, 0.5, 0.8, 0.95]


def bars(places: list[tuple[int, int]], scores: list[float] | None = None, label: int = CYTOPLASM) -> Cells:
    """Bars of 10 rows from column a to column b."""
    masks = [np.ones((10, b - a), dtype=bool) for a, b in places]
    return Cells.build(
        masks,
        np.array([(a, 0) for a, _ in places]).reshape(-1, 2),
        [label] * len(places),
        (10, 100),
        scores=scores,
    )


TRUTH = [(0, 20), (15, 35), (50, 70)]  # 5 columns under two


def test_ratios_at_each_cut():
    found = bars([*TRUTH, (80, 100)], [0.9, 0.6, 0.9, 0.3])
    ratios = merit_ratios(bars(TRUTH), found, CUTS)
    assert ratios.shape == (4, len(PARTS), 2)
    assert ratios[:, 0].tolist() == [[6, 7], [6, 6], [4, 5], [0, 3]]
    assert ratios[:, 1].tolist() == [
        [600, 800],
        [600, 600],
        [450, 750],
        [0, 600],
    ]  # the missed cell takes another
    assert ratios[:, 2].tolist() == [[50, 50], [50, 50], [0, 50], [0, 50]]
    assert ratios[:, 3].tolist() == [[50, 50], [50, 50], [0, 0], [0, 0]]
    assert merits(ratios, CYTOPLASM)[1] == 1.0
    assert merits(ratios, CYTOPLASM)[0] == pytest.approx((6 / 7 + 600 / 800 + 2) / 4)


def test_nuclei_and_fields_without_overlap_are_worth_f1_and_aji():
    ratios = merit_ratios(bars(TRUTH), bars(TRUTH[:1], [0.9]), CUTS)
    assert merits(ratios, NUCLEUS)[0] == pytest.approx((2 / 4 + 200 / 600) / 2)
    apart = merit_ratios(bars([(0, 20), (50, 70)]), bars([(0, 20)], [0.9]), CUTS)
    assert merits(apart, CYTOPLASM)[0] == pytest.approx((2 / 3 + 200 / 400) / 2)


def test_a_cell_drawn_over_another_costs_precision():
    """F1 alone would not tell a mask that runs on under its neighbour from one that ends."""
    right, wide = bars(TRUTH, [0.9] * 3), bars([(0, 28), (15, 35), (50, 70)], [0.9] * 3)
    good, bad = (merit_ratios(bars(TRUTH), cells, [0.5]) for cells in (right, wide))
    assert good[0, 0].tolist() == bad[0, 0].tolist()
    assert bad[0, 3].tolist() == [50, 130]
    assert merits(bad, CYTOPLASM) < merits(good, CYTOPLASM)


def test_images_pool_and_nothing_is_worth_nothing():
    none = merit_ratios(bars([]), bars([], []), CUTS)
    assert merits(none, CYTOPLASM).tolist() == [0, 0, 0, 0]
    some = merit_ratios(bars(TRUTH), bars(TRUTH, [0.9] * 3), CUTS)
    assert np.array_equal(merits(some + none, CYTOPLASM), merits(some, CYTOPLASM))
