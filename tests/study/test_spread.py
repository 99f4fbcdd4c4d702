"""The spread over seeds that rows share, against a two-way analysis of variance by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from irnet.metrics.statistics import difference, over_seeds
from irnet.study.spread import share_spreads


def test_rows_share_the_spread_that_is_left_beside_row_and_seed():
    control = over_seeds([0.5, 0.6, 0.4])
    steady = over_seeds([0.6, 0.7, 0.5])
    restless = over_seeds([0.6, 0.9, 0.5])
    rows = {"control": control, "steady": steady, "restless": restless}
    table = np.array([row.seeds for row in rows.values()])
    residuals = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    spread = math.sqrt(2 * np.sum(residuals**2) / 4)  # of two rows, from (3 - 1) (3 - 1) degrees of freedom

    for base in rows.values():  # whichever is the control
        others = {key: {"aji": difference(row, base)} for key, row in rows.items() if row is not base}
        shared = share_spreads(others)
        assert [part["aji"].shared_spread for part in shared.values()] == pytest.approx([spread] * 2)
        assert shared[next(iter(shared))]["aji"].seeds_error == pytest.approx(spread / math.sqrt(3))

    own = difference(restless, control)
    shared = share_spreads({"restless": {"aji": own}})
    assert shared["restless"]["aji"].shared_spread == pytest.approx(own.spread)


def test_seeds_that_are_not_finished_take_no_part_in_the_shared_spread():
    control = over_seeds([0.5, 0.5, 0.5])
    whole = difference(over_seeds([0.6, 0.7, 0.8]), control)
    alone = replace(whole, seeds=(0.3, None, None))
    shared = share_spreads({"whole": {"aji": whole}, "alone": {"aji": alone}})
    assert shared["whole"]["aji"].shared_spread == pytest.approx(whole.spread)  # one seed has no residual
    assert shared["alone"]["aji"].seeds_error == pytest.approx(whole.spread)


@pytest.mark.parametrize("seeds", [(0.3, None, None), (None, None, None)])
def test_one_seed_or_none_says_nothing_of_the_spread(seeds):
    control = over_seeds([0.5, 0.5, 0.5])
    part = replace(difference(over_seeds([0.6, 0.7, 0.8]), control), seeds=seeds)
    assert share_spreads({"row": {"aji": part}})["row"]["aji"].seeds_error is None
