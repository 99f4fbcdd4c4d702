"""IRNet's instance relation behind torchvision's own Mask R-CNN, which stays as it is.

    python examples/irm_behind_torchvision.py

`InstanceRelation` needs four things of a detector: deep features and first masks of the instances, their
classes, and which image each is from. Classes and images are noted from outside where torchvision's heads
choose boxes; features and masks pass through the mask predictor, whose place is taken. Its mask loss then is
that of the refined masks, and the first ones learn through them; in the paper they have a loss of their own.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.models.detection.roi_heads import RoIHeads

from irnet.models.instance_relation import InstanceRelation

STEPS = 3


class RelatedMasks(nn.Module):
    """Stands where the mask predictor stood: first masks, then masks that know of the other instances."""

    def __init__(self, heads: RoIHeads, *, channels: int = 256, classes: int = 3) -> None:
        super().__init__()
        self.first = heads.mask_predictor
        self.relation = InstanceRelation(channels=channels, classes=classes)
        self.labels: list[Tensor] = []  # classes of each image's instances, noted before masks are predicted
        heads.select_training_samples = self._note(heads.select_training_samples, self._positives)
        heads.postprocess_detections = self._note(heads.postprocess_detections, lambda found: found[2])
        heads.mask_predictor = self

    def forward(self, deep: Tensor) -> Tensor:
        """Mask logits (n, classes, 28, 28) of deep features (n, 256, 14, 14)."""
        images = [torch.full_like(labels, i) for i, labels in enumerate(self.labels)]
        refined, _ = self.relation(deep, self.first(deep), torch.cat(self.labels), torch.cat(images))
        return refined

    def _note(self, choose: Callable, labels_of: Callable) -> Callable:
        """A function that does what `choose` does, and notes the classes of what it chose."""

        def noted(*args):
            chosen = choose(*args)
            self.labels = labels_of(chosen)
            return chosen

        return noted

    @staticmethod
    def _positives(samples: tuple) -> list[Tensor]:
        """Classes of the boxes that get a mask in training: those that are not background."""
        return [labels[labels > 0] for labels in samples[2]]


def draw() -> tuple[Tensor, dict[str, Tensor]]:
    """Three discs that overlap, (3, 128, 128) in 0 to 1, and their truth."""
    y, x = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    discs = torch.stack([(x - cx) ** 2 + (y - cy) ** 2 < 24**2 for cx, cy in ((45, 50), (75, 55), (60, 85))])
    image = (1 - 0.25 * discs.sum(dim=0)).expand(3, -1, -1)
    boxes = torch.tensor([[21.0, 26, 70, 75], [51, 31, 100, 80], [36, 61, 85, 110]])
    labels = torch.tensor([1, 1, 2])
    return image, {"boxes": boxes, "labels": labels, "masks": discs.to(torch.uint8)}


def main() -> None:
    """Train a few steps on one image, then predict it."""
    torch.manual_seed(0)
    model = maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=3, min_size=128, max_size=128
    )
    masks = RelatedMasks(model.roi_heads)
    image, truth = draw()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for step in range(STEPS):
        losses = model([image], [truth])
        optimizer.zero_grad()
        torch.stack([*losses.values()]).sum().backward()
        optimizer.step()
        gamma = float(masks.relation.gamma.detach())
        print(f"step {step}: mask loss {float(losses['loss_mask'].detach()):.3f}, gamma {gamma:.5f}")
    found = model.eval()([image])[0]
    print(f"{len(found['labels'])} instances with masks of {tuple(found['masks'].shape[1:])} px")


if __name__ == "__main__":
    main()
