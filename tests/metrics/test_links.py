"""Scores of links, by hand."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.metrics import render_table, score_image, summarise
from irnet.metrics.links import ambiguous, link_scores

FRAME = (60, 120)
BOXES = (
    (0, 0, 40, 40),  # 0 and 1: cells that share ten columns
    (30, 0, 70, 40),
    (10, 10, 16, 16),  # 2: nucleus of 0
    (32, 20, 38, 26),  # 3: nucleus of 1, inside both
    (80, 10, 86, 16),  # 4: bare
)
LABELS = [CYTOPLASM, CYTOPLASM, NUCLEUS, NUCLEUS, NUCLEUS]
PARENTS = [-1, -1, 0, 1, -1]


def blocks(boxes, labels: list[int], parents: list[int], **fields) -> Cells:
    masks = [np.ones((y2 - y1, x2 - x1), dtype=bool) for x1, y1, x2, y2 in boxes]
    return Cells.build(masks, [box[:2] for box in boxes], labels, FRAME, parents=parents, **fields)


@pytest.fixture
def truth() -> Cells:
    return blocks(BOXES, LABELS, PARENTS)


def values(scores: dict) -> dict[str, tuple[float, float]]:
    return {name.removeprefix("link_"): tuple(ratio) for name, ratio in scores.items()}


def test_the_truth_itself_is_right(truth: Cells):
    assert values(link_scores(truth, truth)) == {
        "accuracy": (3, 3),  # the bare one too
        "recall": (2, 2),
        "precision": (2, 2),
        "accuracy_ambiguous": (1, 1),
        "recall_ambiguous": (1, 1),
        "precision_ambiguous": (1, 1),
    }


def test_the_order_of_the_predictions_does_not_matter(truth: Cells):
    order = np.array([4, 1, 3, 0, 2])
    assert values(link_scores(truth, truth.select(order))) == values(link_scores(truth, truth))


def test_a_wrong_parent_and_a_missing_one(truth: Cells):
    wrong = blocks(BOXES, LABELS, [-1, -1, 0, 0, -1])
    found = values(link_scores(truth, wrong))
    assert (found["accuracy"], found["recall"], found["precision"]) == ((2, 3), (1, 2), (1, 2))
    assert found["accuracy_ambiguous"] == found["recall_ambiguous"] == found["precision_ambiguous"] == (0, 1)
    found = values(link_scores(truth, blocks(BOXES, LABELS, [-1, -1, 0, -1, -1])))
    assert (found["accuracy"], found["recall"], found["precision"]) == ((2, 3), (1, 2), (1, 1))


def test_a_bare_nucleus_with_a_parent_is_wrong(truth: Cells):
    found = values(link_scores(truth, blocks(BOXES, LABELS, [-1, -1, 0, 1, 1])))
    assert (found["accuracy"], found["recall"], found["precision"]) == ((2, 3), (2, 2), (2, 3))


def test_a_missed_cell_tells_nothing_of_the_choice_but_loses_the_link(truth: Cells):
    found = values(link_scores(truth, blocks(BOXES[1:], LABELS[1:], [-1, 0, 0, -1])))
    assert (found["accuracy"], found["recall"], found["precision"]) == ((2, 2), (1, 2), (1, 2))
    assert found["accuracy_ambiguous"] == (1, 1)
    assert found["precision_ambiguous"] == (0, 0)  # inside one predicted cell only


def test_a_missed_nucleus_and_a_false_one(truth: Cells):
    boxes, labels = (*BOXES[:3], (50, 5, 56, 11)), LABELS[:4]
    found = values(link_scores(truth, blocks(boxes, labels, [-1, -1, 0, 1])))
    assert (found["accuracy"], found["recall"], found["precision"]) == ((1, 1), (1, 2), (1, 2))


def test_nothing_found(truth: Cells):
    found = values(link_scores(truth, Cells.empty(FRAME)))
    assert (found["accuracy"], found["recall"], found["precision"]) == ((0, 0), (0, 2), (0, 0))


def test_a_truth_without_links_scores_none(truth: Cells):
    assert link_scores(blocks(BOXES, LABELS, [-1] * 5), truth) == {}
    assert link_scores(Cells.empty(FRAME), truth) == {}


def test_half_inside_is_inside():
    boxes = (0, 0, 40, 40), (30, 0, 70, 40), (37, 0, 43, 6), (38, 10, 44, 16)
    cells = blocks(boxes, [1, 1, 2, 2], [-1] * 4)
    assert ambiguous(cells).tolist() == [False, False, True, False]


def test_links_are_part_of_an_image_a_summary_and_a_table(truth: Cells):
    wrong = blocks(BOXES, LABELS, [-1, -1, 0, 0, -1])
    images = [score_image(Content(cells=truth), cells) for cells in (truth, wrong)]
    summary = summarise(images)
    pooled = summary.links["link_accuracy"].pooled
    assert (pooled.numerator, pooled.denominator) == (5, 6)
    assert pooled.low <= pooled.value <= pooled.high
    table = render_table(summary)
    assert "nuclei linked to cells" in table
    assert "5 of 6" in table


def test_no_links_where_a_class_is_unknown_and_no_rows_without_links(truth: Cells):
    cells_only = score_image(Content(cells=truth, annotated=frozenset({CYTOPLASM})), truth)
    assert cells_only.links == {}
    assert summarise([cells_only]).links == {}
    assert "linked" not in render_table(summarise([cells_only]))


def test_instances_below_the_operating_score_do_not_count(truth: Cells):
    scores = [1, 0.2, 1, 1, 1]
    found = score_image(Content(cells=truth), blocks(BOXES, LABELS, PARENTS, scores=scores), {1: 0.5, 2: 0.5})
    assert tuple(found.links["link_recall"]) == (1, 2)
