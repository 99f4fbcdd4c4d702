"""A network as PyTorch computes it: the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from irnet.config import PredictSettings
from irnet.inference.devices import autocast, memory_errors
from irnet.inference.encoding import Encoding
from irnet.inference.engine import Engine
from irnet.inference.networks import Network, detect
from irnet.inference.torch_encoding import TorchEncoding
from irnet.models.irnet import IRNet
from irnet.models.pasting import Found
from irnet.models.postprocess import Instances

BATCH = 8  # images at once on a GPU


class TorchEngine(Engine):
    """See `Engine`.

    Args:
        model: a network; it is moved to `device` and put into eval mode.
        device: where it computes; None is the CPU.
        precision: "fp32", or "bf16" where a GPU may compute with it.
    """

    name = "torch"

    def __init__(
        self,
        model: Network,
        device: torch.device | None = None,
        *,
        precision: Literal["fp32", "bf16"] = "fp32",
    ) -> None:
        self.device = device or torch.device("cpu")
        self.precision: Literal["fp32", "bf16"] = precision if self.device.type == "cuda" else "fp32"
        self.batch = BATCH if self.device.type == "cuda" else 1  # more at once gain nothing on a CPU
        self.model = model.to(self.device).eval()

    @torch.inference_mode()
    def find(self, image: NDArray[np.uint8], predict: PredictSettings, *, views: int) -> Found:
        with memory_errors():
            picture = self._picture(image)
            with autocast(self.device, self.precision):
                found = detect(self.model, picture, predict, views=views)
            return _taken_off(found)

    @torch.inference_mode()
    def find_all(
        self, images: Sequence[NDArray[np.uint8]], predict: PredictSettings, *, views: int
    ) -> list[Found]:
        if views > 1 or len(images) == 1:  # the views of an image are a batch already
            return super().find_all(images, predict, views=views)
        with memory_errors():
            pictures = [self._picture(image) for image in images]
            with autocast(self.device, self.precision):
                return [_taken_off(found) for found in self.model(pictures)]

    def encode(self, image: NDArray[np.uint8], predict: PredictSettings, *, views: int) -> Encoding:
        if not isinstance(self.model, IRNet):
            return super().encode(image, predict, views=views)
        return TorchEncoding(self, self.model, self._picture(image), predict, views)

    def _picture(self, image: NDArray[np.uint8]) -> torch.Tensor:
        return torch.tensor(image, device=self.device).permute(2, 0, 1)  # (3, H, W)


def _taken_off(found: Instances) -> Found:
    return found._replace(boxes=found.boxes.float()).found()
