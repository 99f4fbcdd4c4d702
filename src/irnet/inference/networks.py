"""The one door to networks: a recipe in, the network of its method out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

from irnet.config import PredictSettings, Settings
from irnet.models.build import build_model
from irnet.models.constants import by_label
from irnet.models.irnet import IRNet
from irnet.models.postprocess import Instances
from irnet.models.views import find_in_views

if TYPE_CHECKING:
    from irnet.baselines.cspnet import CSPNet

Network: TypeAlias = "IRNet | CSPNet"


def build_network(settings: Settings, *, pretrained: bool = True) -> Network:
    """The network of a recipe, ready to train: IRNet, of which Mask R-CNN is a part, or CSPNet.

    `pretrained=False` leaves the ImageNet weights of the backbone out, for a network whose weights are
    loaded next. Raises `InputError` where they are missing.
    """
    if settings.method == "cspnet":
        from irnet.baselines.cspnet import build_cspnet  # a rival: the others do without its files

        return build_cspnet(settings.model, settings.loss, settings.predict, pretrained=pretrained)
    return build_model(settings.model, settings.loss, settings.predict, pretrained=pretrained)


def detect(network: Network, picture: Tensor, predict: PredictSettings, *, views: int) -> Instances:
    """What a network finds in a (3, H, W) picture at its scale, seen in one view or in `VIEWS`."""
    if views == 1:
        return network([picture])[0]
    assert isinstance(network, IRNet)
    return find_in_views(network, picture, [tuple(by_label(predict.drm_power).values())])[0]
