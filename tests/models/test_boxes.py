"""Boxes of a batch by hand."""

import torch

from irnet.models.boxes import box_iou, clip
from irnet.models.constants import area_growth


def test_overlap_by_hand():
    a = torch.tensor([[[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 0.0, 0.0]]])
    b = torch.tensor([[[2.0, 2.0, 6.0, 6.0], [4.0, 4.0, 6.0, 6.0]]])
    assert box_iou(a, b)[0].tolist() == [[torch.tensor(4 / 28).item(), 0.0], [0.0, 0.0]]


def test_clip_and_growth():
    boxes = torch.tensor([[[-1.0, -1.0, 50.0, 50.0]], [[-1.0, 3.0, 50.0, 50.0]]])
    assert clip(boxes, [(20, 30), (40, 10)]).tolist() == [[[0, 0, 30, 20]], [[0, 3, 10, 40]]]
    assert area_growth([(512, 512)]) == 1.0
    assert area_growth([(100, 100), (2000, 1000)]) == 2.0
    assert area_growth([(1000, 1000)], 0.5) == 2.0
