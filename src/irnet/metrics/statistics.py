"""How far a score can be trusted: bootstrap intervals, means over seeds, paired differences.

Intervals are 95 % percentile bootstraps over patients, or over images where these name none. All scores of a
set are drawn in the same samples, so that what is hard for two methods cancels in their difference. Two
sources of chance are kept apart: which patients were tested (the bootstrap, of scores that are averaged over
seeds) and how training went (the spread over seeds). Both enter the smallest difference that can be resolved:

    standard error = sqrt(SE_patients^2 + s_seeds^2 / seeds)
    resolvable     = (z_.975 + z_.80) * standard error = 2.8 * standard error

A true difference of that size is found in 80 % of such studies by a two-sided test at 5 %. s_seeds of three
seeds is itself wrong by half, so that the rows of a table share one (`study.spread`).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from irnet.wording import UNKNOWN

SAMPLES = 1000
LEVEL = 0.95
RESOLVED_BY = 2.8  # standard errors: 1.96 (5 %, two-sided) + 0.84 (80 % power)

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]  # as a file may hold it
Ratios = NDArray[np.float64]  # (seeds, images, 2) numerators and denominators; 0 / 0 is undefined
Weights = NDArray[np.int64]  # (samples, images) how often each sample draws each image
Draws = NDArray[np.float64]  # (samples,) nan where a sample leaves the score undefined


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A score and its 95 % interval; None is undefined."""

    value: Number | None
    low: Number | None = None
    high: Number | None = None

    def text(self, number: Callable[[float], str] = "{:.3f}".format, unknown: str = UNKNOWN) -> str:
        """The value, and the interval in brackets where there is one.

        >>> Estimate(value=0.5, low=0.25, high=0.75).text(), Estimate(value=None).text()
        ('0.500 [0.250, 0.750]', '–')
        """
        if self.value is None:
            return unknown
        if self.low is None or self.high is None:
            return number(self.value)
        return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"


@dataclass(frozen=True, eq=False, kw_only=True)
class SeededEstimate(Estimate):
    """A score over all seeds, each seed's own value, and the score in every sample."""

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
class Difference(Estimate):
    """A row's score less the control's, in the same samples of patients and seed by seed."""

    seeds: tuple[float | None, ...]
    patients_error: float | None  # standard error over the samples of patients
    shared_spread: float | None = None  # standard deviation over seeds, from all rows of a table

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None with fewer than two."""
        return spread(self.seeds)

    @property
    def seeds_error(self) -> float | None:
        """Standard error of the mean over seeds, by the shared spread if there is one; None if unknown."""
        likely = self.spread if self.shared_spread is None else self.shared_spread
        return None if likely is None else likely / math.sqrt(len(self.seeds) - self.unknown)

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
    def unknown(self) -> int:
        """In how many seeds the difference is not known, as of those that are not finished."""
        return sum(s is None for s in self.seeds)

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
            "shared_spread": self.shared_spread,
            "patients_error": self.patients_error,
            "seeds_error": self.seeds_error,
            "resolvable": self.resolvable,
        }


def sample_weights(
    images: int, patients: Sequence[str | None] | None, *, seed: int, samples: int = SAMPLES
) -> Weights:
    """How often each image is drawn in each sample, (samples, images).

    Images of one patient are drawn together; an image without a patient stands for itself. Fewer than two
    images or patients give no sample: nothing is known of their spread.
    """
    groups = _groups(images, patients)
    count = int(groups.max(initial=-1)) + 1
    if count < 2:
        return np.zeros((0, images), dtype=np.int64)

    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=samples)
    return drawn[:, groups].astype(np.int64)


def interval(values: Draws) -> tuple[float | None, float | None]:
    """Lower and upper end over the samples (samples,) that define the score; None where none does."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None, None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def image_mean(ratios: Ratios, weights: Weights) -> SeededEstimate:
    """Mean over the images that define the score, each averaged over the seeds first (the paper's way).

    `ratios` (seeds, images, 2) are numerators and denominators, `weights` (samples, images) those of
    `sample_weights`.
    """
    known = ratios[:, :, 1] > 0  # (seeds, images)
    values = np.divide(ratios[:, :, 0], ratios[:, :, 1], out=np.zeros(known.shape), where=known)

    # Of each image the mean over the seeds that define its score: (images,)
    times = known.sum(axis=0)
    mean = np.divide(values.sum(axis=0), times, out=np.zeros(times.shape), where=times > 0)

    seeds = tuple(_divide(v.sum(), k.sum()) for v, k in zip(values, known, strict=True))
    return _estimate(mean, (times > 0).astype(np.float64), weights, seeds)


def pooled(ratios: Ratios, weights: Weights) -> SeededEstimate:
    """Sum of numerators over sum of denominators, over all images and seeds; `ratios` (seeds, images, 2)."""
    above, below = ratios.sum(axis=0).T  # (images,) each
    sums = ratios.sum(axis=1)  # (seeds, 2)
    return _estimate(above, below, weights, tuple(_divide(a, b) for a, b in sums))


def over_seeds(values: Sequence[float | None]) -> SeededEstimate:
    """The mean of one value a seed, for scores that are no ratio (AP); no interval."""
    known = [value for value in values if value is not None]
    mean = sum(known) / len(known) if known else None
    return SeededEstimate(value=mean, seeds=tuple(values), draws=np.zeros(0))


def difference(row: SeededEstimate, control: SeededEstimate) -> Difference:
    """`row` less `control`, paired by patient and by seed.

    A row without seeds of its own (one value) is compared with each seed of the other one. Otherwise both
    have the same seeds, None for one that is not finished; ValueError for different numbers of them.
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


def _groups(images: int, patients: Sequence[str | None] | None) -> NDArray[np.int64]:
    """The number of each image's patient, (images,); without one it is a patient of its own."""
    keys = [("image", i) if p is None else ("patient", p) for i, p in enumerate(patients or [None] * images)]
    index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([index[key] for key in keys], dtype=np.int64)


def _estimate(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    weights: Weights,
    seeds: tuple[float | None, ...],
) -> SeededEstimate:
    """Sum over sum of the images, (images,) each, and its interval over the samples."""
    drawn_above, drawn_below = weights @ above, weights @ below  # (samples,) each
    draws = np.divide(drawn_above, drawn_below, out=np.full(len(weights), np.nan), where=drawn_below > 0)
    low, high = interval(draws)
    value = _divide(above.sum(), below.sum())
    return SeededEstimate(value=value, low=low, high=high, seeds=seeds, draws=draws)


def _paired(
    row: Sequence[float | None], control: Sequence[float | None]
) -> Iterator[tuple[float | None, float | None]]:
    """Seed by seed; a single value stands beside each of the other's."""
    if len(row) == 1 or len(control) == 1:
        many = max(len(row), len(control))
        row, control = ([*part] * many if len(part) == 1 else part for part in (row, control))
    return zip(row, control, strict=True)


def _divide(above: float, below: float) -> float | None:
    return float(above / below) if below else None


def _subtract(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
