"""A network as PyTorch computes it: the reference."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from irnet.config import PredictSettings
from irnet.inference.devices import autocast, memory_errors
from irnet.inference.engine import Engine
from irnet.inference.networks import Network, detect
from irnet.models.pasting import Found


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
        self.model = model.to(self.device).eval()

    @torch.inference_mode()
    def find(self, image: NDArray[np.uint8], predict: PredictSettings, *, views: int) -> Found:
        with memory_errors():
            picture = torch.tensor(image, device=self.device).permute(2, 0, 1)  # (3, H, W)
            with autocast(self.device, self.precision):
                found = detect(self.model, picture, predict, views=views)
            return found._replace(boxes=found.boxes.float()).found()
