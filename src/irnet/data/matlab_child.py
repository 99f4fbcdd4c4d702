"""Reads a MATLAB file in a process of its own and writes what it holds to standard output.

`matlab.py` starts it: the libraries that parse these files are written in C, and a damaged file can make them
crash or hang. It imports nothing of irnet, so that it starts at once, and takes no more than MAX_MEMORY where
the system can hold it to that (Linux).

Values come as lines of JSON: {"name": ...} before a variable, {"cell": n} before n values, {"array": shape,
"dtype": ...} before the array's bytes in C order, {"other": ...} for what is none of these; at last
{"end": true} or {"error": ...}.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

# Bytes of address space: scipy holds all that a MATLAB 5 file has, h5py one item at a time.
MAX_MEMORY = {"mat": 2**32, "hdf5": 2**30}
MAX_ITEM = 2**28  # bytes of one item of the outermost cell array: the masks of a field
MAX_ARRAY = 2**26  # bytes of one mask or image; the public sets have fields of 512 x 512 px
MAX_CELLS = 100_000  # items of a cell array
MAX_DEPTH = 3  # of cell arrays in cell arrays


class Refused(Exception):  # noqa: N818
    """The file is not what it should be; the message says what."""


def main(kind: str, path: str, name: str) -> None:
    """Write the cell arrays of a MATLAB 5 file ("mat"), or the one called `name` of a 7.3 file ("hdf5")."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between
    _limit(MAX_MEMORY[kind])
    writer = _Writer(out)
    try:
        (writer.put_mat if kind == "mat" else writer.put_hdf5)(path, name)
        writer.send(end=True)
    except Refused as refusal:
        writer.send(error=str(refusal))
    except MemoryError:
        writer.send(error=f"it holds more than {MAX_MEMORY[kind] // 2**30} GiB can take")
    except Exception as error:  # a broken file can raise anything in the library
        writer.send(error=f"no MATLAB file, or a damaged one ({error})")
    out.flush()


class _Writer:
    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self.spent = 0  # bytes of the present item

    def send(self, **fields: Any) -> None:
        self.out.write(json.dumps(fields).encode() + b"\n")

    def put_mat(self, path: str, _: str) -> None:
        from scipy.io import loadmat

        try:
            variables = loadmat(path)
        except NotImplementedError:
            raise Refused("MATLAB 7.3 is not read: save it in MATLAB with '-v7'") from None
        for name, value in variables.items():
            if _is_cell_array(value):
                self.send(name=name)
                self._put_cells(value.ravel(), value.size, self._put_value, depth=1)

    def put_hdf5(self, path: str, name: str) -> None:
        import h5py

        with h5py.File(path, "r") as file:
            found = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
            if not isinstance(found, h5py.Dataset) or found.dtype != h5py.ref_dtype:
                raise Refused(f"it must hold one cell array named {name}")
            self._put_references(found, depth=1)

    def _put_value(self, value: Any, depth: int) -> None:
        if _is_cell_array(value):
            self._put_cells(value.ravel(), value.size, self._put_value, depth)
        elif getattr(getattr(value, "dtype", None), "kind", "") in tuple("bui"):
            self._put_array(value)
        else:
            self.send(other=type(value).__name__)

    def _put_cells(self, items: Iterable[Any], count: int, put: Any, depth: int) -> None:
        if count > MAX_CELLS or depth > MAX_DEPTH:
            raise Refused(f"a cell array of {count:,} items, {depth} deep")
        self.send(cell=count)
        for item in items:
            if depth == 1:
                self.spent = 0
            put(item, depth + 1)

    def _put_references(self, dataset: Any, depth: int) -> None:
        if dataset.size > MAX_CELLS:
            raise Refused(f"a cell array of {dataset.size:,} items")
        self._put_cells(_followed(dataset), dataset.size, self._put_dataset, depth)

    def _put_dataset(self, dataset: Any, depth: int) -> None:
        shape = getattr(dataset, "shape", None)
        if shape is not None and "MATLAB_empty" in dataset.attrs:
            self.send(cell=0)
        elif shape is not None and dataset.dtype == object:
            self._put_references(dataset, depth)
        elif not shape or dataset.is_virtual or dataset.external or dataset.dtype.kind not in "bui":
            self.send(other=str(getattr(dataset, "dtype", type(dataset).__name__)))
        else:
            self._spend(dataset.size * dataset.dtype.itemsize)
            self._put_array(dataset[()].T, spent=True)  # HDF5 stores MATLAB's arrays transposed

    def _put_array(self, array: Any, *, spent: bool = False) -> None:
        if not spent:
            self._spend(array.nbytes)
        plain = array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
        self.send(array=plain.shape, dtype=plain.dtype.str)
        self.out.write(plain.tobytes())

    def _spend(self, size: int) -> None:
        self.spent += size
        if size > MAX_ARRAY:
            raise Refused(f"an image or a mask of more than {MAX_ARRAY // 2**20} MiB")
        if self.spent > MAX_ITEM:
            raise Refused(f"a field of more than {MAX_ITEM // 2**20} MiB")


def _followed(dataset: Any) -> Iterator[Any]:
    return (dataset.file[reference] for reference in dataset[()].ravel())


def _is_cell_array(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") == "O"


def _limit(memory: int) -> None:
    """Hold this process to so many bytes, and keep it from leaving a core file, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


if __name__ == "__main__":
    main(*sys.argv[1:])
