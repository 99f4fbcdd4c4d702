"""The choice of the boxes that give a loss (Ren et al. 2015, section 3.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which boxes of an image give a loss.

    Args:
        batch: how many; positive_fraction: most of them that may be positive.
        positive_iou: overlap with a truth from which a box is positive.
        negative_iou: overlap with each truth below which it is background; between the two it gives no loss.
        ignore_straddling: boxes across the border of their image give none.
    """

    batch: int
    positive_fraction: float
    positive_iou: float = 0.5
    negative_iou: float = 0.5
    ignore_straddling: bool = False

    @property
    def quota(self) -> int:
        """Most positives of an image."""
        return int(self.batch * self.positive_fraction)

    def draw(self, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        """Choose `batch` boxes an image at random: positives up to the quota, filled up with negatives.

        Args:
            positive, negative: (B, n) bool, disjoint.

        Returns:
            Indices (B, S) and whether each is a choice and no padding (B, S); S = min(batch, n), positives
            first.
        """
        key = torch.rand(positive.shape, device=positive.device)

        # Positives whose key is among the highest
        quota = min(self.quota, key.shape[1])
        bar = key.masked_fill(~positive, -1).topk(quota, dim=1).values[:, -1:] if quota else 2
        chosen = positive & (key >= bar)

        # They come before all negatives, and what is neither comes last
        merit = torch.where(chosen, key + 1, key).masked_fill(~(chosen | negative), -1)
        values, index = merit.topk(min(self.batch, key.shape[1]), dim=1)
        return index, values >= 0
