"""Cores share out an image: every pixel has exactly one owner."""

import numpy as np
import pytest

from irnet.slides.windows import plan_windows


@pytest.mark.parametrize("shape", [(700, 1000), (64, 64), (130, 5), (1, 1)])
def test_every_pixel_is_in_one_core_and_its_frame(shape: tuple[int, int]) -> None:
    owners = np.zeros(shape, dtype=int)
    for window in plan_windows(shape, core=128, halo=64):
        x1, y1, x2, y2 = window.core
        owners[y1:y2, x1:x2] += 1
        left, top, right, bottom = window.frame
        assert left <= x1 < x2 <= right
        assert top <= y1 < y2 <= bottom
        assert (left % 64, top % 64) == (0, 0)
        assert window.cut_out(owners).shape == window.frame_shape
    assert (owners == 1).all()


@pytest.mark.parametrize(
    ("length", "cores"), [(2100, [1088, 1012]), (1536, [1536]), (9000, [1536] * 5 + [1320])]
)
def test_cores_of_a_side_are_about_as_large_as_one_another(length: int, cores: list[int]) -> None:
    windows = list(plan_windows((100, length), core=1536, halo=256))
    assert [window.core[2] - window.core[0] for window in windows] == cores


def test_a_core_shrinks_to_a_box_on_the_grid() -> None:
    (window,) = plan_windows((700, 1000), core=1024, halo=64)
    some = window.around((200, -50, 530, 100), 64)
    assert some is not None
    assert (some.core, some.frame) == ((192, 0, 576, 128), (128, 0, 640, 192))
    everything = window.around((0, 0, 1000, 700), 64)
    assert everything == window
    assert window.around((1024, 0, 1200, 700), 64) is None


def test_a_centre_on_a_seam_belongs_to_the_window_that_starts_there() -> None:
    left, right = plan_windows((64, 128), core=64, halo=0)
    on_the_seam = np.array([[60.0, 0.0, 68.0, 8.0]])
    assert not left.owns(on_the_seam)[0]
    assert right.owns(on_the_seam)[0]


def test_only_inner_edges_truncate() -> None:
    left, right = plan_windows((64, 128), core=64, halo=0)
    boxes = np.array([[0.0, 0.0, 10.0, 64.0], [50.0, 10.0, 64.0, 20.0], [64.0, 10.0, 128.0, 20.0]])
    assert left.truncates(boxes).tolist() == [False, True, True]
    assert right.truncates(boxes[2:]).tolist() == [True]
    assert left.widen(64).truncates(boxes).tolist() == [False, False, False]
