"""Boxes as a network predicts them: seen from other boxes (Girshick et al. 2014, appendix C)."""

from __future__ import annotations

import torch
from torch import Tensor

from irnet.models.constants import MOST_GROWTH


class BoxCoder:
    """torchvision's coder without its small tensors from the host, for each of which a GPU would be waited.

    Args:
        centre, size: factors of the codes of centres and of sizes.
    """

    def __init__(self, centre: float, size: float) -> None:
        self.centre, self.size = centre, size

    def encode(self, truth: Tensor, boxes: Tensor) -> Tensor:
        """Codes (..., 4) of `truth` (..., 4) xyxy seen from `boxes` (..., 4) xyxy."""
        (place, side), (goal, extent) = _centred(boxes), _centred(truth)
        return torch.cat([self.centre * (goal - place) / side, self.size * (extent / side).log()], dim=-1)

    def decode(self, codes: Tensor, boxes: Tensor) -> Tensor:
        """Boxes (..., 4) xyxy that `codes` (..., 4) stand for, seen from `boxes` (..., 4) xyxy."""
        place, side = _centred(boxes)
        centre = codes[..., :2] / self.centre * side + place
        half = 0.5 * ((codes[..., 2:] / self.size).clamp(max=MOST_GROWTH).exp() * side)
        return torch.cat([centre - half, centre + half], dim=-1)


def _centred(boxes: Tensor) -> tuple[Tensor, Tensor]:
    low, side = boxes[..., :2], boxes[..., 2:] - boxes[..., :2]
    return low + 0.5 * side, side
