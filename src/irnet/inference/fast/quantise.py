"""Graphs in 8-bit integers, made of those in float32 by NNCF: what they meet on images gives the ranges."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from irnet.errors import InputError
from irnet.inference.fast.engine import OpenVINOEngine
from irnet.inference.fast.runtime import Compiled, Graph, read_graph, without_telemetry, written
from irnet.wording import install_extra

PARTS = {  # that become integers -> what in them does not: scores and places come from it
    "look": (".*cls_logits.*", ".*bbox_pred.*"),
    "classify": (".*cls_score.*", ".*bbox_pred.*"),
    "draw": ("__module.irm/.*", "aten::.*"),  # the relation itself, who is near
}
BACKBONE = ".*backbone.body.*"
MOST_BOXES, MOST_PX = 64, 768  # of one image that are kept for the ranges

Inputs = list[NDArray[Any]]


def is_installed() -> bool:
    """Whether NNCF is."""
    return find_spec("nncf") is not None


def quantise(
    graphs: Mapping[str, Graph], met: Mapping[str, Sequence[Inputs]], *, backbone: bool
) -> dict[str, Graph]:
    """Return graphs of which the `PARTS` compute in integers of 8 bits.

    Args:
        graphs: in float32.
        met: what the parts met on images such as will be predicted, of `recording`.
        backbone: whether the backbone does, too.

    Raises:
        InputError: NNCF does not load.
    """
    nncf = load()
    # Weights of 7 bits: CPUs without VNNI add products of 8 bits in 16, which overflow
    spared = nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE)
    made = dict(graphs)
    for name, kept in PARTS.items():
        left = [*kept, *([] if backbone else [BACKBONE])]
        with contextlib.redirect_stdout(io.StringIO()):  # its bars
            model = nncf.quantize(
                read_graph(graphs[name]),
                nncf.Dataset(met[name]),
                subset_size=len(met[name]),
                preset=nncf.QuantizationPreset.MIXED,
                target_device=nncf.TargetDevice.CPU,
                ignored_scope=nncf.IgnoredScope(patterns=left, validate=False),
                advanced_parameters=spared,
            )
        made[name] = written(model)
    return made


@contextlib.contextmanager
def recording(engine: OpenVINOEngine) -> Iterator[dict[str, list[Inputs]]]:
    """Give what the parts of a network meet in the images that its engine sees meanwhile."""
    own = engine.graphs
    recorders = {name: _Recorder(own[name]) for name in PARTS}
    engine.graphs = {**own, **recorders}
    try:
        yield {name: recorder.met for name, recorder in recorders.items()}
    finally:
        engine.graphs = own


class _Recorder(Compiled):
    """A graph that keeps what it is given: the first boxes, or a corner of the image."""

    def __init__(self, graph: Compiled) -> None:
        self.graph, self.met = graph, list[Inputs]()

    def __call__(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        if len(inputs[0]):
            self.met.append([_some(value) for value in inputs])
        return self.graph(inputs)

    def release(self) -> None:
        self.graph.release()


def _some(value: NDArray[Any]) -> NDArray[Any]:
    """The first boxes, or a corner of an image."""
    return value[(slice(MOST_BOXES), *[slice(MOST_PX)] * (value.ndim - 1))].copy()


def load() -> ModuleType:
    """Return the module `nncf`, imported without its telemetry and quiet."""
    with without_telemetry():
        try:
            import nncf
        except ImportError as error:
            raise InputError(f"NNCF does not load ({error}): {install_extra('quantise')}") from error
    nncf.set_log_level(logging.ERROR)
    return nncf
