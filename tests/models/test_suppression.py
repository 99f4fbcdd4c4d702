"""Suppression of all images and levels at once is that of one after the other."""

import pytest
import torch

from irnet.models import suppression
from irnet.models.suppression import suppress, suppress_at_once


def crowd(count: int, images: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (B, n, 4) that overlap in long chains, some of them none, and falling scores."""
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(images, count, 2, generator=generator) * torch.tensor([60.0, 5.0])
    size = 20 + 4 * torch.rand(images, count, 2, generator=generator)
    size[:, ::17] = 0
    return torch.cat([low, low + size], dim=2), torch.linspace(1, 0, count).repeat(images, 1)


@pytest.mark.parametrize("iou", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("rounds", [1, 16])
def test_at_once_is_one_after_the_other(iou: float, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression, "ROUNDS", rounds)
    boxes, scores = zip(*(crowd(count, 3, seed=count) for count in (200, 90, 1)), strict=True)
    real = [(box[..., 2:] - box[..., :2]).amin(dim=2) > 0 for box in boxes]
    kept = suppress(list(boxes), list(scores), real, iou)
    assert torch.equal(kept, suppress_at_once(list(boxes), real, iou))
    assert kept.shape == (3, 291)
    assert not (kept & ~torch.cat(real, dim=1)).any()
    assert kept[:, 1].all()  # the best box that is one
    if iou < 1:
        assert kept.sum() < torch.cat(real, dim=1).sum()


def test_no_box_at_all() -> None:
    boxes, real = torch.zeros(2, 5, 4), torch.zeros(2, 5, dtype=torch.bool)
    assert not suppress_at_once([boxes], [real], 0.5).any()
    assert not suppress([boxes], [torch.zeros(2, 5)], [real], 0.5).any()
