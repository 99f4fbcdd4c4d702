"""What a slide does at once and in pieces is what is done for an image: suppression, and links of nuclei."""

from dataclasses import replace

import numpy as np
import pytest
from oracle import NMS, Scene

from irnet.cells import CYTOPLASM, Cells
from irnet.geometry.boxes import iou, overlapping_pairs
from irnet.morphometry.pairing import pair_nuclei, pairing_confidence
from irnet.slides import candidates, linking, suppress
from irnet.slides.block import MEASURES, Block, measure_in_window
from irnet.slides.candidates import Candidates, nearby
from irnet.slides.linking import link_nuclei
from irnet.slides.seams import survivors, survivors_at_seams
from irnet.slides.suppress import survivors_of
from irnet.synthetic import generate


def block_of(cells: Cells) -> Block:
    nothing = np.full((len(cells), len(MEASURES)), np.nan, np.float32)
    return Block.of(cells, nothing, np.zeros(len(cells), bool))


def same(one: Cells, other: Cells) -> bool:
    masks = [np.array_equal(a, b) for a, b in zip(one.masks, other.masks, strict=True)]
    return (
        all(masks) and np.array_equal(one.offsets, other.offsets) and np.array_equal(one.labels, other.labels)
    )


def test_a_block_holds_its_cells() -> None:
    cells = Scene(1, (600, 700), 80).whole()
    block = block_of(cells)
    assert same(block.to_cells(cells.image_shape, 0.37), cells)
    np.testing.assert_array_equal(block.areas, cells.areas)
    order = np.random.default_rng(0).permutation(len(cells))[:50]
    assert same(block.select(order).to_cells(cells.image_shape, 0.37), cells.select(order))

    parts = [block.select(np.arange(20)), Block.empty(), block.select(np.arange(20, len(block)))]
    assert same(Block.concat(parts).to_cells(cells.image_shape, 0.37), cells)
    assert len(Block.concat([Block.empty()])) == 0


def test_masks_are_suppressed_as_in_an_image() -> None:
    cells = Scene(2, (500, 600), 250).whole()
    kept = survivors_of(Candidates.of(block_of(cells)), NMS, masks=True)
    np.testing.assert_array_equal(kept, survivors(cells, nms=NMS))
    assert 0 < len(kept) < len(cells)


def test_boxes_are_compared_across_windows_alone() -> None:
    cells = Scene(3, (400, 400), 150).whole()
    owners = np.random.default_rng(1).integers(0, 3, len(cells))
    kept = survivors_of(Candidates.of(block_of(cells), owners), NMS, masks=False)
    np.testing.assert_array_equal(kept, survivors_at_seams(cells, owners, nms=NMS))

    overlap, order = iou(cells.boxes, cells.boxes), np.argsort(-cells.scores)
    expected: list[int] = []
    for i in order:
        rivals = [j for j in expected if owners[j] != owners[i] and cells.labels[j] == cells.labels[i]]
        if all(overlap[i, j] <= NMS[int(cells.labels[i])] for j in rivals):
            expected.append(int(i))
    assert kept.tolist() == expected
    assert len(kept) < len(cells)


@pytest.mark.parametrize("together", [3, 1000])
def test_nuclei_are_linked_as_in_an_image(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    monkeypatch.setattr(linking, "_TOGETHER", together)
    _, content = generate(5, size=(700, 700), mpp=0.37, count=40)
    cells = content.cells.select(np.random.default_rng(2).permutation(len(content.cells)))
    parents, confidence = link_nuclei(Candidates.of(block_of(cells)), cells.image_shape, 0.37)

    expected = pair_nuclei(cells)
    np.testing.assert_array_equal(parents, expected.parents)
    np.testing.assert_allclose(confidence, pairing_confidence(expected))
    assert (parents >= 0).sum() > 20


def test_measures_are_in_um_and_against_the_background_of_the_slide() -> None:
    image = np.full((60, 80, 3), 200, np.uint8)
    image[20:40, 30:60] = 20
    mask = np.ones((20, 30), bool)
    cells = Cells.build([mask], np.array([[30, 20]]), [CYTOPLASM], (60, 80), scores=[0.9])
    row = dict(zip(MEASURES, measure_in_window(cells, image, (200.0, 200.0, 200.0), 0.5)[0], strict=True))
    assert row["area_um2"] == pytest.approx(20 * 30 * 0.25)
    assert row["od_mean"] == pytest.approx(1.0)
    assert row["max_diameter_um"] == pytest.approx(0.5 * np.hypot(20, 30), rel=0.05)


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and parts so small that every heap crosses several of them."""
    monkeypatch.setattr(candidates, "ROW", 16)
    monkeypatch.setattr(suppress, "_TOGETHER", 7)
    monkeypatch.setattr(linking, "_TOGETHER", 3)


def in_windows(cells: Cells, owners: np.ndarray) -> Candidates:
    """Candidates in the blocks of their windows, of which few are held at a time."""
    block = block_of(cells)
    blocks = {number: block.select(np.flatnonzero(owners == number)) for number in np.unique(owners).tolist()}
    return Candidates.gather(blocks, blocks.__getitem__)


@pytest.mark.usefixtures("small_rows")
@pytest.mark.parametrize("seed", range(3))
def test_heaps_that_cross_rows_are_solved_as_a_whole(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_BLOCKS", 2)
    size = (600, 130) if seed % 2 else (300, 250)
    cells = Scene(20 + seed, size, 110).whole()  # one heap, of boxes
    owners = np.random.default_rng(seed).integers(0, 9, len(cells))
    order = np.argsort(owners, kind="stable")
    cells, owners = cells.select(order), owners[order]
    cells = replace(cells, scores=cells.scores.astype(np.float32).astype(float))  # as blocks keep them
    found = in_windows(cells, owners)
    np.testing.assert_array_equal(survivors_of(found, NMS, masks=True), survivors(cells, nms=NMS))
    kept = survivors_of(found, NMS, masks=False)
    np.testing.assert_array_equal(kept, survivors_at_seams(cells, owners, nms=NMS))

    expected = pair_nuclei(cells.select(kept))
    parents, confidence = link_nuclei(found.select(kept), cells.image_shape, 0.37)
    np.testing.assert_array_equal(parents, expected.parents)
    assert confidence.tobytes() == pairing_confidence(expected).tobytes()
    assert (len(kept) < len(cells)) & (parents.max() > 0)


def test_what_is_near_is_all_that_meets() -> None:
    draw = np.random.default_rng(4)
    for count, other in ((300, 200), (1, 5), (0, 5), (5, 0)):
        a, b = (np.repeat(draw.integers(0, 4000, (n, 2)), 2, axis=0).reshape(n, 4) for n in (count, other))
        a[:, 2:] += draw.integers(1, 300, (count, 2))
        b[:, 2:] += draw.integers(1, 2500, (other, 2))
        pairs = {(i, j) for some, near in nearby(a, b, 20) for i in some.tolist() for j in near.tolist()}
        seen = [i for some, _ in nearby(a, b, 20) for i in some.tolist()]
        assert sorted(seen) == ([*range(count)] if other else [])
        assert {(int(i), int(j)) for i, j in overlapping_pairs(a, b)} <= pairs
        assert len(pairs) < count * other / 2 or count < 2 or not other


def test_masks_come_from_the_blocks_of_their_windows() -> None:
    cells = Scene(1, (600, 700), 80).whole()
    owners = np.random.default_rng(0).integers(0, 5, len(cells))
    found = in_windows(cells, owners)
    order = np.argsort(owners, kind="stable")
    index = np.random.default_rng(1).permutation(len(cells))[:60]
    assert same(found.take(index).to_cells(cells.image_shape, 0.37), cells.select(order[index]))
    np.testing.assert_array_equal(found.areas, cells.areas[order])
    assert len(found.take(index[:0])) == 0
    assert len(Candidates.gather([], lambda _: Block.empty())) == 0
