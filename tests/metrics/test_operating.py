"""The score that makes F1 highest, against trying every cut."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.metrics import choose_scores, f1_curve, score_image
from irnet.metrics.operating import match_gains


def random_scene(rng):
    def draw(count):
        corners = rng.integers(0, 20, (count, 2))
        masks = [np.ones(rng.integers(6, 12, 2), dtype=bool) for _ in range(count)]
        scores = rng.integers(1, 8, count) / 8  # with ties
        return Cells.build(masks, corners, np.ones(count), (32, 32), scores=scores)

    truths = draw(int(rng.integers(0, 6)))
    found = truths.shift(1, 0, (32, 32))
    return Content(cells=truths), Cells.concat([found, draw(int(rng.integers(0, 6)))])


def best_by_trial(truths, preds):
    cuts = sorted({score for pred in preds for score in pred.scores}, reverse=True)
    f1 = []
    for cut in cuts:
        parts = [score_image(t, p, {CYTOPLASM: cut}) for t, p in zip(truths, preds, strict=True)]
        ratios = [part.classes[CYTOPLASM].ratios["f1"] for part in parts]
        f1.append(sum(r.numerator for r in ratios) / max(sum(r.denominator for r in ratios), 1))
    return cuts, f1


@pytest.mark.parametrize("seed", range(12))
def test_curve_and_choice_agree_with_trying_every_cut(seed):
    rng = np.random.default_rng(seed)
    truths, preds = zip(*(random_scene(rng) for _ in range(3)), strict=True)
    cuts, f1 = best_by_trial(truths, preds)
    curve = f1_curve(truths, preds, CYTOPLASM)
    assert curve.scores.tolist() == cuts
    assert curve.f1 == pytest.approx(f1)
    best = int(np.argmax(f1))
    below = [*cuts, 0.0][best + 1]
    assert choose_scores(truths, preds)[CYTOPLASM] == pytest.approx((cuts[best] + below) / 2)


def test_a_class_that_cannot_be_chosen_for_is_left_out(rectangles):
    truth = Content(cells=rectangles([(0, 0, 10, 10)]))
    assert choose_scores([truth], [Cells.empty((20, 60))]) == {}
    assert choose_scores([truth], [rectangles([(30, 0, 40, 10)])]) == {}
    assert list(choose_scores([truth], [rectangles([(0, 0, 10, 10)], scores=[0.6])])) == [CYTOPLASM]
    assert choose_scores([], []) == {}


def test_images_without_the_class_annotated_do_not_count(rectangles):
    nuclei_only = Content(cells=rectangles([(0, 0, 5, 5)], label=NUCLEUS), annotated=frozenset({NUCLEUS}))
    truth = Content(cells=rectangles([(0, 0, 10, 10)]))
    false = rectangles([(30, 0, 40, 10)], scores=[0.9])
    found = rectangles([(0, 0, 10, 10)], scores=[0.5])
    assert f1_curve([truth, nuclei_only], [found, false], CYTOPLASM).f1.tolist() == [1.0]


def test_many_copies_of_one_cell_need_no_deep_search():
    assert match_gains([np.arange(1200)] * 1200, np.ones(1200)).all()
