"""Where the graphs of a weights file are kept: beside it, or in the user's folder for caches."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from irnet.errors import InputError
from irnet.inference.fast.runtime import Graph, installed_version
from irnet.inference.tensors import read_arrays, write_arrays

VERSION = 2  # of the graphs, and of what `engine.py` expects of them: older ones are made again
SUFFIX = ".openvino"


def key_of(digest: str) -> dict[str, str | int]:
    """Return what graphs depend on: the weights (their digest), the engine, and how graphs are made."""
    return {"weights": digest, "openvino": installed_version(), "version": VERSION}


def find_graphs(weights: Path, digest: str) -> tuple[Path, dict[str, Graph]] | None:
    """Return the file that holds the graphs of a weights file, and them; None: there are none that fit.

    A damaged file, or one of other weights or another version, is none.
    """
    for path in _places(weights, digest):
        try:
            arrays, meta = read_arrays(path)
        except InputError:
            continue
        if meta.get("key") == key_of(digest):
            names = meta["names"]
            return path, {name: Graph(arrays[f"{name}.xml"], arrays[f"{name}.bin"]) for name in names}
    return None


def keep_graphs(weights: Path, digest: str, graphs: Mapping[str, Graph]) -> Path:
    """Write graphs, whole or not at all, where they are found again; return the file.

    Raises `InputError` where neither place may be written to.
    """
    arrays = {}
    for name, graph in graphs.items():
        arrays[f"{name}.xml"], arrays[f"{name}.bin"] = graph

    *before, last = _places(weights, digest)
    for path in before:
        try:
            write_arrays(path, arrays, {"kind": "graphs", "key": key_of(digest), "names": list(graphs)})
        except InputError:
            continue
        return path
    write_arrays(last, arrays, {"kind": "graphs", "key": key_of(digest), "names": list(graphs)})
    return last


def _places(weights: Path, digest: str) -> tuple[Path, Path]:
    return weights.with_suffix(SUFFIX), cache_folder() / f"{digest[:16]}{SUFFIX}"


def cache_folder() -> Path:
    """Return the user's folder for what irnet can make again, as the system has it."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "irnet")
