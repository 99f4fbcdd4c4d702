"""Where the graphs of a weights file are kept: beside it, or in the user's folder for caches."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from irnet.errors import InputError
from irnet.inference.engine import Precision
from irnet.inference.fast.runtime import Graph, installed_version
from irnet.inference.tensors import read_arrays, write_arrays

VERSION = 5  # of the graphs, and of what `engine.py` expects of them: older ones are made again
SUFFIX = ".openvino"


def key_of(digest: str, precision: Precision) -> dict[str, str | int]:
    """Return what graphs depend on: the weights (their digest), the engine, and how graphs are made."""
    made = {"weights": digest, "openvino": installed_version(), "version": VERSION}
    return made | {"precision": precision}


class Kept(NamedTuple):
    """A file of graphs."""

    path: Path
    graphs: dict[str, Graph]
    said: dict[str, Any]  # what else it says


def find_graphs(weights: Path, digest: str, precision: Precision = "fp32") -> Kept | None:
    """Return the file that holds the graphs of a weights file; None: there are none that fit.

    A damaged file, or one of other weights or another version, is none.
    """
    for path in _places(weights, digest, precision):
        try:
            arrays, meta = read_arrays(path)
        except InputError:
            continue
        if meta.get("key") == key_of(digest, precision):
            graphs = {}
            for name in meta["names"]:
                graphs[name] = Graph(arrays[f"{name}.xml"], arrays[f"{name}.bin"])
            return Kept(path, graphs, meta["said"])
    return None


def keep_graphs(
    weights: Path,
    digest: str,
    graphs: Mapping[str, Graph],
    precision: Precision = "fp32",
    said: Mapping[str, Any] | None = None,
) -> Path:
    """Write graphs, whole or not at all, and what is said of them where they are found again.

    Returns the file. Raises `InputError` where neither place may be written to.
    """
    arrays = {}
    for name, graph in graphs.items():
        arrays[f"{name}.xml"], arrays[f"{name}.bin"] = graph

    meta = {"kind": "graphs", "key": key_of(digest, precision), "names": list(graphs), "said": said or {}}
    *before, last = _places(weights, digest, precision)
    for path in before:
        try:
            write_arrays(path, arrays, meta)
        except InputError:
            continue
        return path
    write_arrays(last, arrays, meta)
    return last


def _places(weights: Path, digest: str, precision: Precision) -> list[Path]:
    suffix = SUFFIX if precision == "fp32" else f".{precision}{SUFFIX}"
    beside = weights.with_suffix(suffix)
    try:
        return [beside, cache_folder() / f"{digest[:16]}{suffix}"]
    except RuntimeError:  # a user without a home, as in containers
        return [beside]


def cache_folder() -> Path:
    """Return the user's folder for what irnet can make again, as the system has it.

    Raises `RuntimeError` where the user has none.
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "irnet")
