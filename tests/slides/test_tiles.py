"""Cores share out an image: every pixel has exactly one owner."""

import numpy as np
import pytest

from irnet.slides.tiles import plan_windows


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
