"""Whichever way PyTorch says that memory is missing, Python's MemoryError comes out."""

import pytest
import torch

from irnet.inference.devices import memory_errors

MESSAGES = [
    "DefaultCPUAllocator: not enough memory: you tried to allocate 4000000000 bytes.",
    "MPS backend out of memory (MPS allocated: 18.00 GiB, max allowed: 18.13 GiB)",
    "Invalid buffer size: 19.45 GB",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
]


def test_the_cpu_runs_out_of_memory():
    with pytest.raises(MemoryError, match="allocate"), memory_errors():
        torch.empty(2**60, dtype=torch.uint8)


def test_cuda_runs_out_of_memory():
    with pytest.raises(MemoryError, match="tried to"), memory_errors():
        raise torch.OutOfMemoryError("CUDA: tried to allocate 20 GiB")


@pytest.mark.parametrize("message", MESSAGES)
def test_other_devices_run_out_of_memory(message: str):
    with pytest.raises(MemoryError), memory_errors():
        raise RuntimeError(message)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shape"), memory_errors():
        raise RuntimeError("shape mismatch")
