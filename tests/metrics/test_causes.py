"""Scenes of rectangles, each made for one cause; shares and IoU are counted by hand."""

import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, Distractor
from irnet.metrics import score_image
from irnet.metrics.causes import CAUSES, Mistake, count_mistakes, find_mistakes
from irnet.metrics.ignore import counted

SHAPE = (60, 100)


@pytest.fixture
def mistakes(rectangles):
    """The mistakes of found boxes against true ones, of one class."""

    def find(true, found, distractors=(), label=CYTOPLASM) -> list[Mistake]:
        truths, finds = (rectangles(boxes, shape=SHAPE, label=label) for boxes in (true, found))
        return find_mistakes(truths, finds, distractors)

    return find


def told(mistakes: list[Mistake]) -> list[tuple]:
    return [(m.kind, m.cause, m.truths, m.preds) for m in mistakes]


def test_what_is_right_is_no_mistake(mistakes):
    boxes = [(5, 5, 25, 15), (30, 5, 50, 15)]
    assert mistakes(boxes, boxes) == []
    assert mistakes([], []) == []


def test_the_border_cuts(mistakes):
    assert told(mistakes([(0, 5, 10, 15)], [(90, 20, 100, 30)])) == [
        ("missed", "cut by the border", (0,), ()),
        ("false", "cut by the border", (), (0,)),
    ]


def test_a_second_find_is_found_twice(mistakes):
    # IoU 1 and 180 / 200.
    (twice,) = mistakes([(5, 5, 25, 15)], [(5, 5, 23, 15), (5, 5, 25, 15)])
    assert told([twice]) == [("false", "found twice", (0,), (0,))]
    assert twice.iou == pytest.approx(0.9)


def test_one_find_of_two_cells_is_merged(mistakes):
    # Each truth has 200 px, 40 shared; the find has all 360 and an IoU of .56 with both: it matches one.
    true, both = [(5, 5, 25, 15), (21, 5, 41, 15)], (5, 5, 41, 15)
    assert told(mistakes(true, [both])) == [
        ("missed", "merged", (1, 0), (0,)),
        ("poor", "merged", (0, 1), (0,)),
    ]
    # Three of 100 px in a row: IoU 1/3 with each, and no match at all.
    row = [(5, 5, 15, 15), (15, 5, 25, 15), (25, 5, 35, 15)]
    assert told(mistakes(row, [(5, 5, 35, 15)])) == [
        ("missed", "merged", (0, 1, 2), (0,)),
        ("missed", "merged", (1, 0, 2), (0,)),
        ("missed", "merged", (2, 0, 1), (0,)),
        ("false", "merged", (0, 1, 2), (0,)),
    ]


def test_what_lies_under_a_found_cell_was_not_merged_with_it(mistakes):
    # The second truth has 8 of its 10 columns under the first one: .2 to itself, too little to be merged.
    true = [(5, 5, 25, 15), (17, 5, 27, 15)]
    assert told(mistakes(true, [(5, 5, 26, 15)])) == [("missed", "under others", (1,), ())]


def test_under_others_begins_above_two_fifths(mistakes):
    over, found = (5, 5, 35, 15), [(5, 5, 35, 15)]
    assert told(mistakes([over, (31, 5, 41, 15)], found))[0][1] == "overlooked"  # .4 covered
    assert told(mistakes([over, (30, 5, 40, 15)], found))[0][1] == "under others"  # .5


def test_pieces_of_one_cell_are_split(mistakes):
    # 300 px in pieces of 140 and 120: IoU .47 and .40 would be poor outlines, but there are two.
    pieces = [(21, 5, 33, 15), (5, 5, 19, 15)]
    assert told(mistakes([(5, 5, 35, 15)], pieces)) == [
        ("missed", "split", (0,), (1, 0)),
        ("false", "split", (0,), (0, 1)),
        ("false", "split", (0,), (1, 0)),
    ]
    # Two of 70 px hold no more than half of it.
    assert told(mistakes([(5, 5, 35, 15)], [(5, 5, 12, 15), (20, 5, 27, 15)])) == [
        ("missed", "overlooked", (0,), ()),
        ("false", "fragment", (0,), (0,)),
        ("false", "fragment", (0,), (1,)),
    ]


def test_a_poor_outline_is_a_weak_match_or_almost_one(mistakes):
    def find(width):
        return mistakes([(5, 5, 25, 15)], [(5, 5, 5 + width, 15)])  # IoU width / 20

    assert find(14) == []
    assert told(find(13)) == [("poor", "poor outline", (0,), (0,))]
    assert told(find(10)) == [
        ("missed", "poor outline", (0,), (0,)),
        ("false", "poor outline", (0,), (0,)),
    ]
    assert [m.cause for m in find(5)] == ["overlooked", "fragment"]
    assert [m.iou for m in find(5)] == [0.25, 0.25]


def test_a_find_on_a_distractor_names_it(mistakes):
    box = Distractor(kind="mucus", box=(40, 30, 60, 50))
    on, off = mistakes([], [(45, 35, 55, 45), (65, 35, 75, 45)], [box])
    assert (on.cause, on.distractor) == ("on a distractor", "mucus")
    assert (off.cause, off.distractor) == ("background", None)


def test_a_cell_found_roughly_on_a_distractor_is_a_poor_outline(mistakes):
    box = Distractor(kind="mucus", box=(0, 0, 100, 60))
    found = mistakes([(5, 5, 25, 15)], [(5, 5, 15, 15)], [box])
    assert [m.cause for m in found] == ["poor outline", "poor outline"]


def test_classes_are_apart_and_indices_are_those_of_the_image(rectangles):
    true = rectangles([(5, 5, 25, 15), (30, 5, 50, 15)], shape=SHAPE, label=(CYTOPLASM, NUCLEUS))
    found = rectangles([(30, 5, 50, 15), (60, 5, 80, 15), (5, 5, 25, 15)], shape=SHAPE, label=(2, 2, 1))
    (false,) = find_mistakes(true, found)
    assert (false.label, false.preds) == (NUCLEUS, (1,))
    as_cells = Cells.concat([found.select([0]), found.select([2])])
    assert told(find_mistakes(true, Cells.build(as_cells.masks, as_cells.offsets, [1, 1], SHAPE))) == [
        ("false", "background", (), (0,)),
        ("missed", "overlooked", (1,), ()),
    ]


def test_counts_are_what_recall_and_precision_lack(rectangles):
    boxes = [(5, 5, 25, 15), (21, 5, 41, 15), (45, 5, 60, 20), (0, 30, 9, 40), (70, 30, 90, 50)]
    found = [(5, 5, 41, 15), (45, 5, 52, 20), (53, 5, 60, 20), (70, 30, 90, 42), (70, 2, 80, 12)]
    truth = Content(cells=rectangles(boxes, shape=SHAPE))
    preds = rectangles(found, shape=SHAPE)
    mistakes = find_mistakes(truth.cells, preds)
    ratios = score_image(truth, preds).classes[CYTOPLASM].ratios
    for kind, name in (("missed", "recall"), ("false", "precision")):
        lacking = ratios[name].denominator - ratios[name].numerator
        assert sum(m.kind == kind for m in mistakes) == lacking
    assert all(m.cause in CAUSES for m in mistakes)
    counts = count_mistakes([mistakes, mistakes[:1]])
    assert list(counts) == ["merged", "split", "cut by the border", "poor outline", "background"]
    assert counts["split"]["cytoplasm"] == {"missed": 1, "false": 2, "poor": 0}
    assert counts["merged"]["cytoplasm"] == {"missed": 2, "false": 0, "poor": 1}  # the first one counts twice
    assert counts["poor outline"]["nucleus"] == {"missed": 0, "false": 0, "poor": 0}
    assert count_mistakes([[]]) == {}


def test_what_is_not_scored_is_not_counted(rectangles):
    cells = rectangles([(5, 5, 25, 15), (30, 5, 50, 15)], shape=SHAPE, label=(1, 2), scores=[0.3, 0.9])
    ignore = rectangles([(28, 0, 60, 20)], shape=SHAPE, label=0)
    assert counted(Content(cells=cells), cells, {1: 0.5}).labels.tolist() == [2]
    assert counted(Content(cells=cells, ignore=ignore), cells).labels.tolist() == [1]
    assert len(counted(Content(cells=cells, annotated=frozenset({2})), cells)) == 1
    assert len(counted(Content(cells=Cells.empty(SHAPE)), Cells.empty(SHAPE))) == 0
