"""95 % bootstrap intervals over images, or over patients where they are known (percentile method)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SAMPLES = 1000
LEVEL = 0.95


def sample_weights(
    images: int, patients: Sequence[str | None] | None, *, seed: int, samples: int = SAMPLES
) -> NDArray[np.int64]:
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


def interval(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Lower and upper end over the samples in which the score is defined; None where it never is."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None, None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _groups(images: int, patients: Sequence[str | None] | None) -> NDArray[np.int64]:
    keys = [("image", i) if p is None else ("patient", p) for i, p in enumerate(patients or [None] * images)]
    index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([index[key] for key in keys], dtype=np.int64)
