"""Mask branch: a mask of each box, refined by the relations of the instances (IRNet, section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from irnet.models.box_branch import LEVEL_STRIDES, LEVELS, Features, SampledBoxes
from irnet.models.constants import MASK_SIDE, Sizes
from irnet.models.instance_relation import InstanceRelation
from irnet.models.losses import mask_loss, mask_targets
from irnet.models.mask_head import MaskHead
from irnet.models.neighbourhoods import relation_reach
from irnet.models.object_relation import are_near
from irnet.models.truths import Truths
from irnet.models.vision import pyramid_pool


class MaskBranch(nn.Module):
    """A mask of each box, refined by the IRM.

    Args:
        head: what draws the first masks.
        irm: None leaves them as they are.
        box_scale: factor by which boxes are enlarged to the frames that masks are drawn in.
        field_megapixels: in larger images, in test, instances relate within half the side of such a field.
    """

    def __init__(
        self, head: MaskHead, *, irm: InstanceRelation | None, box_scale: float, field_megapixels: float
    ) -> None:
        super().__init__()
        self.head, self.predictor = head
        self.irm = irm
        self.box_scale, self.field_megapixels = box_scale, field_megapixels
        self.pool = pyramid_pool(LEVELS, LEVEL_STRIDES, side=MASK_SIDE, inside=box_scale == 1)

    def forward(self, features: Features, boxes: list[Tensor], sizes: Sizes) -> tuple[Tensor, Tensor]:
        """Deep features (n, mask_width, 14, 14) and logits (n, 1 + C, 28, 28) of the frames `boxes`."""
        pooled = self.pool(features, boxes, sizes)  # (n, width, 14, 14)
        if pooled.device.type == "cpu":  # .75 of the time
            pooled = pooled.contiguous(memory_format=torch.channels_last)
        deep = self.head(pooled)
        return deep, self.predictor(deep)

    def masks(self, features: Features, boxes: list[Tensor], labels: Tensor, sizes: Sizes) -> Tensor:
        """Final mask probabilities of the class of each frame, (n, 28, 28)."""
        if not len(labels):
            return labels.new_zeros((0, 2 * MASK_SIDE, 2 * MASK_SIDE), dtype=torch.float32)
        deep, logits = self(features, boxes, sizes)
        if self.irm is not None:
            reach, flat = relation_reach(sizes, self.field_megapixels), torch.cat(boxes)
            near = None if reach is None else are_near(flat, flat, reach)
            logits, _ = self.irm(deep, logits, labels, image_of(boxes), near=near)
        return logits[torch.arange(len(labels), device=labels.device), labels].float().sigmoid()

    def losses(
        self, features: Features, chosen: SampledBoxes, sizes: Sizes, truths: Truths
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses mask and irm of the positives' own class, scalars (), and figures to log."""
        image, place, counts = chosen.positives()
        real, match = chosen.positive[image, place], chosen.match[image, place]  # (n,)
        labels = chosen.labels[image, place] * real  # padding is of no class and attends to padding alone

        # First masks
        flat = enlarge(chosen.boxes[image, place], self.box_scale)  # (n, 4)
        deep, logits = self(features, list(flat.split(counts)), sizes)

        # What each frame should show; padding gets the truth of any pixel
        somewhere = torch.cat([flat[:, :2], flat[:, :2] + 1], dim=1)
        truth = torch.where(real[:, None], truths.boxes[image, match], somewhere)
        targets = mask_targets(flat, truth, truths.masks[image, match], side=2 * MASK_SIDE)  # (n, 28, 28)
        losses = {"mask": mask_loss(logits, labels, targets, real)}
        if self.irm is None:
            return losses, {}

        # The same targets for the masks that the other instances refine
        refined, figures = self.irm(deep, logits, labels, image, match, real)
        return {**losses, "irm": mask_loss(refined, labels, targets, real)}, figures


def enlarge(boxes: Tensor, factor: float) -> Tensor:
    """Boxes (n, 4) xyxy of the same centres and `factor` times the sides; they may leave the image."""
    low, high = boxes.split(2, dim=1)
    margin = (high - low) * ((factor - 1) / 2)
    return torch.cat([low - margin, high + margin], dim=1)


def image_of(boxes: list[Tensor]) -> Tensor:
    """Which image each box of a list of images is from, (n,)."""
    return torch.cat([torch.full((len(box),), i, device=box.device) for i, box in enumerate(boxes)])
