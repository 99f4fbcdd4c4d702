"""The spread over seeds that the rows of a table share: one row has too few seeds to tell its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from irnet.metrics.statistics import Difference


def share_spreads(rows: Mapping[str, Mapping[str, Difference]]) -> dict[str, dict[str, Difference]]:
    """Differences of rows to one control, by row and figure, each figure with the spread that all share.

    All rows, the control as well, are taken to vary alike once their means and what a seed does to all of
    them are known: the spread of a difference is sqrt(2) times that of these residuals (two-way analysis of
    variance). It is the same whichever row is the control; of one row alone it is its own.
    """
    shared = {}
    for figure in dict.fromkeys(name for parts in rows.values() for name in parts):
        shared[figure] = _shared_spread([parts[figure] for parts in rows.values() if figure in parts])

    found = {}
    for row, parts in rows.items():
        found[row] = {name: replace(part, shared_spread=shared[name]) for name, part in parts.items()}
    return found


def _shared_spread(differences: Sequence[Difference]) -> float | None:
    """From the residuals beside row and seed; None where nothing is left beyond these."""
    rows, seeds, values = [], [], []
    for row, part in enumerate(differences):
        known = [(seed, value) for seed, value in enumerate(part.seeds) if value is not None]
        rows += [row] * len(known)
        seeds += [seed for seed, _ in known]
        values += [value for _, value in known]

    # The control, which has no difference to itself.
    with_control = sorted(set(seeds))
    rows += [len(differences)] * len(with_control)
    seeds += with_control
    values += [0.0] * len(with_control)

    means = np.hstack([np.equal.outer(part, np.unique(part)) for part in (rows, seeds)]).astype(np.float64)
    fitted, _, rank, _ = np.linalg.lstsq(means, np.array(values), rcond=None)
    freedom = len(values) - int(rank)
    return math.sqrt(2 * float(np.sum((values - means @ fitted) ** 2)) / freedom) if freedom else None
