"""Images of any size as one normalised batch (Mask R-CNN's resizing; IRNet, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.models.constants import STRIDE, Sizes


class ImageBatch(nn.Module):
    """Resizes, normalises and pads images.

    Args:
        mean, std: of the RGB image, grey levels.
        min_size: shorter side that images are resized to (px), unless the longer would exceed max_size;
            0 keeps every image as it is.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, mean: Sequence[float], std: Sequence[float], min_size: int, max_size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.min_size, self.max_size = min_size, max_size

    def forward(self, images: Sequence[Tensor]) -> tuple[Tensor, Sizes, Tensor]:
        """A batch (B, 3, H, W), the images' sizes in it, and their scales in x and y, (B, 2).

        The images are (3, H, W) RGB, uint8 or float, 0 to 255; sizes may differ.
        """
        resized = [self._resize(image) for image in images] if self.min_size else list(images)
        sizes = [(image.shape[1], image.shape[2]) for image in resized]
        height, width = (-(-max(side) // STRIDE) * STRIDE for side in zip(*sizes, strict=True))

        if set(sizes) == {(height, width)}:
            batch = torch.stack(resized).to(self.mean.dtype)  # (B, 3, H, W)
        else:
            batch = self.mean.expand(len(images), 3, height, width).clone()  # zero once normalised
            for place, image in zip(batch, resized, strict=True):
                place[:, : image.shape[1], : image.shape[2]] = image

        scales = torch.ones(len(images), 2, device=batch.device)
        if self.min_size:
            pairs = [(w / i.shape[2], h / i.shape[1]) for (h, w), i in zip(sizes, images, strict=True)]
            scales = torch.tensor(pairs, device=batch.device)
        return (batch - self.mean) / self.std, sizes, scales

    def _resize(self, image: Tensor) -> Tensor:
        image = image.to(self.mean.dtype)
        short, long = sorted(image.shape[1:])
        scale = min(self.min_size / short, self.max_size / long)
        return F.interpolate(
            image[None], scale_factor=scale, mode="bilinear", recompute_scale_factor=True, align_corners=False
        )[0]
