"""Parts of the network that a recipe chooses by name, and where each is built ("module:function").

As text, for recipes are read without torch. How to add one: docs/how-to/add-a-backbone.md, add-a-mask-head.md
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticKnownError


class BackboneEntry(NamedTuple):
    """Where a backbone is built, and which norms (`model.trunk_norm`) it can have."""

    build: str
    norms: tuple[str, ...]


RESNET_NORMS = ("frozen_bn", "group")
BACKBONES: dict[str, BackboneEntry] = {
    "resnet18": BackboneEntry("irnet.models.resnet:resnet18", RESNET_NORMS),
    "resnet34": BackboneEntry("irnet.models.resnet:resnet34", RESNET_NORMS),
    "resnet50": BackboneEntry("irnet.models.resnet:resnet50", RESNET_NORMS),
    "efficientnet_lite0": BackboneEntry("irnet.models.efficientnet:efficientnet_lite0", ("frozen_bn",)),
    "efficientnet_lite1": BackboneEntry("irnet.models.efficientnet:efficientnet_lite1", ("frozen_bn",)),
    "efficientnet_lite2": BackboneEntry("irnet.models.efficientnet:efficientnet_lite2", ("frozen_bn",)),
}

MASK_HEADS: dict[str, str] = {
    "convolutions": "irnet.models.mask_head:convolutions",
}


def _check(known: Collection[str], name: Any) -> str:
    """Refuse what is not among the names, as a `Literal` of them would."""
    if isinstance(name, str) and name in known:
        return name
    *others, last = map(repr, known)
    expected = f"{', '.join(others)} or {last}" if others else last
    raise PydanticKnownError("literal_error", {"expected": expected})


BackboneName = Annotated[
    str,
    BeforeValidator(partial(_check, BACKBONES)),
    WithJsonSchema({"enum": list(BACKBONES), "type": "string"}),
]
MaskHeadName = Annotated[
    str,
    BeforeValidator(partial(_check, MASK_HEADS)),
    WithJsonSchema({"enum": list(MASK_HEADS), "type": "string"}),
]
