"""Scores of a set: means, pooling, intervals, classes that are missing, and the text table."""

import json

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, Distractor
from irnet.errors import InputError
from irnet.metrics import render_table, score_image, summarise
from irnet.metrics.statistics import Estimate, interval, sample_weights


@pytest.fixture
def scores(rectangles):
    """AJI 100 / 100, 200 / 600 and an image with neither truth nor prediction."""
    good = score_image(Content(cells=rectangles([(0, 0, 10, 10)])), rectangles([(0, 0, 10, 10)]))
    poor = score_image(
        Content(cells=rectangles([(0, 0, 20, 20), (30, 0, 50, 10)])), rectangles([(30, 0, 50, 10)])
    )
    empty = score_image(Content(cells=Cells.empty((20, 60))), Cells.empty((20, 60)))
    return [good, poor, empty]


def test_image_mean_and_pooled(scores):
    result = summarise(scores).classes["cytoplasm"]
    assert (result.images, result.truths, result.predictions) == (3, 3, 2)
    aji = result.scores["aji"]
    assert aji.image_mean.value == pytest.approx((1 + 200 / 600) / 2)  # the empty image has no AJI
    assert aji.image_mean.images == 2
    assert aji.pooled.value == pytest.approx(300 / 700)
    recall = result.scores["recall"].pooled
    assert (recall.numerator, recall.denominator) == (2, 3)
    assert recall.low <= recall.value <= recall.high
    assert result.scores["overlap_recall"].pooled.value is None


def test_ap_and_its_mean_over_classes(scores, rectangles):
    nucleus = score_image(
        Content(cells=rectangles([(0, 0, 5, 5)], label=NUCLEUS), annotated=frozenset({NUCLEUS})),
        rectangles([(0, 0, 5, 5)], label=NUCLEUS),
    )
    result = summarise([*scores, nucleus])
    assert result.classes["nucleus"].ap.ap.value == 1
    cytoplasm = result.classes["cytoplasm"].ap.ap.value
    assert cytoplasm == pytest.approx(67 / 101)  # both predictions right: recall reaches 2 / 3
    assert result.mean_ap.ap.value == pytest.approx((1 + cytoplasm) / 2)


def test_a_class_without_truth_or_prediction_has_no_score(scores):
    nucleus = summarise(scores).classes["nucleus"]
    assert nucleus.images == 3
    assert nucleus.ap.ap50 == Estimate(value=None)
    assert nucleus.scores["f1"].image_mean.value is None
    assert nucleus.by_degree["0"]["recall"].value is None


def test_a_class_never_annotated_is_absent(rectangles):
    truth = Content(cells=rectangles([(0, 0, 5, 5)], label=NUCLEUS), annotated=frozenset({NUCLEUS}))
    result = summarise([score_image(truth, truth.cells)])
    assert list(result.classes) == ["nucleus"]


def test_no_image_at_all():
    result = summarise([])
    assert result.images == 0
    assert result.classes == {}
    assert result.mean_ap.ap.value is None
    assert render_table(result)


def test_repeatable_and_plain_json(scores):
    first, again, other = (summarise(scores, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert json.loads(json.dumps(first.to_json(), allow_nan=False)) == first.to_json()


def test_one_image_or_one_patient_has_no_interval(scores):
    for result in (summarise(scores[:1]), summarise(scores, patients=["a", "a", "a"])):
        aji = result.classes["cytoplasm"].scores["aji"].pooled
        assert aji.value is not None
        assert aji.low is aji.high is None
        assert "too few" in render_table(result)


def test_patients_of_whom_none_is_named_are_not_counted(scores):
    assert summarise(scores, patients=[None] * len(scores)).patients is None
    assert summarise(scores[:2], patients=["a", None]).patients == 1


def test_patients_are_drawn_whole():
    weights = sample_weights(5, ["a", "b", "a", None, None], seed=0, samples=200)
    assert weights.shape == (200, 5)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3] != weights[:, 4]).any()
    assert (weights[:, [0, 1, 3, 4]].sum(axis=1) == 4).all()  # four groups, four draws


def test_interval_covers_the_middle_of_the_samples():
    assert interval(np.append(np.arange(101.0), np.nan)) == pytest.approx((2.5, 97.5))
    assert interval(np.full(3, np.nan)) == (None, None)


def test_each_image_needs_its_patient(scores):
    with pytest.raises(InputError, match="patients"):
        summarise(scores, patients=["a"])


def test_table_shows_counts_cuts_and_distractors(rectangles):
    truth = Content(
        cells=rectangles([(0, 0, 10, 10), (20, 0, 30, 10)], mpp=0.5),
        distractors=(Distractor(kind="mucus", box=(40, 0, 60, 20)),),
    )
    pred = rectangles([(0, 0, 10, 10), (45, 5, 50, 10)], scores=[0.9, 0.4])
    scores = [score_image(truth, pred, {CYTOPLASM: 0.35})] * 2
    table = render_table(summarise(scores, patients=["a", "b"]))
    assert "images: 2, patients: 2 [95% intervals from 1000 samples of patients]" in table
    rows = {line.split("  ")[0]: line for line in table.splitlines()}
    assert "0.500 [0.500, 0.500]  2 of 4" in rows["recall at IoU .5"]
    assert "0.35 (lowest seen 0.4)" in rows["scores kept from"]
    assert "outline distance, um" in rows
    assert "outline distance, px" not in rows
    assert rows["mucus"].split() == ["mucus", "2", "2", "0"]
    assert rows["elsewhere"].split() == ["elsewhere", "-", "0", "0"]
    assert rows["overlap recall"].split()[2] == "-"


def test_predictions_without_scores_have_neither_ap_nor_calibration(scores):
    scored, bare = summarise(scores), summarise(scores, scored=False)
    assert (scored.scored, bare.scored) == (True, False)
    block = bare.classes["cytoplasm"]
    assert block.ap.ap == bare.mean_ap.ap == Estimate(value=None)
    assert (block.operating_scores, block.lowest_score) == ([], None)
    assert block.calibration.ece_iou is None
    assert block.scores == scored.classes["cytoplasm"].scores
    lines = dict(line.split("  ", 1) for line in render_table(bare).splitlines() if "  " in line)
    for title in ("scores kept from", "mask AP .50:.95", "mask AP .50", "calibration error, IoU / right"):
        assert set(lines[title].split()) <= {"-", "/"}, title
