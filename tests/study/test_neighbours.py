"""benchmarks/neighbours.py: others are drawn in a box where they lie."""

import runpy
from pathlib import Path

import torch

DRAW = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "neighbours.py"))["draw_others"]
FULL = torch.ones(3, 16, 16)


def test_others_are_drawn_where_they_lie() -> None:
    boxes = torch.tensor([[0.0, 0, 80, 80], [40, 0, 120, 80], [200, 200, 220, 220]])
    drawn = DRAW(boxes, boxes, FULL, 8)
    assert drawn.shape == (3, 8, 8)
    assert drawn[0, :, 4:].eq(1).all()  # the second covers its right half
    assert drawn[0, :, :4].eq(0).all()
    assert drawn[1, :, :4].eq(1).all()
    assert drawn[1, :, 4:].eq(0).all()
    assert drawn[2].eq(0).all()  # nobody is there, and it is not shown to itself


def test_frames_need_not_be_the_boxes_of_masks() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [50, 50, 60, 60]])
    frames = boxes + torch.tensor([20.0, 20, 20, 20])
    drawn = DRAW(frames, boxes, FULL, 4)
    assert drawn[0].eq(1).all()  # moved onto the second
    assert drawn[1:].eq(0).all()


def test_no_cell_is_nothing_to_draw() -> None:
    none = torch.zeros(0, 4)
    assert DRAW(none, none, torch.zeros(0, 16, 16), 8).shape == (0, 8, 8)
