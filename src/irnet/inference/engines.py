"""Which engine computes a network, and why: PyTorch, or on CPUs OpenVINO where it is installed."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import NamedTuple, get_args

from irnet.config import OperatingPoint, Settings
from irnet.errors import InputError
from irnet.inference.engine import Engine, EngineName, Precision
from irnet.inference.fast import runtime
from irnet.inference.fast.cache import find_graphs, keep_graphs
from irnet.inference.fast.runtime import Graph
from irnet.inference.weights import BUNDLED, find_weights, read_settings
from irnet.progress import stage
from irnet.wording import command, install_extra

GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's, AMD's, and of either inside WSL

_logger = logging.getLogger(__name__)


class Choice(NamedTuple):
    """An engine, and why it is that one."""

    name: str  # "torch" or "openvino"
    why: str


def open_engine(
    path: Path,
    *,
    device: str = "auto",
    engine: EngineName = "torch",
    precision: Precision = "fp32",
    compiled: bool = False,
) -> tuple[Engine, Settings]:
    """Return what computes the network of a weights file, and its settings.

    Args:
        path: of the file.
        device: "auto", "cpu", "cuda" ...
        engine: "auto" takes OpenVINO where `choose_engine` allows it, and PyTorch where it takes no graph
            of the network.
        precision: see `choose_engine`.
        compiled: whether PyTorch compiles the network first, see `TorchEngine`.

    Raises:
        InputError: the file is missing, damaged or foreign; the device or the engine is missing, or does not
            fit the network or the precision.
    """
    if compiled and precision != "fp32":
        both = f"--compile is of the engine torch, --precision {precision} of openvino"
        raise InputError(f"{both}: leave one of them out")
    if compiled and engine == "auto":
        engine = "torch"
    choice = choose_engine(path, device=device, engine=engine, precision=precision)
    if compiled and choice.name != "torch":
        raise InputError("--compile is of the engine torch, OpenVINO always compiles: leave it out")
    if choice.name == "openvino":
        try:
            return _open_openvino(path, precision)
        except InputError as error:
            if engine == "openvino" or precision != "fp32":
                raise
            _logger.warning("%s; PyTorch computes instead", error)
    return _open_torch(path, device, compiled=compiled)


def choose_engine(
    path: Path, *, device: str = "auto", engine: EngineName = "auto", precision: Precision = "fp32"
) -> Choice:
    """Return the engine for a weights file, and why, without torch.

    `precision` is that of the arithmetic: "bf16" and "int8" are OpenVINO's alone. Raises `InputError` where
    what is asked for does not go together.
    """
    for name, value, kind in (("engine", engine, EngineName), ("precision", precision, Precision)):
        if value not in get_args(kind):
            raise InputError(f"unknown {name} {value!r}: choose from {', '.join(get_args(kind))}")

    if engine == "torch" and precision == "fp32":
        return Choice("torch", "asked for")
    against = _against_openvino(path, device)
    if engine == "openvino" or precision != "fp32":
        if engine == "torch":
            raise InputError(f"--precision {precision} is of the engine openvino: leave --engine torch out")
        if against:
            raise InputError(f"the engine openvino cannot be used, {against[0]}: {against[1]}")
        return Choice("openvino", "asked for")
    return Choice("torch", against[0]) if against else Choice("openvino", "installed, and a CPU computes")


def _against_openvino(path: Path, device: str) -> tuple[str, str] | None:
    """Return why OpenVINO cannot compute the network of a file, and what to do; None: it can."""
    if not runtime.is_installed():
        return "OpenVINO is not installed", install_extra("fast")
    if device not in ("auto", "cpu") or (device == "auto" and _has_gpu()):
        return f"a GPU computes ({device})", "give --device cpu"

    settings, _ = read_settings(path)
    if settings.method == "cspnet":
        return "it has no graphs of CSPNet", "give --engine torch"
    return None


def _has_gpu() -> bool:
    """Whether there is a GPU that PyTorch would take; it is asked only where a driver is there."""
    if sys.platform != "win32" and not any(map(os.path.exists, GPU_DRIVERS)):
        return False
    if sys.platform == "win32" and not Path(os.environ.get("SYSTEMROOT", ""), "System32/nvcuda.dll").exists():
        return False
    from irnet.inference.devices import choose_device

    return choose_device("auto").type != "cpu"


def _open_torch(path: Path, device: str, *, compiled: bool) -> tuple[Engine, Settings]:
    from irnet.inference.devices import choose_device
    from irnet.inference.torch_engine import TorchEngine
    from irnet.inference.weights import load_weights

    chosen = choose_device(device)
    model, settings, _ = load_weights(path)
    opened = TorchEngine(model, chosen, precision=settings.train.precision, compiled=compiled)
    return opened, settings


def _open_openvino(path: Path, precision: Precision) -> tuple[Engine, Settings]:
    from irnet.inference.fast.engine import OpenVINOEngine

    runtime.load()
    runtime.check_precision(precision)
    settings, digest = read_settings(path)
    if precision == "int8":
        graphs, settings = _quantised(path, digest, settings)
    else:
        graphs = open_graphs(path, precision)

    engine = OpenVINOEngine(graphs, settings.model, precision)
    del graphs
    runtime.trim()
    return engine, settings


def _quantised(path: Path, digest: str, settings: Settings) -> tuple[dict[str, Graph], Settings]:
    """Return the graphs that `irnet quantise` has kept, and settings with the thresholds chosen for them."""
    kept = find_graphs(path, digest, "int8")
    if kept is None:
        name = "bundled" if path == BUNDLED else path
        raise InputError(
            f"{path.name} has not been made ready for 8-bit integers with OpenVINO "
            f"{runtime.installed_version()}: run {command('quantise', name)}"
        )
    point = OperatingPoint.model_validate(kept.said["point"])
    predict = settings.predict.model_copy(update=dict(point))
    return kept.graphs, settings.model_copy(update={"predict": predict})


def open_graphs(path: Path, precision: Precision = "fp32") -> dict[str, Graph]:
    """Return the graphs of a weights file, made with torch where they are not kept.

    Raises `InputError` where OpenVINO takes none.
    """
    digest = read_settings(path)[1]
    kept = find_graphs(path, digest, precision)
    return kept.graphs if kept else _make_graphs(path, digest, precision)


def _make_graphs(path: Path, digest: str, precision: Precision) -> dict[str, Graph]:
    """Return the graphs of a weights file, made with torch, and keep them for the next time."""
    from irnet.inference.fast.export import make_graphs
    from irnet.inference.weights import load_weights
    from irnet.models.irnet import IRNet

    with stage("making the graphs of the network, once"):
        model, _, _ = load_weights(path)
        assert isinstance(model, IRNet)
        graphs = make_graphs(model, precision)
    try:
        keep_graphs(path, digest, graphs, precision)
    except InputError as error:
        _logger.warning("the graphs of %s are made anew each time: %s", path.name, error)
    return graphs


def describe_engine(source: str | None = None) -> str:
    """Return, for people, what computes the weights of `source` (None: the bundled ones) here, and why."""
    path = find_weights(source)
    choice = choose_engine(path)
    if choice.name == "torch":
        return f"torch, fp32: {choice.why}"

    digest = read_settings(path)[1]
    kept, quantised = (find_graphs(path, digest, precision) for precision in ("fp32", "int8"))
    graphs = f"graphs in {kept.path}" if kept else "graphs are made at first use, with PyTorch"
    made = command("quantise", "bundled" if path == BUNDLED else path)
    int8 = f"int8 in {quantised.path}" if quantised else f"int8 after {made}"
    return f"openvino {runtime.installed_version()}, fp32: {choice.why}; {graphs}; {int8}"
