"""Ratio: what every score of one image is, so that images pool by adding.

The image's own score is numerator / denominator. The score of a set is the mean of the images' scores, or
(pooled) the sum of the numerators over the sum of the denominators.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Ratio(NamedTuple):
    """A score and its weight. A denominator of 0 means that there was nothing to score: no value, not 0."""

    numerator: float
    denominator: float

    @property
    def value(self) -> float | None:
        """
        >>> Ratio(1, 4).value, Ratio(0, 4).value, Ratio(0, 0).value
        (0.25, 0.0, None)
        """
        return float(self.numerator / self.denominator) if self.denominator else None


def pool(ratios: Iterable[Ratio]) -> Ratio:
    """The sum of numerators over the sum of denominators; no ratio at all gives the undefined one.

    >>> pool([Ratio(1, 4), Ratio(3, 4), Ratio(0, 0)]).value
    0.5
    """
    parts = list(ratios)
    return Ratio(sum(r.numerator for r in parts), sum(r.denominator for r in parts))
