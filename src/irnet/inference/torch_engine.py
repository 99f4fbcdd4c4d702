"""A network as PyTorch computes it: the reference."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from irnet.config import PredictSettings
from irnet.errors import InputError
from irnet.inference.devices import autocast, memory_errors
from irnet.inference.encoding import Encoding
from irnet.inference.engine import Engine
from irnet.inference.networks import Network, detect
from irnet.inference.torch_encoding import TorchEncoding
from irnet.models.irnet import IRNet
from irnet.models.pasting import Found
from irnet.models.postprocess import Instances

BATCH = 8  # images at once on a GPU

_logger = logging.getLogger(__name__)


class TorchEngine(Engine):
    """See `Engine`.

    Args:
        model: a network; it is moved to `device` and put into eval mode.
        device: where it computes; None is the CPU.
        precision: "fp32", or "bf16" where a GPU may compute with it.
        compiled: whether backbone and pyramid are compiled by PyTorch when the first image is seen. It takes
            up to a minute, and again for a second size of images.

    Raises:
        InputError: `compiled` is asked of a network that is not one detector.
    """

    name = "torch"

    def __init__(
        self,
        model: Network,
        device: torch.device | None = None,
        *,
        precision: Literal["fp32", "bf16"] = "fp32",
        compiled: bool = False,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.precision: Literal["fp32", "bf16"] = precision if self.device.type == "cuda" else "fp32"
        self.batch = BATCH if self.device.type == "cuda" else 1  # more at once gain nothing on a CPU
        self.model = model.to(self.device).eval()
        if compiled:
            if not isinstance(self.model, IRNet):
                raise InputError("only IRNet and Mask R-CNN are compiled: leave --compile out")
            self.model.add_module("backbone", Compiled(self.model.backbone))

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


class Compiled(nn.Module):
    """A module as PyTorch's compiler makes it faster, or as it is where there is no compiler that can."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.is_compiled = module, True
        self._compiled = torch.compile(module)

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        """What the module gives."""
        if self.is_compiled:
            from torch._dynamo.exc import TorchDynamoException  # slow to import

            try:
                return self._compiled(batch)
            except TorchDynamoException as error:
                reason = str(error).strip().partition("\n")[0]
                _logger.warning("PyTorch cannot compile here, it computes without: %s", reason)
                self.is_compiled = False
        return self.module(batch)
