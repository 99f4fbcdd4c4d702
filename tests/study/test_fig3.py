"""Fields are chosen by rule and differences are boxed where they are."""

import numpy as np
import pytest
from study_scenes import both, entry, rectangles, wide
from toy_scene import draw_circles

from irnet.cells import Cells
from irnet.data.sample import Entry
from irnet.report.figure import BAND
from irnet.report.flaws import FRAMES
from irnet.study.fig3 import LEGEND, ChosenField, MethodFinds, choose_fields, draw_figure
from irnet.study.rows import IRNET, JOMLS, MASK_RCNN


@pytest.fixture
def methods():
    """Trained methods agree on the first image, differ most on the third and second (one patient)."""
    good = [wide(20)] * 4
    return [
        MethodFinds(JOMLS, [wide(1), wide(20), wide(20), wide(20)]),
        MethodFinds(MASK_RCNN, [wide(20), wide(10), wide(5), wide(15)]),
        MethodFinds(IRNET, good),
    ]


def test_fields_are_those_on_which_trained_methods_disagree(methods):
    test = [entry(f"{i}", wide(20), patient) for i, patient in enumerate("abbc")]
    assert [field.index for field in choose_fields(test, methods, 2)] == [2, 3]  # one field of a patient
    assert [field.index for field in choose_fields(test, methods, 9)] == [2, 3, 0]


def test_the_window_holds_the_most_differences(monkeypatch):
    monkeypatch.setattr("irnet.study.fig3.SIDE_UM", 10.0)  # 20 px at the scenes' .5 um
    truth = rectangles([(0, 0, 10, 10), (60, 20, 70, 30), (66, 28, 76, 38)])
    test = [entry("a", truth)]
    (field,) = choose_fields(test, [MethodFinds(IRNET, [rectangles([])])], 1)
    x1, y1, x2, y2 = field.window
    assert (x2 - x1, y2 - y1) == (20, 20)
    assert x1 <= 60 <= 76 <= x2 + 5
    assert y2 <= 40


def test_a_panel_for_image_truth_and_each_method(tmp_path):
    from irnet.data.files import write_atomic
    from irnet.data.pixels import to_png

    image, truth = draw_circles(0)
    cells = truth.cells
    write_atomic(tmp_path / "a.png", to_png(image))
    one = Entry(name="a.png", path=tmp_path / "a.png", content=truth)
    methods = [MethodFinds(MASK_RCNN, [Cells.empty((160, 160))]), MethodFinds(IRNET, [cells])]
    figure = draw_figure([one], methods, [ChosenField(0, (20, 30, 120, 150))])
    assert figure.shape == (BAND + 120 + LEGEND, 4 * 100 + 3 * 8, 3)
    missed = (figure[BAND : BAND + 120] == FRAMES["missed"]).all(axis=2)
    assert missed[:, 216:316].any()  # the third panel: everything is missed
    assert not missed[:, 324:].any()
    assert not np.array_equal(figure[BAND : BAND + 100, :100], figure[BAND : BAND + 100, 108:208])


def test_a_perfect_set_has_a_window_too():
    test = [entry("a", both(20))]
    (field,) = choose_fields(test, [MethodFinds(IRNET, [both(20)])], 3)
    assert field.window == (0, 0, 80, 40)
