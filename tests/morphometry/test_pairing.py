"""Nuclei find their cells: inside, in the middle, of a fitting size, and all of them together."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.morphometry.evidence import TERMS, find_candidates
from irnet.morphometry.pairing import FIRST, FURTHER, WEIGHTS, pair_nuclei, pairing_confidence
from irnet.synthetic import generate

FRAME = (200, 300)


def discs(*circles: tuple[float, float, float], labels: list[int], **fields) -> Cells:
    """Discs of (x, y, radius)."""
    y, x = np.mgrid[: FRAME[0], : FRAME[1]]
    dense = np.array([(x - a) ** 2 + (y - b) ** 2 <= r**2 for a, b, r in circles])
    return Cells.from_dense(dense, labels, **fields)


def twins(*nuclei: tuple[float, float, float], scores: list[float] | None = None) -> Cells:
    """Two cells that overlap from x = 110 to 140, and nuclei."""
    labels = [CYTOPLASM] * 2 + [NUCLEUS] * len(nuclei)
    return discs((80, 100, 60), (170, 100, 60), *nuclei, labels=labels, scores=scores)


def test_one_cell_and_its_nucleus():
    cells = discs((100, 100, 50), (105, 95, 10), labels=[CYTOPLASM, NUCLEUS])
    assert pair_nuclei(cells).parents.tolist() == [-1, 0]
    assert pairing_confidence(pair_nuclei(cells))[1] > 0.95
    assert np.isnan(pairing_confidence(cells)[0])


def test_in_an_overlap_the_cell_whose_middle_is_nearer_has_it():
    assert pair_nuclei(twins((122, 100, 6))).parents.tolist() == [-1, -1, 0]
    assert pair_nuclei(twins((128, 100, 6))).parents.tolist() == [-1, -1, 1]
    assert pairing_confidence(pair_nuclei(twins((125, 100, 6))))[2] == pytest.approx(0.5, abs=0.05)


def test_a_cell_that_has_a_nucleus_leaves_another_to_the_cell_without():
    cells = twins((122, 100, 6), (75, 100, 8))
    assert pair_nuclei(cells).parents.tolist() == [-1, -1, 1, 0]


def test_two_nuclei_in_the_middle_are_both_its_own():
    cells = twins((70, 100, 8), (90, 100, 8), (170, 100, 8))
    assert pair_nuclei(cells).parents.tolist() == [-1, -1, 0, 0, 1]


def test_of_a_small_cell_on_a_large_one_the_nucleus_is_the_small_ones():
    circles = (110, 100, 90), (150, 100, 20), (150, 100, 8), (100, 100, 9)
    cells = discs(*circles, labels=[CYTOPLASM, CYTOPLASM, NUCLEUS, NUCLEUS])
    assert pair_nuclei(cells).parents.tolist() == [-1, -1, 1, 0]


def test_where_all_else_is_equal_the_cell_of_the_higher_score_wins():
    assert pair_nuclei(twins((125, 100, 6), scores=[0.6, 0.9, 1])).parents[2] == 1
    assert pair_nuclei(twins((125, 100, 6), scores=[0.9, 0.6, 1])).parents[2] == 0


def test_a_nucleus_with_less_than_half_inside_is_bare():
    cells = discs((100, 100, 40), (142, 100, 10), (200, 50, 10), labels=[CYTOPLASM, NUCLEUS, NUCLEUS])
    linked = pair_nuclei(cells)
    assert linked.parents.tolist() == [-1, -1, -1]
    assert pairing_confidence(linked).tolist()[1:] == [1, 1]


def test_a_second_nucleus_at_the_very_edge_is_bare():
    cells = discs((100, 100, 60), (100, 100, 10), (157, 100, 8), labels=[CYTOPLASM, NUCLEUS, NUCLEUS])
    linked = pair_nuclei(cells)
    assert linked.parents.tolist() == [-1, 0, -1]
    assert pairing_confidence(linked)[2] > 0.5


def test_the_edge_of_the_frame_is_no_outline():
    cut, whole = (
        find_candidates(discs((x, 100, 40), (x, 100, 6), labels=[CYTOPLASM, NUCLEUS])) for x in (0, 100)
    )
    assert cut.terms[0, 1] == pytest.approx(whole.terms[0, 1], abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_depths_of_many_cells_as_of_each_alone(seed: int):
    rng = np.random.default_rng(seed)
    circles = [(*rng.uniform(-5, (305, 205)), rng.uniform(6, 90)) for _ in range(12)]
    inner = [(*rng.uniform(0, (300, 200)), rng.uniform(1, 5)) for _ in range(60)]
    cells = discs(*circles, *inner, labels=[CYTOPLASM] * 12 + [NUCLEUS] * 60)
    found = find_candidates(cells)
    assert len(found.nuclei) > 30
    for nucleus, cell, terms in zip(found.nuclei, found.cells, found.terms, strict=True):
        mask, (x, y) = cells.masks[cell], cells.offsets[cell]
        step = -(-max(mask.shape) // 64)
        bottom, right = y + mask.shape[0], x + mask.shape[1]
        sides = [(int(y > 0), int(bottom < FRAME[0])), (int(x > 0), int(right < FRAME[1]))]
        distance = distance_transform_edt(np.pad(mask[::step, ::step], sides))

        rows, columns = np.nonzero(cells.masks[nucleus])
        middle = cells.offsets[nucleus] + (columns.mean(), rows.mean())
        column, row = np.round((middle - (x, y)) / step).astype(int)
        height, width = mask[::step, ::step].shape
        column, row = min(max(column, 0), width - 1), min(max(row, 0), height - 1)
        depth = distance[row + sides[0][0], column + sides[1][0]] / distance.max()
        assert terms[TERMS.index("shallow")] == pytest.approx(1 - depth)


def test_links_by_hand_may_be_doubted():
    right = pair_nuclei(twins((85, 100, 6), (165, 100, 6)))
    wrong = replace(right, parents=np.array([-1, -1, -1, 1]))
    outside = replace(right, parents=np.array([-1, -1, 1, 0]))
    assert pairing_confidence(right)[2] > 0.9
    assert pairing_confidence(wrong)[2] < 0.1  # said to be bare
    assert pairing_confidence(outside)[2] == 0  # in a cell that does not hold it


def test_only_those_that_take_part_are_linked():
    cells = twins((122, 100, 6), (125, 100, 6))
    among = np.array([False, True, True, False])
    assert pair_nuclei(cells, among).parents.tolist() == [-1, -1, 1, -1]


def test_the_order_of_the_instances_does_not_matter():
    _, truth = generate(7, size=(400, 400), layout="dense", count=14)
    cells, order = truth.cells, np.random.default_rng(0).permutation(len(truth.cells))
    linked = pair_nuclei(cells)
    assert (linked.parents >= 0).sum() > 5
    assert pair_nuclei(cells.select(order)).parents.tolist() == linked.select(order).parents.tolist()


def test_the_links_together_are_the_cheapest_of_all():
    cells = discs(
        *((80, 100, 50), (120, 90, 50), (100, 130, 45)),
        *((100, 100, 7), (95, 110, 6), (110, 105, 7), (75, 95, 8)),
        labels=[CYTOPLASM] * 3 + [NUCLEUS] * 4,
    )
    found = find_candidates(cells)
    costs = {
        (n, c): cost for n, c, cost in zip(found.nuclei, found.cells, found.terms @ WEIGHTS, strict=True)
    } | {(n, -1): 0.0 for n in range(3, 7)}
    ways = [[cell for cell in (-1, 0, 1, 2) if (n, cell) in costs] for n in range(3, 7)]

    def price(way: tuple[int, ...]) -> float:
        gains = [FIRST * (way.count(c) > 0) + FURTHER * max(0, way.count(c) - 1) for c in range(3)]
        return sum(costs[n, cell] for n, cell in enumerate(way, start=3)) - sum(gains)

    every = sorted(product(*ways), key=price)
    linked = pair_nuclei(cells)
    assert linked.parents[3:].tolist() == list(every[0])
    other = min((way for way in every if way[0] != every[0][0]), key=price)
    expected = 1 / (1 + np.exp(price(every[0]) - price(other)))
    assert pairing_confidence(linked)[3] == pytest.approx(expected)


def test_a_chain_of_cells_without_end_is_solved_by_its_links_alone(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    masks = [np.ones((12, 30), dtype=bool)] * 300 + [np.ones((4, 4), dtype=bool)] * 300
    nuclei = rng.choice(3000, 300, replace=False)  # no two of them are alike
    offsets = [(10 * x, 2) for x in range(300)] + [(x, 6) for x in nuclei]
    labels = [CYTOPLASM] * 300 + [NUCLEUS] * 300
    cells = Cells.build(masks, offsets, labels, (20, 3100), scores=rng.uniform(0.1, 1, 600))
    linked = pair_nuclei(cells)
    assert (linked.parents >= 0).sum() > 100
    monkeypatch.setattr("irnet.morphometry.pairing._DENSE", -1)
    assert pair_nuclei(cells).parents.tolist() == linked.parents.tolist()


def test_the_page_says_what_is_weighed():
    page = Path(__file__).parents[2] / "docs" / "reference" / "measurements.md"
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \|", text, re.M)
    assert rows == [(term, f"{weight:g}") for term, weight in zip(TERMS, WEIGHTS, strict=True)]
    assert f"{FIRST} nats for a cell's first nucleus and {FURTHER} for each further one" in text


def test_no_cells_one_class_only_and_empty_masks():
    assert len(pair_nuclei(Cells.empty(FRAME))) == 0
    for label in (CYTOPLASM, NUCLEUS):
        assert pair_nuclei(discs((50, 50, 5), labels=[label])).parents.tolist() == [-1]
    nothing = discs((50, 50, -1), (60, 60, 9), labels=[NUCLEUS, CYTOPLASM])
    assert pair_nuclei(nothing).parents.tolist() == [-1, -1]
    pixels = discs((50, 50, 0), (50, 50, 0), labels=[NUCLEUS, CYTOPLASM])
    assert pair_nuclei(pixels).parents.tolist() == [1, -1]
    everything = discs((50, 50, 999), (60, 60, 9), labels=[CYTOPLASM, NUCLEUS])
    assert pair_nuclei(everything).parents.tolist() == [-1, 0]
