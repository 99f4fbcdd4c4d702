"""Stage 2 of CSPNet: a network of its own that draws a mask in each box (Akram et al. 2016)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.models.boxes import Proposed, clip
from irnet.models.constants import Sizes
from irnet.models.losses import mask_loss, mask_targets
from irnet.models.pyramid import Norm
from irnet.models.sampling import Sampling
from irnet.models.truths import Truths, truth_iou
from irnet.models.vision import roi_pool

WIDTHS = (32, 64, 128, 256)
MERGED = 16  # channels that RoIs are pooled from
SIDE = 25  # samples a side of a pooled box and of a mask
PADDING = 3  # px by which boxes are grown on each side before a mask is drawn in them
HIDDEN = 256  # width of the layer that masks are drawn from
DROPOUT = 0.5  # share of that layer that is dropped in training


class MergedLevels(nn.Module):
    """Features of full resolution: three deeper levels, each raised and added to the one above.

    Four convolutions (ReLU, norm), max-pools between them, and grouped deconvolutions on the way back.
    """

    def __init__(self, *, norm: Norm) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(size_in, size_out, 3, padding=1), nn.ReLU(), norm(size_out))
            for size_in, size_out in zip((3, *WIDTHS), WIDTHS, strict=False)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, groups=width) for width in WIDTHS[-2::-1]
        )
        self.merge = nn.Conv2d(WIDTHS[0], MERGED, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                draw_xavier(layer)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 16, H, W) of normalised images (B, 3, H, W), sides of at least 32."""
        levels = [self.down[0](images)]
        for layer in list(self.down)[1:]:
            levels.append(layer(F.max_pool2d(levels[-1], 3, stride=2)))

        x = levels.pop()  # (B, 256, h, w), where h is 63 for H = 512
        for layer, level in zip(self.up, reversed(levels), strict=True):
            height, width = level.shape[-2:]
            x = level + F.relu(layer(x))[..., :height, :width]
        return self.merge(x)


class MaskNetwork(nn.Module):
    """Pools the boxes, grown by a margin, from the merged levels; two fully connected layers draw the masks.

    Source: softmax of cell and background. Here: a sigmoid of each class, the same for one.

    Args:
        classes: without background.
        norm: norm of the convolutions.
        rois: boxes of each image in the loss.
    """

    def __init__(self, *, classes: int, norm: Norm, rois: int) -> None:
        super().__init__()
        self.levels = MergedLevels(norm=norm)
        self.fc1 = nn.Linear(MERGED * SIDE * SIDE, HIDDEN)
        self.fc2 = nn.Linear(HIDDEN, classes * SIDE * SIDE)
        for layer in (self.fc1, self.fc2):
            nn.init.normal_(layer.weight, std=0.001)
            nn.init.zeros_(layer.bias)
        self.dropout = nn.Dropout(DROPOUT)
        self.classes = classes
        self.sampling = Sampling(batch=rois, positive_fraction=1.0)

    def forward(self, images: Tensor, frames: list[Tensor]) -> Tensor:
        """Logits (n, C, SIDE, SIDE) of the frames of all images.

        Args:
            images: (B, 3, H, W) normalised.
            frames: of each image (n, 4), whole px, see `frame`.
        """
        last = [torch.cat([frame[:, :2], frame[:, 2:] - 1], dim=1) for frame in frames]  # its last pixel
        pooled = roi_pool(self.levels(images).float(), last, SIDE)  # (n, 16, SIDE, SIDE)
        hidden = self.dropout(F.relu(self.fc1(pooled.flatten(1))))
        return self.fc2(hidden).view(-1, self.classes, SIDE, SIDE)  # (n, C, SIDE, SIDE)

    def masks(self, images: Tensor, frames: list[Tensor], labels: list[Tensor]) -> list[Tensor]:
        """Mask probabilities of the class of each frame, (n, SIDE, SIDE) of each image."""
        label = torch.cat(labels)
        counts = [len(frame) for frame in frames]
        if not len(label):
            return list(label.new_zeros((0, SIDE, SIDE), dtype=torch.float32).split(counts))

        own = self(images, frames)[torch.arange(len(label), device=label.device), label - 1]
        return list(own.float().sigmoid().split(counts))

    def losses(
        self, images: Tensor, boxes: Proposed, sizes: Sizes, truths: Truths
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of the masks of a sample of the boxes and of the truth boxes, of images (B, 3, H, W).

        Source: the target is the largest object in the box. Here: the whole cell that the box is matched to,
        for cells overlap.
        """
        chosen, image, match = self._choose(boxes, truths)
        counts = torch.bincount(image, minlength=len(images))
        frames = self.frames(list(chosen.split(counts.tolist())), sizes)

        targets = mask_targets(
            torch.cat(frames), truths.boxes[image, match], truths.masks[image, match], side=SIDE
        )
        logits = self(images, frames)
        loss = mask_loss(logits, truths.labels[image, match] - 1, targets)
        return loss, {"rois": counts.float().mean()}

    def frames(self, boxes: list[Tensor], sizes: Sizes) -> list[Tensor]:
        """The boxes of each image, (n, 4), grown by the padding to whole px: where their masks are drawn."""
        frames = []
        for box, size in zip(boxes, sizes, strict=True):
            grown = torch.cat([box[:, :2].floor() - PADDING, box[:, 2:].ceil() + PADDING], dim=1)
            frames.append(clip(grown[None], [size])[0])
        return frames

    @torch.no_grad()
    def _choose(self, boxes: Proposed, truths: Truths) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes that overlap a truth enough, (n, 4), image by image; their images and truths, (n,)."""
        proposed, valid = boxes
        candidates = torch.cat([proposed, truths.boxes], dim=1)
        overlap, match = truth_iou(candidates, truths).max(dim=2)
        positive = torch.cat([valid, truths.valid], dim=1) & (overlap >= self.sampling.positive_iou)

        index, chosen = self.sampling.draw(positive, torch.zeros_like(positive))
        image, place = chosen.nonzero(as_tuple=True)
        index = index[image, place]
        return candidates[image, index], image, match[image, index]


def draw_xavier(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Xavier's normal weights, the channels counted within a group, and no bias."""
    fan = (layer.in_channels + layer.out_channels) / layer.groups * math.prod(layer.kernel_size)
    nn.init.normal_(layer.weight, std=math.sqrt(2 / fan))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
