"""How fast the mask branch learns from wide and from narrow first logits: 16 fixed masks, 120 steps of AdamW.

    python benchmarks/mask_init.py

Kaiming's rule, which torchvision keeps to, is the widest here: sqrt(2 / 3) for two classes and background.
"""

import torch
from torch import nn
from torch.nn import functional as F

from irnet.models.losses import mask_loss
from irnet.models.mask_head import convolutions

INSTANCES, WIDTH, STEPS, SHOWN = 16, 128, 120, (0, 10, 20, 40, 80, 120)


def main() -> None:
    torch.manual_seed(0)
    maps = F.interpolate(torch.randn(INSTANCES, 8, 5, 5), size=14, mode="bicubic")
    mixed = torch.einsum("ncij,dc->ndij", maps, torch.randn(WIDTH, 8))
    features = (mixed + 0.3 * torch.randn(INSTANCES, WIDTH, 14, 14)).relu()
    shapes = F.interpolate(maps[:, :1] + maps[:, 1:2] / 2, size=28, mode="bicubic")[:, 0]
    targets, labels = (shapes > 0).float(), torch.randint(1, 3, (INSTANCES,))
    print("| first logits, std | " + " | ".join(f"step {step}" for step in SHOWN) + " |")
    print("|---|" + "---|" * len(SHOWN))
    for std in (0.001, 0.03, 0.3, (2 / 3) ** 0.5):
        losses = learn(std, features, labels, targets)
        print(f"| {std:.3g} | " + " | ".join(f"{losses[step]:.3f}" for step in SHOWN) + " |", flush=True)


def learn(std: float, features: torch.Tensor, labels: torch.Tensor, targets: torch.Tensor) -> list[float]:
    """The loss before each step, and after the last."""
    torch.manual_seed(1)
    head = convolutions(
        width=WIDTH, mask_width=WIDTH, classes=2, norm=lambda channels: nn.GroupNorm(16, channels)
    )
    nn.init.normal_(head.predictor.get_parameter("mask_fcn_logits.weight"), std=std)
    optimizer = torch.optim.AdamW(nn.ModuleList(head).parameters(), lr=5e-4)
    losses = []
    for _ in range(STEPS + 1):
        loss = mask_loss(head.predictor(head.features(features)), labels, targets)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


if __name__ == "__main__":
    main()
