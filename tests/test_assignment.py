"""The solver of assignments is SciPy's own, wherever it is taken from."""

import subprocess
import sys

import numpy as np
import scipy.optimize

from irnet.assignment import linear_sum_assignment


def test_assignments_are_those_of_scipy() -> None:
    draw = np.random.default_rng(0)
    for _ in range(100):
        table = draw.integers(0, 4, draw.integers(1, 20, 2)).astype(float)  # many ties
        for maximize in (False, True):
            expected = scipy.optimize.linear_sum_assignment(table, maximize=maximize)
            assert np.array_equal(linear_sum_assignment(table, maximize=maximize), expected)


def test_without_the_optimisers_of_scipy() -> None:
    code = "import sys, irnet.assignment; sys.exit('scipy.optimize' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_scipy_that_is_laid_out_otherwise() -> None:
    code = (
        "import importlib.machinery as m; m.EXTENSION_SUFFIXES[:] = ['.none']\n"
        "import numpy, scipy.optimize._lsap\n"
        "from irnet.assignment import linear_sum_assignment as solve\n"
        "from scipy.optimize import linear_sum_assignment as theirs\n"
        "assert solve is theirs"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
