"""What differs from the truth is named and boxed."""

from study_scenes import rectangles, wide

from irnet.report.flaws import Flaw, flaws


def test_flaws_are_what_is_false_missed_or_poor():
    truth = rectangles([(0, 0, 20, 10), (30, 0, 50, 10), (60, 0, 80, 10), (0, 20, 20, 30)])
    found = rectangles([(0, 0, 20, 10), (32, 0, 46, 10), (62, 0, 70, 10)])  # IoU 1, .7, .4
    assert set(flaws(truth, found)) == {
        Flaw("missed", (60, 0, 80, 10)),
        Flaw("missed", (0, 20, 20, 30)),
        Flaw("false", (62, 0, 70, 10)),
    }
    poor = rectangles([(30, 0, 43, 10)])  # IoU .65
    assert Flaw("poor", (30, 0, 50, 10)) in flaws(truth, poor)


def test_a_cell_is_never_the_match_of_a_nucleus():
    assert {flaw.kind for flaw in flaws(wide(20, label=1), wide(20, label=2))} == {"missed", "false"}
