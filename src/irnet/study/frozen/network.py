"""A network whose lower half is frozen: pyramid and proposals of an image are computed once and kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from irnet.inference.tensors import read_tensors, write_tensors
from irnet.models.box_branch import LEVELS, Features
from irnet.models.boxes import Proposed
from irnet.models.irnet import IRNet
from irnet.models.postprocess import Instances


class FrozenFeatures(NamedTuple):
    """What the frozen half makes of one image."""

    features: Features  # P2 to P5, (1, width, h, w)
    proposals: Tensor  # (R, 4) xyxy px at the network's scale
    size: tuple[int, int]  # H, W at that scale
    scale: Tensor  # (2,) of x and y


class FrozenBase(nn.Module):
    """An IRNet of which the heads alone are asked again. In test it finds what the network itself finds.

    Features are kept in 16 bits, each image in a file that is named by the hash of its pixels.

    Args:
        model: the whole network.
        folder: of the files; those of one base.
    """

    def __init__(self, model: IRNet, folder: Path) -> None:
        super().__init__()
        self.model, self.folder = model, folder

    def forward(self, images: list[Tensor]) -> list[Instances]:
        """The instances of each image (3, H, W) uint8, as those of `IRNet.forward`."""
        return [self._find(self.compute_features(image)) for image in images]

    @torch.no_grad()
    def compute_features(self, image: Tensor) -> FrozenFeatures:
        """What the frozen half makes of an image (3, H, W), from its file where there is one."""
        path = self.folder / f"{hashlib.sha256(image.cpu().numpy().tobytes()).hexdigest()[:32]}.safetensors"
        if not path.exists():
            _keep(path, compute_features(self.model, image))
        return _recall(path, image.device)

    def _find(self, seen: FrozenFeatures) -> Instances:
        found = self.model.roi_heads(seen.features, Proposed.of([seen.proposals]), [seen.size])[0]
        return found._replace(boxes=found.boxes / seen.scale.repeat(2))


@torch.no_grad()
def compute_features(model: IRNet, image: Tensor) -> FrozenFeatures:
    """The pyramid and the proposals of an image (3, H, W), 0 to 255."""
    batch, sizes, scales = model.prepare([image])
    features = model.backbone(batch)
    proposals, _ = model.rpn(list(features.values()), sizes)
    return FrozenFeatures(
        {level: features[level] for level in LEVELS}, proposals.each()[0], sizes[0], scales[0]
    )


def _keep(path: Path, seen: FrozenFeatures) -> None:
    tensors = {f"features/{level}": feature.half() for level, feature in seen.features.items()}
    write_tensors(path, {**tensors, "proposals": seen.proposals, "scale": seen.scale}, {"size": [*seen.size]})


def _recall(path: Path, device: torch.device) -> FrozenFeatures:
    tensors, meta = read_tensors(path)
    features = {level: tensors[f"features/{level}"].to(device).float() for level in LEVELS}
    height, width = meta["size"]
    return FrozenFeatures(
        features, tensors["proposals"].to(device), (height, width), tensors["scale"].to(device)
    )
