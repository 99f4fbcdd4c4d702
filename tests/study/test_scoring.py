"""Thresholds come from validation alone; every row is drawn in the same samples."""

import numpy as np
import pytest
from study_scenes import both, entry, rectangles, wide

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.errors import InputError
from irnet.study.scoring import (
    NO_MATCH,
    TEST,
    VAL,
    choose_cuts,
    collect,
    patient_weights,
    read_predicted_cells,
    score_seed,
)


@pytest.fixture
def folder(tmp_path, write_found, val_entries, test_entries):
    """On validation cells are right from .4 on and wrong at .3; on test those at .3 would be right too."""
    good = rectangles([(0, 0, 20, 10), (50, 0, 70, 10)], 1, [0.4, 0.3])
    write_found(tmp_path / VAL, val_entries, [good, good])
    write_found(tmp_path / TEST, test_entries, [wide(20, 0.3), wide(20, 0.9), wide(15, 0.9), wide(5, 0.9)])
    return tmp_path


def test_thresholds_are_chosen_on_validation_alone(folder, val_entries, test_entries):
    scores = score_seed(folder, 3, val_entries, test_entries)
    assert scores.seed == 3
    assert scores.cuts[CYTOPLASM] == pytest.approx(0.35)  # .25 would be best on test
    assert scores.cuts[NUCLEUS] == NO_MATCH
    kept = [image.classes[CYTOPLASM].predictions for image in scores.images]
    assert kept == [0, 1, 1, 1]


def test_test_images_never_move_the_thresholds(folder, val_entries, test_entries, write_found):
    before = score_seed(folder, 0, val_entries, test_entries).cuts
    write_found(folder / TEST, test_entries, [both(20, 0.06)] * 4)
    assert score_seed(folder, 0, val_entries, test_entries).cuts == before


def test_images_are_scored_in_the_order_of_the_entries(folder, val_entries, test_entries):
    scores = score_seed(folder, 0, val_entries, test_entries[::-1])
    aji = collect([scores], CYTOPLASM, lambda part: part.ratios["aji"])
    assert aji.shape == (1, 4, 2)
    np.testing.assert_allclose(aji[0, :, 0] / aji[0, :, 1], [0.25, 0.75, 1, 0])


def test_a_method_without_scores_is_not_cut(tmp_path, write_found, val_entries, test_entries):
    write_found(tmp_path / TEST, test_entries, [both(20)] * 4)
    scores = score_seed(tmp_path, 0, val_entries, test_entries, scored=False)  # there is no val.json
    assert scores.cuts == {}
    assert [image.classes[NUCLEUS].predictions for image in scores.images] == [1] * 4


def test_an_image_without_prediction_is_refused(folder, test_entries):
    with pytest.raises(InputError, match=r"no prediction for 1 images, such as more.png.*run the row again"):
        read_predicted_cells(folder / TEST, [*test_entries, entry("more.png", both(20))])


def test_a_class_that_is_not_annotated_is_undefined(folder, val_entries, test_entries):
    scores = score_seed(folder, 0, val_entries, test_entries)
    unknown = collect([scores], 7, lambda part: part.ratios["aji"])
    assert not unknown.any()
    assert not collect([scores], CYTOPLASM, lambda part: None).any()


def test_patients_are_drawn_whole(test_entries):
    weights = patient_weights(test_entries, samples=50)
    assert weights.shape == (50, 4)
    assert (weights[:, 0] == weights[:, 1]).all()
    np.testing.assert_array_equal(weights, patient_weights(test_entries, samples=50))


def test_cuts_without_any_prediction(val_entries):
    nothing = [rectangles([])] * 2
    assert choose_cuts(val_entries, nothing) == {CYTOPLASM: NO_MATCH, NUCLEUS: NO_MATCH}
