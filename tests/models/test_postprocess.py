"""Selection of boxes, and masks pasted inside their own boxes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from irnet.models.pasting import paste, to_cells
from irnet.models.postprocess import Instances, Selection, Suppression, select_boxes, soften


def instances(boxes: list[list[float]], masks: Tensor | None = None) -> Instances:
    n = len(boxes)
    return Instances(
        boxes=torch.tensor(boxes).view(n, 4),
        labels=torch.ones(n, dtype=torch.int64),
        scores=torch.linspace(0.9, 0.5, n),
        masks=torch.ones(n, 28, 28) if masks is None else masks,
    )


def selection(
    nms_iou: tuple[float, ...], *, floor: float = 0.05, suppression: Suppression = "box"
) -> Selection:
    return Selection(floor=floor, nms_iou=nms_iou, max_per_megapixel=100, suppression=suppression)


def test_full_mask_fills_its_box():
    cells = to_cells(instances([[2.0, 3.0, 12.0, 9.0]]).found(), (20, 30), mpp=0.37)
    expected = np.zeros((20, 30), bool)
    expected[3:9, 2:12] = True
    assert np.array_equal(cells.to_dense()[0], expected)
    assert cells.mpp == 0.37
    assert cells.parents.tolist() == [-1]


def test_disc_keeps_its_area_and_place():
    y, x = torch.meshgrid(torch.arange(28) + 0.5, torch.arange(28) + 0.5, indexing="ij")
    disc = (((x - 14) ** 2 + (y - 14) ** 2) < 14**2).float()
    cells = to_cells(instances([[10.3, 20.6, 110.3, 100.6]], disc[None]).found(), (200, 200))
    assert cells.areas[0] == pytest.approx(np.pi * 50 * 40, rel=0.01)
    rows, columns = np.nonzero(cells.to_dense()[0])
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((60.3, 60.6), abs=0.2)


def test_pasting_is_bilinear():
    generator = np.random.default_rng(0)
    mask = generator.random((28, 28))
    box = np.array([3.2, 1.7, 60.9, 47.1])
    crop, (left, top) = paste(mask, box, (64, 64))
    for row, column in generator.integers(0, (crop.shape[0], crop.shape[1]), (200, 2)):
        u = (left + column + 0.5 - box[0]) / (box[2] - box[0]) * 28 - 0.5
        v = (top + row + 0.5 - box[1]) / (box[3] - box[1]) * 28 - 0.5
        value = 0.0
        for j, i in np.ndindex(28, 28):
            value += mask[j, i] * max(0, 1 - abs(u - i)) * max(0, 1 - abs(v - j))
        assert crop[row, column] == (value >= 0.5)


@pytest.mark.parametrize(
    "box", [[-5.0, -5.0, 6.0, 6.0], [15.0, 15.0, 40.0, 40.0], [0.0, 0.0, 20.0, 20.0], [4.2, 4.2, 4.9, 30.0]]
)
def test_masks_are_cut_to_the_image(box):
    dense = to_cells(instances([box]).found(), (20, 20)).to_dense()
    assert dense.shape[1:] == (20, 20)


def test_what_has_no_pixel_is_dropped():
    masks = torch.stack([torch.zeros(28, 28), torch.ones(28, 28), torch.ones(28, 28)])
    cells = to_cells(
        instances([[0, 0, 9.0, 9.0], [1, 1, 5.0, 5.0], [30.0, 30.0, 40.0, 40.0]], masks).found(), (20, 20)
    )
    assert len(cells) == 1
    assert cells.scores.tolist() == pytest.approx([0.7])


def test_no_instances():
    assert len(to_cells(instances([]).found(), (20, 20))) == 0


def test_suppression_is_by_class_and_overlap():
    box, same = [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0]  # IoU .9
    near = [0.0, 0.0, 10.0, 5.2]  # IoU .52 with the first
    boxes = torch.tensor([[box, same, near], [box, same, near]])
    scores = torch.tensor([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]])
    found, labels, kept = select_boxes(boxes, scores, selection((0.55, 0.5)), 100)
    assert labels.tolist() == [1, 1, 2]
    assert kept.tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert found[1].tolist() == pytest.approx(near)


def test_soft_suppression_damps_by_every_better_box():
    boxes = torch.tensor([[0.0, 0, 10, 5], [0, 0, 10, 10], [50, 0, 60, 10], [0, 0, 10, 9]])
    scores = torch.tensor([0.8, 0.9, 0.7, 0.2])  # IoU with the second: .5, 1, 0, .9
    damped = soften(boxes, scores)
    by_second, by_first = np.exp(-(0.9**2) / 0.5), np.exp(-((5 / 9) ** 2) / 0.5)
    assert damped.tolist() == pytest.approx([0.8 * np.exp(-0.5), 0.9, 0.7, 0.2 * by_second * by_first])


def test_soft_suppression_follows_the_scores_as_they_fall():
    """The second box falls behind the third, which is then damped by the first alone."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 4]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    damped = soften(boxes, scores)
    third = 0.7 * np.exp(-(0.4**2) / 0.5)
    assert damped.tolist() == pytest.approx([0.9, 0.8 * np.exp(-2) * np.exp(-(0.4**2) / 0.5), third])


@pytest.mark.parametrize(
    ("suppression", "kept"), [("box", [0.9]), ("mask", [0.9, 0.8]), ("soft", [0.9, 0.1083])]
)
def test_kinds_of_suppression(suppression, kept):
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 10]]])
    scores = torch.tensor([[0.9, 0.8]])
    found = select_boxes(boxes, scores, selection((0.5,), floor=0.1, suppression=suppression), 9)
    assert found[2].tolist() == pytest.approx(kept, rel=1e-3)


def test_floor_limit_and_degenerate_boxes():
    boxes = torch.tensor([[[0, 0, 5.0, 5.0], [9, 9, 9.0, 12.0], [20, 20, 30.0, 30.0], [40, 40, 50.0, 50.0]]])
    scores = torch.tensor([[0.05, 0.9, 0.3, 0.6]])
    _, _, kept = select_boxes(boxes, scores, selection((0.5,)), 100)
    assert kept.tolist() == pytest.approx([0.6, 0.3])
    _, _, kept = select_boxes(boxes, scores, selection((0.5,)), 1)
    assert kept.tolist() == pytest.approx([0.6])


@pytest.mark.parametrize("n", [0, 1])
def test_few_boxes(n):
    boxes = torch.tensor([[[0, 0, 5.0, 5.0]]])[:, :n].expand(2, -1, -1)
    scores = torch.tensor([[0.8]])[:, :n].expand(2, -1)
    found, labels, _ = select_boxes(boxes, scores, selection((0.5, 0.5)), 100)
    assert found.shape == (2 * n, 4)
    assert labels.tolist() == [1, 2][: 2 * n]


def test_a_lower_threshold_ends_a_mask_farther_out_for_its_class_alone():
    slope = torch.linspace(1, 0, 28).expand(28, 28)[None]  # falls from left to right
    box = [0.0, 0.0, 28.0, 28.0]
    pair = Instances(
        torch.tensor([box, box]), torch.tensor([1, 2]), torch.tensor([0.9, 0.8]), slope.repeat(2, 1, 1)
    )
    assert to_cells(pair.found(), (28, 28)).areas.tolist() == [14 * 28, 14 * 28]
    wider = to_cells(pair.found(), (28, 28), thresholds={1: 0.25, 2: 0.5})
    assert wider.areas.tolist() == [21 * 28, 14 * 28]
