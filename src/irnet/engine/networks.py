"""The one door to networks: a recipe in, the network of its method out."""

from irnet.baselines.cspnet import CSPNet, build_cspnet
from irnet.config import Settings
from irnet.models.build import build_model
from irnet.models.irnet import IRNet

Network = IRNet | CSPNet


def build_network(settings: Settings, *, trunk: bool = True) -> Network:
    """The network of a recipe, ready to train: IRNet, of which Mask R-CNN is a part, or CSPNet.

    `trunk=False` leaves the ImageNet weights of the trunk out, for a network whose weights are loaded next.
    Raises `InputError` where they are missing.
    """
    build = build_cspnet if settings.method == "cspnet" else build_model
    return build(settings.model, settings.loss, settings.predict, trunk=trunk)
