"""Best assignments by SciPy's solver, without what else `scipy.optimize` imports.

The package imports all optimisers of SciPy, and with them half of what SciPy is: half a second, most of what
a prediction imports beside NumPy. The solver is a file of compiled code that needs none of it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from typing import Any

import scipy


def _solver() -> Callable[..., Any]:
    """The function of the solver's own file, or that of the package where SciPy is laid out otherwise."""
    folder = Path(scipy.__file__).parent / "optimize"
    try:
        path = next(path for end in EXTENSION_SUFFIXES if (path := folder / f"_lsap{end}").exists())
        loader = ExtensionFileLoader("_lsap", str(path))
        spec = importlib.util.spec_from_file_location("_lsap", path, loader=loader)
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        loader.exec_module(module)
        return module.linear_sum_assignment
    except (StopIteration, ImportError, AttributeError):
        from scipy.optimize import linear_sum_assignment

        return linear_sum_assignment


linear_sum_assignment = _solver()
