"""What a network would find at many operating points, from one look at each image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from irnet.cells import LABEL_NAMES, Cells
from irnet.config import OperatingPoint, PerClass, PredictSettings, Settings
from irnet.data.sample import Sample
from irnet.inference.engine import Engine, check_views
from irnet.inference.networks import Network
from irnet.inference.predict import Predictor
from irnet.inference.scale import Scale, digest
from irnet.models.irnet import IRNet
from irnet.models.pasting import Found
from irnet.models.postprocess import Instances
from irnet.models.views import VIEWS, find_in_views

POWERS = (1.0, 0.5, 0.0)  # of p(correct) in the score
THRESHOLDS = (0.5, 0.45, 0.4)  # of the mask probability


class Option(NamedTuple):
    """What decides which candidates there are and where they end, the same for both classes."""

    drm_power: float
    mask_threshold: float


class Rehearsal:
    """Finds the candidates of an image under each option.

    Args:
        network: see `Predictor`; with an engine the powers are the present ones, and the view is one.
        settings, device: see `Predictor`.
        views: how many views of an image the network sees; the present options are those of as many.
    """

    def __init__(
        self,
        network: Network | Engine,
        *,
        settings: Settings,
        device: torch.device | None = None,
        views: int = 1,
    ) -> None:
        check_views(views, settings.method)
        self.settings = settings.model_copy(update={"predict": settings.predict.at(views)})

        learns = isinstance(network, IRNet) and settings.model.drm.enabled
        own = [self.present(name) for name in LABEL_NAMES.values()]
        powers = {*(option.drm_power for option in own), *(POWERS if learns else ())}
        thresholds = {*(option.mask_threshold for option in own), *THRESHOLDS}
        self.options = [Option(*pair) for pair in product(sorted(powers), sorted(thresholds))]

        self.network, self.views, self.device = network, views, device
        self.memory: _Remembered | _Memory
        if isinstance(network, Engine):
            self.memory = _Remembered(network)
        else:
            self.memory = _Memory(network, views=views, powers=sorted(powers))

    @property
    def point(self) -> dict[str, dict[str, float]]:
        """The present operating point of each class: score, drm_power, mask_threshold."""
        values = self.settings.predict.model_dump(include=set(OperatingPoint.model_fields))
        points = {}
        for name in LABEL_NAMES.values():
            points[name] = {field: values[field][name] for field in OperatingPoint.model_fields}
        return points

    def present(self, name: str) -> Option:
        """Return the option that the settings hold for a class."""
        return Option(*(self.point[name][field] for field in Option._fields))

    @property
    def now(self) -> Predictor:
        """The predictor of the present point, that of each class: what `irnet predict` is."""
        return Predictor(self.network, settings=self.settings, device=self.device, views=self.views)

    def find(self, sample: Sample, scale: Scale) -> dict[Option, Cells]:
        """Return every candidate of an image under each option, down to `predict.floor`; see `find_all`."""
        self.memory.pictures.clear()
        scale = scale._replace(seen={})  # what is kept there was found under one option
        mpp = sample.content.cells.mpp

        found = {}
        for option in self.options:
            found[option] = self.predictor(option).find(sample.image, mpp, scale=scale).cells
        return found

    def predictor(self, option: Option) -> Predictor:
        """Return a predictor that finds what there is under an option; it looks where no other has looked."""
        if isinstance(self.memory, _Memory):
            self.memory.power = option.drm_power
        values = {name: PerClass(cytoplasm=value, nucleus=value) for name, value in option._asdict().items()}
        predict = self.settings.predict.model_copy(update=values)
        settings = self.settings.model_copy(update={"predict": predict})
        return Predictor(self.memory, settings=settings, device=self.device)  # type: ignore[arg-type]


class _Memory(nn.Module):
    """Stands in for a network: looks at each picture once and answers for every power from memory."""

    def __init__(self, network: Network, *, views: int, powers: Sequence[float]) -> None:
        super().__init__()
        self.network, self.views, self.powers = network, views, list(powers)
        self.power = self.powers[0]
        self.pictures: dict[bytes, list[Instances]] = {}

    def forward(self, images: Sequence[Tensor]) -> list[Instances]:
        return [self._recall(image) for image in images]

    def _recall(self, picture: Tensor) -> Instances:
        key = hashlib.sha256(picture.cpu().numpy().tobytes()).digest()
        if key not in self.pictures:
            self.pictures[key] = self._look(picture)
        return self.pictures[key][self.powers.index(self.power)]

    def _look(self, picture: Tensor) -> list[Instances]:
        if not isinstance(self.network, IRNet):
            return [self.network([picture])[0]] * len(self.powers)
        views = VIEWS[: self.views]
        return find_in_views(self.network, picture, [(power, power) for power in self.powers], views=views)


class _Remembered(Engine):
    """Stands in for an engine: looks at each picture once for each power and answers from memory."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.name, self.device = engine, engine.name, engine.device
        self.precision = engine.precision
        self.pictures: dict[tuple[object, ...], Found] = {}

    def find(self, image: NDArray[np.uint8], predict: PredictSettings, *, views: int) -> Found:
        key = (digest(image), predict.drm_power)
        if key not in self.pictures:
            self.pictures[key] = self.engine.find(image, predict, views=views)
        return self.pictures[key]
