"""Codes of boxes are torchvision's."""

import torch
from torchvision.models.detection._utils import BoxCoder as Torchvision

from irnet.models.box_coder import BoxCoder


def random_boxes(seed: int) -> torch.Tensor:
    low = torch.rand(5, 7, 2, generator=torch.Generator().manual_seed(seed)) * 100
    return torch.cat([low, low + 3 + low.flip(2)], dim=2)


def test_codes_and_boxes_are_torchvisions():
    theirs, ours = Torchvision((10.0, 10.0, 5.0, 5.0)), BoxCoder(10.0, 5.0)
    boxes, truth = random_boxes(0), random_boxes(1)
    codes = ours.encode(truth, boxes)
    assert torch.equal(codes.flatten(0, 1), theirs.encode_single(truth.flatten(0, 1), boxes.flatten(0, 1)))
    wild = codes * 100  # beyond the largest growth
    expected = theirs.decode_single(wild.flatten(0, 1), boxes.flatten(0, 1)).view_as(boxes)
    torch.testing.assert_close(ours.decode(wild, boxes), expected)
    torch.testing.assert_close(ours.decode(codes, boxes), truth, rtol=1e-4, atol=1e-3)
