"""Scores that can be resampled by field or by source, and compared in pairs.

A score is a sum over parts, each of a field and of a source (the cell that it was cut out of). A sample draws
fields, or sources, as often as there are, and counts each part as often as its unit was drawn. A part without
a source (-1) counts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from irnet.metrics.coco_ap import PooledRanking
from irnet.metrics.statistics import interval, sample_weights

SEED = 0
Z = 1.96

Units = Mapping[str, NDArray[np.int64]]  # "fields", "sources" -> unit (k,) of each part
Weights = NDArray[np.int64]  # (samples, units)


class Score(Protocol):
    """Anything that has a value in each sample."""

    def drawn(self, kind: str, weights: Weights) -> NDArray[np.float64]:
        """Its value (samples,) where units of `kind` count so often; nan where undefined."""
        ...


@dataclass(frozen=True, eq=False)
class Share:
    """Sum over sum."""

    above: NDArray[np.float64]  # (k,)
    below: NDArray[np.float64]  # (k,)
    units: Units
    counted: bool = False  # k of n things: told so

    @classmethod
    def of(cls, above: NDArray, below: NDArray, fields: NDArray[np.int64], *, counted: bool = False) -> Self:
        """A share whose parts have a field and no source."""
        return cls(above.astype(float), below.astype(float), {"fields": fields}, counted)

    def drawn(self, kind: str, weights: Weights) -> NDArray[np.float64]:
        """See `Score`."""
        if kind not in self.units:
            return np.full(len(weights), np.nan)
        counts = _counts(weights, self.units[kind])
        above, below = counts @ self.above, counts @ self.below
        return np.divide(above, below, out=np.full(len(weights), np.nan), where=below > 0)


@dataclass(frozen=True, eq=False)
class Median:
    """Median of a value of each part."""

    values: NDArray[np.float64]  # (k,)
    units: Units

    def drawn(self, kind: str, weights: Weights) -> NDArray[np.float64]:
        """See `Score`."""
        counts = _counts(weights, self.units[kind])
        samples = (np.repeat(self.values, row) for row in counts)
        return np.array([np.median(sample) if len(sample) else np.nan for sample in samples])


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Mask AP .50:.95; its ranking has fields alone."""

    ranking: PooledRanking

    def drawn(self, kind: str, weights: Weights) -> NDArray[np.float64]:
        """See `Score`."""
        if kind != "fields":
            return np.full(len(weights), np.nan)
        areas = (self.ranking.average_precision(row) for row in weights)
        return np.array([np.nan if area is None else area.mean() for area in areas])


class Bench:
    """Prints scores with intervals over units of each kind; `counts` says how many units there are."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self.weights = {kind: sample_weights(n, None, seed=SEED) for kind, n in counts.items()}

    def table(self, scores: Mapping[str, Score], others: Mapping[str, Score] | None = None) -> str:
        """The scores as a table in Markdown; with `others` both and what these have more, in pairs."""
        titles = ["score", "value", *(["other", "difference"] if others else [])]
        kinds = [f"95 % over {n} {kind}" for kind, n in self.counts.items()]
        rows = [[*titles, *kinds], ["---"] * (len(titles) + len(kinds))]
        for name, score in scores.items():
            rows.append([name, *self._row(score, others.get(name) if others else None)])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def _row(self, score: Score, other: Score | None) -> Sequence[str]:
        mine, theirs = self._value(score), None if other is None else self._value(other)
        ranges = []
        for kind, weights in self.weights.items():
            drawn = score.drawn(kind, weights)
            if other is not None:
                drawn = other.drawn(kind, weights) - drawn
            ranges.append("[{}, {}]".format(*map(_figure, interval(drawn))))
        if other is None or theirs is None:
            return [_told(score, mine), *ranges]
        return [_told(score, mine), _told(other, theirs), f"{theirs - mine:+.3f}", *ranges]

    def _value(self, score: Score) -> float:
        kind, n = next(iter(self.counts.items()))
        return float(score.drawn(kind, np.ones((1, n), dtype=np.int64))[0])


def _counts(weights: Weights, units: NDArray[np.int64]) -> Weights:
    """How often each part counts, (samples, k)."""
    return np.pad(weights, ((0, 0), (0, 1)), constant_values=1)[:, units]


def _told(score: Score, value: float) -> str:
    """The value, of a counted share with k / n and Wilson's interval."""
    if not (isinstance(score, Share) and score.counted and score.below.sum()):
        return _figure(value)
    k, n = score.above.sum(), score.below.sum()
    middle, half = (value + Z**2 / (2 * n)), Z * np.sqrt(value * (1 - value) / n + (Z / (2 * n)) ** 2)
    low, high = (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)
    return f"{value:.3f} ({k:.0f} / {n:.0f}: {max(low, 0):.3f}, {min(high, 1):.3f})"


def _figure(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.3f}"
