"""Which device computes, and in what precision."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch

from irnet.errors import InputError

EXHAUSTED = (  # how PyTorch's plain RuntimeErrors tell of memory that is missing
    "can't allocate memory",  # the CPU
    "not enough memory",  # the CPU of Windows
    "out of memory",  # MPS, and the libraries of CUDA
    "Invalid buffer size",  # MPS: one tensor larger than it takes
    "ALLOC_FAILED",  # cuBLAS and cuDNN
)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is the GPU where there is one.

    Raises `InputError` when the device is missing: a run that asked for a GPU never falls back to the CPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"--device {name}: unknown; use auto, cpu, cuda, cuda:1 or mps") from error

    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"--device {name}: PyTorch sees {torch.cuda.device_count()} CUDA devices; irnet doctor says why"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"--device {name}: Apple's Metal is not available here; use auto or cpu")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"--device {name}: not supported; use auto, cpu, cuda, cuda:1 or mps")
    return device


def describe_device(device: torch.device) -> str:
    """Return what computes, for people: the GPU's name and the processors beside it."""
    processors = f"{os.cpu_count()} processors ({platform.machine()})"
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {processors}"
    return processors if device.type == "cpu" else f"Apple GPU, {processors}"


def autocast(device: torch.device, precision: Literal["fp32", "bf16"]) -> AbstractContextManager:
    """Return the context of a forward pass: bf16 where it is safe, the weights stay fp32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Tell that a device is out of memory as Python does: anyone who handles it need not know torch."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in EXHAUSTED):
            raise MemoryError(str(error)) from error
        raise
