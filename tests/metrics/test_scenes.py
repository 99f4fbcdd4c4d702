"""Three scenes computed by hand, and the rules that `score_image` states."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, Distractor
from irnet.errors import InputError
from irnet.metrics import score_image

FRAME = 20 * 60


def values(score, *names):
    return [score.ratios[name].value for name in names]


def test_one_found_one_missed_one_false(rectangles):
    # T0 x 0..25, T1 x 15..40, both 4 high: 100 px each, 40 shared (x 15..25).
    # P0 x 0..21: 84 px, all in T0, 24 (x 15..21) in T1. P1 5 x 4 = 20 px, apart from both.
    truth = Content(cells=rectangles([(0, 0, 25, 4), (15, 0, 40, 4)]))
    pred = rectangles([(0, 0, 21, 4), (50, 0, 55, 4)], scores=[0.9, 0.8])
    score = score_image(truth, pred).classes[CYTOPLASM]

    # IoU(T0, P0) = 84 / 100, IoU(T1, P0) = 24 / (100 + 84 - 24). Both take P0, nobody takes P1.
    assert score.ratios["aji"] == (84 + 24, 100 + 160 + 20)
    # One pair above .5 (and above .7) of 2 truths and 2 predictions; P0 covers .84 of T0 and .24 of T1.
    assert values(score, "f1", "precision", "recall", "recall_70", "f1_glas") == [0.5] * 5
    assert score.ratios["duplicates"] == (0, 2)
    # The 40 shared pixels want P0 and T1's match, which is missing. No two predictions overlap.
    assert score.ratios["overlap_recall"] == (0, 40)
    assert score.ratios["overlap_precision"].value is None
    # Dice(T0, P0) = 168 / 184 is good; T1 finds no unused prediction that it meets.
    for form in ("isbi2014", "isbi-greedy"):
        assert values(score, *(f"{form}.{n}" for n in ("dsc", "tprp", "fprp", "fnro"))) == pytest.approx(
            [168 / 184, 84 / 100, 0, 1 / 2]
        )
    assert score.ratios["isbi-greedy.fdro"] == (1, 2)
    # Each truth has 40 of its 100 px covered: .4 belongs to .2-.4. P1 meets no truth: bin 0.
    assert score.by_degree[".2-.4"]["recall"] == (1, 2)
    assert score.by_degree[".2-.4"]["f1"] == (2, 3)
    assert score.by_degree[".2-.4"]["aji"] == (108, 260)
    assert score.by_degree["0"]["f1"] == (0, 1)
    assert score.by_degree["0"]["aji"] == (0, 20)
    # .84 passes the thresholds .5 to .8, seven of ten.
    assert score.ranking.hits.tolist() == [[True, False]] * 7 + [[False, False]] * 3
    assert score.matched_iou.tolist() == [0.84, 0]


def test_both_found_one_twice(rectangles):
    # T0 x 0..20, T1 x 12..32, both 10 high: 200 px each, 80 shared (x 12..20).
    # P0 is T0. P1 x 14..32 (180 px). P2 x 0..15 (150 px) finds T0 again.
    truth = Content(cells=rectangles([(0, 0, 20, 10), (12, 0, 32, 10)]))
    pred = rectangles([(0, 0, 20, 10), (14, 0, 32, 10), (0, 0, 15, 10)], scores=[0.9, 0.8, 0.7])
    score = score_image(truth, pred).classes[CYTOPLASM]

    # T0 takes P0 (200 / 200), T1 takes P1 (180 / 200), P2 is left over with its 150 px.
    assert score.ratios["aji"] == (380, 200 + 200 + 150)
    assert score.ratios["f1"] == (4, 5)
    assert score.ratios["duplicates"] == (1, 2)  # IoU(T0, P2) = 150 / 200
    # Of x 12..20 both P0 and P1 hold x 14..20. Two predictions lie over x 0..15 and x 14..20: x 0..20.
    assert score.ratios["overlap_recall"] == (60, 80)
    assert score.ratios["overlap_precision"] == (60, 200)
    # Dice 1 and 360 / 380; P1 holds 180 of 200 px and nothing outside.
    assert values(score, "isbi2014.dsc", "isbi2014.tprp") == pytest.approx([(1 + 360 / 380) / 2, 0.95])
    assert values(score, "isbi2014.fprp", "isbi2014.fnro", "isbi-greedy.fdro") == pytest.approx([0, 0, 1 / 3])
    assert score.by_degree[".2-.4"]["f1"] == (4, 5)  # P2 counts where T0 does
    assert score.by_degree[".2-.4"]["aji"] == (380, 550)
    # Outlines. T0 is exact. T1's left side (x 12, 10 px) is 2 px off and x 13 of its top and bottom row 1 px;
    # the other 36 + 8 px coincide with P1's. P1's left side (x 14) is 2 px off in rows 2..7, and in rows 1
    # and 8 it is 1 px from T1's top and bottom row.
    t1, p1 = [2] * 10 + [1] * 2 + [0] * 44, [2] * 6 + [1] * 2 + [0] * 44
    assert score.ratios["boundary_mean_px"].numerator == pytest.approx(np.mean(t1 + p1))
    assert score.ratios["boundary_mean_px"].denominator == 2
    assert score.ratios["boundary_p95_px"].numerator == pytest.approx(2)  # 16 of 108 px


def test_the_two_isbi_forms_part(rectangles):
    # T0 x 0..20, T1 x 4..24, 10 high: 200 px each. P0 x 3..23 (200 px), P1 x 0..12 (120 px).
    truth = Content(cells=rectangles([(0, 0, 20, 10), (4, 0, 24, 10)]))
    pred = rectangles([(3, 0, 23, 10), (0, 0, 12, 10)])
    score = score_image(truth, pred).classes[CYTOPLASM]

    # Shared with P0: 170 and 190 px, with P1: 120 and 80 px. IoU: 170 / 230, 190 / 210; 120 / 200, 80 / 240.
    assert score.ratios["aji"] == (170 + 190, 230 + 210 + 120)  # both truths take P0
    assert score.ratios["f1"] == (4, 4)  # T0-P1 and T1-P0, although T0-P0 is better than T0-P1
    assert score.ratios["recall_70"] == (1, 2)
    # Of x 4..20 P1 holds x 4..12 for T0, where P0 holds T1. P0 and P1 overlap in x 3..12.
    assert score.ratios["overlap_recall"] == (80, 160)
    assert score.ratios["overlap_precision"] == (80, 90)
    # In file order T0 takes P0 (Dice .85), which leaves P1 to T1 (Dice 160 / 320): one good pair.
    assert values(score, "isbi2014.dsc", "isbi2014.fnro") == pytest.approx([0.85, 0.5])
    # P0 reaches 30 px beyond T0, whose background has 1200 - 200 px.
    assert score.ratios["isbi2014.fprp"].value == pytest.approx(30 / (FRAME - 200))
    # From the highest Dice down: T1-P0 (.95), T0-P1 (240 / 320): two good pairs, and the same DSC.
    names = ("dsc", "tprp", "fprp", "fnro", "fdro")
    assert values(score, *(f"isbi-greedy.{n}" for n in names)) == pytest.approx(
        [0.85, (0.95 + 0.6) / 2, 10 / (FRAME - 200) / 2, 0, 0]
    )
    assert score.by_degree[">.4"]["recall"] == (2, 2)  # 160 of 200 px are covered


def test_five_noisy_copies_keep_isbi_high_while_aji_falls(rectangles):
    # Each copy misses 1 of 20 columns, another one each time.
    truth = Content(cells=rectangles([(0, 0, 20, 10), (30, 0, 50, 10)]))
    copies = [
        (x + a, 0, x + b, 10) for x in (0, 30) for a, b in ((0, 19), (1, 20), (0, 18), (2, 20), (1, 19))
    ]
    ratios = score_image(truth, rectangles(copies)).classes[CYTOPLASM].ratios
    assert ratios["isbi2014.dsc"].value == pytest.approx(380 / 390)
    assert ratios["isbi2014.fnro"].value == 0
    assert ratios["duplicates"].value == 4
    assert ratios["aji"] == (380, 2 * (200 + 190 + 3 * 180))
    assert ratios["f1"].value == pytest.approx(4 / 12)


def test_perfect_masks_have_every_score_at_its_best(rectangles):
    cells = rectangles([(0, 0, 25, 8), (15, 2, 40, 10), (30, 0, 55, 20), (0, 12, 8, 18)], label=[1, 1, 1, 2])
    score = score_image(Content(cells=cells), cells)
    lower_is_better = ("duplicates", "fprp", "fnro", "fdro", "mean", "p95")
    for part in score.classes.values():
        for name, ratio in part.ratios.items():
            best = 0 if any(word in name for word in lower_is_better) else 1
            assert ratio.value in (best, None), name
        assert part.ranking.hits.all()


def test_flattened_masks_hold_no_overlap(rectangles):
    truth = Content(cells=rectangles([(0, 0, 20, 10), (12, 0, 32, 10)]))
    flat = rectangles([(0, 0, 20, 10), (20, 0, 32, 10)])  # perfect, but one label a pixel
    ratios = score_image(truth, flat).classes[CYTOPLASM].ratios
    assert ratios["f1"].value == 1
    assert ratios["overlap_recall"].value == 0


def test_no_truth_and_no_prediction_is_undefined(rectangles):
    score = score_image(Content(cells=Cells.empty((20, 60))), Cells.empty((20, 60)))
    for part in score.classes.values():
        assert all(ratio.value is None for ratio in part.ratios.values())
        assert all(r.value is None for ratios in part.by_degree.values() for r in ratios.values())


def test_predictions_without_truth(rectangles):
    ratios = score_image(Content(cells=Cells.empty((20, 60))), rectangles([(0, 0, 5, 5)])).classes[1].ratios
    assert {name for name, ratio in ratios.items() if ratio.value == 0} == {
        "aji",
        "f1",
        "f1_glas",
        "precision",
    }
    assert ratios["isbi-greedy.fdro"].value == 1
    assert all(ratios[name].value is None for name in ("recall", "recall_70", "duplicates", "isbi2014.dsc"))


def test_truth_without_prediction(rectangles):
    ratios = score_image(Content(cells=rectangles([(0, 0, 5, 5)])), Cells.empty((20, 60))).classes[1].ratios
    assert all(
        ratios[name].value == 0 for name in ("aji", "f1", "f1_glas", "recall", "recall_70", "duplicates")
    )
    assert ratios["isbi2014.fnro"].value == ratios["isbi-greedy.fnro"].value == 1
    undefined = ("precision", "overlap_recall", "isbi2014.dsc", "isbi-greedy.fdro", "boundary_mean_px")
    assert all(ratios[name].value is None for name in undefined)


def test_classes_are_scored_apart_and_only_where_annotated(rectangles):
    cells = rectangles([(0, 0, 10, 10), (0, 0, 10, 10)], label=[1, 2])
    both = score_image(Content(cells=cells), cells.of(NUCLEUS))
    assert both.classes[CYTOPLASM].ratios["f1"].value == 0
    assert both.classes[NUCLEUS].ratios["f1"].value == 1
    assert not [name for name in both.classes[NUCLEUS].ratios if name.startswith("boundary")]
    one = score_image(Content(cells=cells.of(NUCLEUS), annotated=frozenset({NUCLEUS})), cells)
    assert list(one.classes) == [NUCLEUS]


def test_operating_scores_leave_ap_and_calibration_alone(rectangles):
    truth = Content(cells=rectangles([(0, 0, 10, 10), (20, 0, 30, 10)]))
    pred = rectangles([(0, 0, 10, 10), (20, 0, 30, 10)], scores=[0.5, 0.4])
    score = score_image(truth, pred, {CYTOPLASM: 0.5}).classes[CYTOPLASM]
    assert score.predictions == 1
    assert score.ratios["recall"] == (1, 2)
    assert score.ranking.hits.tolist() == [[True, True]] * 10
    assert score.matched_iou.tolist() == [1, 1]


def test_what_lies_mostly_in_an_ignore_region_is_not_scored(rectangles):
    # The region covers x 10..30. Boxes of 10 columns with 6, 5 and 0 of them inside.
    boxes = [(6, 0, 16, 5), (5, 8, 15, 13), (40, 0, 50, 5)]
    cells = rectangles(boxes)
    region = rectangles([(10, 0, 20, 20), (15, 0, 30, 20)], label=0)  # overlapping regions count once
    score = score_image(Content(cells=cells, ignore=region), cells).classes[CYTOPLASM]
    assert (score.truths, score.predictions) == (2, 2)
    of_nuclei = rectangles([(10, 0, 30, 20)], label=NUCLEUS)
    assert score_image(Content(cells=cells, ignore=of_nuclei), cells).classes[CYTOPLASM].truths == 3


def test_false_finds_go_to_the_smallest_distractor_that_holds_their_centroid(rectangles):
    distractors = (
        Distractor(kind="mucus", box=(0, 0, 30, 20)),
        Distractor(kind="white blood cell", box=(4, 4, 12, 12)),
    )
    truth = Content(cells=rectangles([(20, 0, 28, 8)]), distractors=distractors)
    # Centroids: (22, 4) is the truth's match; (8, 8) both; (21, 15) mucus; (50, 10) neither.
    boxes = [(20, 0, 28, 8), (6, 6, 10, 10), (19, 13, 23, 17), (48, 8, 52, 12)]
    score = score_image(truth, rectangles(boxes, label=[1, 1, 1, 2]))
    assert score.distractors == {"mucus": 1, "white blood cell": 1}
    assert score.classes[CYTOPLASM].false_by_kind == {"mucus": 1, "white blood cell": 1}
    assert score.classes[NUCLEUS].false_by_kind == {"elsewhere": 1}
    unnamed = score_image(Content(cells=truth.cells), rectangles(boxes)).classes[CYTOPLASM]
    assert not unnamed.false_by_kind


def test_lengths_are_in_um_where_the_scale_is_known(rectangles):
    boxes = [(5, 5, 15, 15)]
    shifted = [(6, 5, 16, 15)]
    px = score_image(Content(cells=rectangles(boxes)), rectangles(shifted)).classes[1].ratios
    um = score_image(Content(cells=rectangles(boxes, mpp=0.5)), rectangles(shifted)).classes[1].ratios
    assert um["boundary_mean_um"].value == pytest.approx(px["boundary_mean_px"].value * 0.5)
    assert "boundary_mean_px" not in um
    assert "boundary_mean_um" not in px


def test_frames_of_different_size_are_refused(rectangles):
    with pytest.raises(InputError, match="scale"):
        score_image(Content(cells=Cells.empty((20, 60))), Cells.empty((40, 120)))
