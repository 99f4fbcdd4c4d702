"""How far a difference can be trusted: means over seeds, intervals by patient, paired differences.

Every row is drawn in the same bootstrap samples of patients, so that what is hard for all rows cancels in a
difference. Two sources of chance are kept apart: which patients were tested (the bootstrap, of scores that
are averaged over seeds) and how training went (the spread over seeds). Both enter the smallest difference
that can be resolved:

    standard error = sqrt(SE_patients^2 + s_seeds^2 / seeds)
    resolvable     = (z_.975 + z_.80) * standard error = 2.8 * standard error

A true difference of that size is found in 80 % of such studies by a two-sided test at 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.metrics.bootstrap import interval
from irnet.study.scoring import Ratios

RESOLVED_BY = 2.8  # standard errors: 1.96 (5 %, two-sided) + 0.84 (80 % power)

Draws = NDArray[np.float64]  # (samples,) nan where a sample leaves the score undefined


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """A score of a row: its value over all seeds, the 95 % interval by patient, and each seed's own value."""

    value: float | None
    low: float | None
    high: float | None
    seeds: tuple[float | None, ...]
    draws: Draws

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None with fewer than two."""
        return spread(self.seeds)

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the draws."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "seeds": [*self.seeds],
            "spread": self.spread,
        }


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row's score less the control's, in the same samples of patients and seed by seed."""

    value: float | None
    low: float | None
    high: float | None
    seeds: tuple[float | None, ...]
    patients_error: float | None  # standard error over the samples of patients

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None with fewer than two."""
        return spread(self.seeds)

    @property
    def seeds_error(self) -> float | None:
        """Standard error of the mean over seeds; None with one seed, where it is not known."""
        return None if self.spread is None else self.spread / math.sqrt(len(self.seeds))

    @property
    def half_width(self) -> float | None:
        """Half of the interval by patient."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def error(self) -> float | None:
        """Standard error from patients and, where it is known, from seeds."""
        return None if self.patients_error is None else math.hypot(self.patients_error, self.seeds_error or 0)

    @property
    def resolvable(self) -> float | None:
        """The smallest true difference that this number of patients and seeds finds with 80 % power."""
        return None if self.error is None else RESOLVED_BY * self.error

    @property
    def agreeing(self) -> int:
        """In how many seeds the difference has the sign of its mean."""
        return sum(s is not None and s * (self.value or 0) > 0 for s in self.seeds)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "half_width": self.half_width,
            "seeds": [*self.seeds],
            "spread": self.spread,
            "patients_error": self.patients_error,
            "seeds_error": self.seeds_error,
            "resolvable": self.resolvable,
        }


def image_mean(ratios: Ratios, weights: NDArray[np.int64]) -> Estimate:
    """Mean over the images of their scores, each averaged over the seeds first (the paper's way).

    `weights` (samples, images) are those of `scoring.patient_weights`.
    """
    known = ratios[:, :, 1] > 0  # (seeds, images)
    values = np.divide(ratios[:, :, 0], ratios[:, :, 1], out=np.zeros(known.shape), where=known)
    times = known.sum(axis=0)  # (images,)
    mean = np.divide(values.sum(axis=0), times, out=np.zeros(times.shape), where=times > 0)
    return _estimate(
        mean,
        (times > 0).astype(np.float64),
        weights,
        seeds=tuple(_divide(v.sum(), k.sum()) for v, k in zip(values, known, strict=True)),
    )


def pooled(ratios: Ratios, weights: NDArray[np.int64]) -> Estimate:
    """Sum of numerators over sum of denominators, over all images and seeds."""
    above, below = ratios.sum(axis=0).T  # (images,) each
    sums = ratios.sum(axis=1)  # (seeds, 2)
    return _estimate(above, below, weights, seeds=tuple(_divide(a, b) for a, b in sums))


def over_seeds(values: Sequence[float | None]) -> Estimate:
    """The mean of one value a seed, for scores that are no ratio (AP); no interval."""
    known = [value for value in values if value is not None]
    mean = sum(known) / len(known) if known else None
    return Estimate(value=mean, low=None, high=None, seeds=tuple(values), draws=np.zeros(0))


def difference(row: Estimate, control: Estimate) -> Difference:
    """`row` less `control`, paired by patient and by seed.

    A row without seeds of its own (one value) is compared with each seed of the other one.
    """
    draws = row.draws - control.draws
    low, high = interval(draws)
    defined = draws[np.isfinite(draws)]
    by_seed = tuple(_subtract(a, b) for a, b in _paired(row.seeds, control.seeds))
    return Difference(
        value=_subtract(row.value, control.value),
        low=low,
        high=high,
        seeds=by_seed,
        patients_error=float(defined.std(ddof=1)) if len(defined) > 1 else None,
    )


def relative_gain(value: float | None, control: float | None) -> float | None:
    """Gain over the control as a share of it, as the paper's percentages are.

    >>> round(relative_gain(0.7185, 0.6845), 4)
    0.0497
    """
    return None if value is None or not control else value / control - 1


def spread(values: Sequence[float | None]) -> float | None:
    """Standard deviation (n - 1) of the values that are known; None with fewer than two.

    >>> spread([1.0, 3.0, None]) == 2**0.5
    True
    """
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def _estimate(
    above: NDArray, below: NDArray, weights: NDArray[np.int64], *, seeds: tuple[float | None, ...]
) -> Estimate:
    """Sum over sum of the images, and its interval over the samples."""
    drawn_above, drawn_below = weights @ above, weights @ below
    draws = np.divide(drawn_above, drawn_below, out=np.full(len(weights), np.nan), where=drawn_below > 0)
    low, high = interval(draws)
    return Estimate(value=_divide(above.sum(), below.sum()), low=low, high=high, seeds=seeds, draws=draws)


def _paired(
    row: Sequence[float | None], control: Sequence[float | None]
) -> Iterator[tuple[float | None, float | None]]:
    """Seed by seed; a single value stands beside each of the other's, else the first seeds of both."""
    if len(row) == 1 or len(control) == 1:
        many = max(len(row), len(control))
        row, control = ([*part] * many if len(part) == 1 else part for part in (row, control))
    return zip(row, control, strict=False)


def _divide(above: float, below: float) -> float | None:
    return float(above / below) if below else None


def _subtract(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
