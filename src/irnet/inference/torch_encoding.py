"""An image that PyTorch has looked at, ready to be asked about places in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irnet.config import PredictSettings
from irnet.inference.devices import autocast, memory_errors
from irnet.inference.encoding import Encoding, Floats
from irnet.models.constants import by_label
from irnet.models.irnet import IRNet
from irnet.models.mask_branch import enlarge
from irnet.models.pasting import Found
from irnet.models.postprocess import Instances
from irnet.models.views import VIEWS, ViewFeatures, draw_in_views, look_in_views, read_in_views

if TYPE_CHECKING:
    from irnet.inference.torch_engine import TorchEngine


class TorchEncoding(Encoding):
    """See `Encoding`. A picture is (3, H, W) at the scale of the network."""

    def __init__(
        self, engine: TorchEngine, model: IRNet, picture: Tensor, predict: PredictSettings, views: int
    ) -> None:
        self.engine, self.box, self.mask = engine, model.roi_heads.box, model.roi_heads.mask
        with torch.inference_mode(), memory_errors(), autocast(engine.device, engine.precision):
            seen = look_in_views(model, [picture], VIEWS[:views])
            self.size = seen[0].sizes
            self.stretch = seen[0].scales[0].repeat(2)  # px that the network sees per px of the image

            proposals, valid = model.rpn(list(seen[0].features.values()), self.size)[0]
            self.seen = [_laid_out(one) for one in seen]
            hidden, scores, boxes = read_in_views(self.box, self.seen, proposals)
            ranked = self.box.score_candidates(hidden, scores, boxes, valid, self.size)
            self.boxes, self.scores = _arrays(boxes[0] / self.stretch, scores[0])

            order = ranked.rank(tuple(by_label(predict.drm_power).values()))[0]
            places, kept = self.box.select(ranked.boxes[0], order, self.size)
            labels = places // ranked.boxes.shape[2] + 1
            self.found = self._draw(ranked.boxes[0].flatten(0, 1)[places], labels, kept)

    @torch.inference_mode()
    def read(self, boxes: Floats) -> tuple[Floats, Floats]:
        with memory_errors(), autocast(self.engine.device, self.engine.precision):
            _, scores, places = read_in_views(self.box, self.seen, self._placed(boxes)[None])
            return _arrays(places[0] / self.stretch, scores[0])

    @torch.inference_mode()
    def draw(self, boxes: Floats, labels: NDArray[np.int64]) -> Found:
        given = torch.as_tensor(labels, device=self.engine.device)
        with memory_errors(), autocast(self.engine.device, self.engine.precision):
            return self._draw(self._placed(boxes), given, torch.ones_like(given, dtype=torch.float32))

    def _placed(self, boxes: Floats) -> Tensor:
        return torch.as_tensor(boxes, dtype=torch.float32, device=self.engine.device) * self.stretch

    def _draw(self, boxes: Tensor, labels: Tensor, scores: Tensor) -> Found:
        frames = enlarge(boxes, self.mask.box_scale)
        masks = draw_in_views(self.mask, self.seen, [frames], labels)
        return Instances((frames / self.stretch).float(), labels, scores, masks).found()


def _laid_out(seen: ViewFeatures) -> ViewFeatures:
    """The same, laid out as RoIAlign takes it: it would copy all of it at each prompt."""
    levels = {name: level.contiguous() for name, level in seen.features.items()}
    return seen._replace(features=levels)


def _arrays(boxes: Tensor, scores: Tensor) -> tuple[Floats, Floats]:
    return boxes.float().cpu().numpy(), scores.float().cpu().numpy()
