"""Clumps of cells (JOMLS, step a): super-pixels, hulls of their edges, two Gaussians, a level set."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import local_binary_pattern
from skimage.filters import sobel
from skimage.measure import regionprops
from skimage.morphology import disk, thin
from skimage.segmentation import quickshift

from irnet.baselines.jomls.levelset import edge_stop, evolve
from irnet.baselines.jomls.patch import number_pieces

Grey = NDArray[np.uint8]  # (h, w)
Mask = NDArray[np.bool_]  # (h, w)

# Lengths and areas in pixels of .37 um, constants of Lu et al. 2015 as their code runs.
RATIO, KERNEL, REACH = 0.5, 2, 10  # of the super-pixels: weight of grey, px of the kernel, px to a parent
EDGE = 0.03  # least step between super-pixels, grey in 0 ... 1
LEAST_EDGE = 100  # px of a connected edge, exclusive
ROUNDS = 10  # of fitting and relabelling
LEAST_RATIO = 0.5  # of exp(P(cell) - P(background)) to its largest value
ROUNDING = (1 / 255) ** 2 / 12  # variance of a rounded grey level: keeps covariances regular
LENGTH, PUSH = 5.0, -2.5  # weights of outline and area: a negative push grows
STEPS, LAST = 2 * 3, 2  # with the push, and without
LEAST_CLUMP = 1000  # px


class Gaussians(NamedTuple):
    """One Gaussian each for background and cells, over grey, gradient and texture."""

    means: NDArray[np.float64]  # (2, 3)
    covariances: NDArray[np.float64]  # (2, 3, 3)


def find_clumps(grey: Grey, gaussians: Gaussians | None = None) -> NDArray[np.int64]:
    """Label image (h, w) of the clumps, 0 for background, by given Gaussians or the image's own."""
    features = describe(grey)
    if gaussians is None:
        first = outline_clumps(grey)
        if first.all() or not first.any():
            return number_pieces(first)  # one class alone: nothing to tell apart
        gaussians = fit_gaussians(features.reshape(len(features), -1), first.ravel())
    cells = classify(features, gaussians)
    return drop_small(number_pieces(clean(cells, grey)), LEAST_CLUMP)


def outline_clumps(grey: Grey) -> Mask:
    """The first guess: filled convex hulls of the connected edges between super-pixels."""
    values = grey / 255
    pieces = quickshift(
        values[..., None], ratio=RATIO, kernel_size=KERNEL, max_dist=REACH, convert2lab=False
    )  # (h, w) labels

    # Edges where neighbours differ in mean grey
    levels = ndimage.mean(values, pieces, np.arange(pieces.max() + 1))[pieces]
    edges = ndimage.morphological_gradient(levels, footprint=disk(1)) >= EDGE

    hulls = np.zeros(grey.shape, dtype=bool)
    for region in regionprops(number_pieces(thin(edges, max_num_iter=1))):
        if region.area > LEAST_EDGE:
            hulls[region.slice] |= region.image_convex
    return hulls


def describe(grey: Grey) -> NDArray[np.float64]:
    """Features of each pixel, (3, h, w): grey, Sobel's gradient of 1 at most, local binary pattern."""
    gradient = sobel(grey / 255)
    pattern = local_binary_pattern(grey, P=8, R=1, method="uniform")
    gradient /= max(gradient.max(), np.finfo(float).tiny)
    return np.stack([grey / 255, gradient, pattern / 255], axis=0)


def fit_gaussians(features: NDArray[np.float64], cells: NDArray[np.bool_]) -> Gaussians:
    """Gaussians of maximum likelihood after ten rounds of fitting and relabelling.

    Args:
        features: (3, n), see `describe`.
        cells: (n,), the first guess; both classes must occur.
    """
    gaussians = _fit_classes(features, cells)
    for _ in range(ROUNDS - 1):
        cells = classify(features, gaussians)
        if min(np.count_nonzero(cells), np.count_nonzero(~cells)) <= len(features):
            break
        gaussians = _fit_classes(features, cells)
    return gaussians


def classify(features: NDArray[np.float64], gaussians: Gaussians) -> NDArray[np.bool_]:
    """Which pixels of features (3, ...) show cells, (...)."""
    background, cells = (_log_density(features, *pair) for pair in zip(*gaussians, strict=True))
    lead = np.exp(np.tanh((cells - background) / 2))  # exp(P(cell) - P(background)) at equal priors
    return lead > LEAST_RATIO * lead.max(initial=0)


def drop_small(labels: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """A label image (H, W) without the labels of fewer than `least` pixels."""
    return np.where(np.bincount(labels.ravel())[labels] >= least, labels, 0)


def clean(cells: Mask, grey: Grey) -> Mask:
    """The pixels of cells after a level set that rounds them off and draws them to edges."""
    g = edge_stop(grey.astype(np.float64))
    return evolve(cells, g, [(STEPS, PUSH * g), (LAST, 0 * g)], length=LENGTH)


def _fit_classes(features: NDArray[np.float64], cells: NDArray[np.bool_]) -> Gaussians:
    parts = (features[:, ~cells], features[:, cells])
    means = np.stack([part.mean(axis=1) for part in parts])
    spreads = np.stack([np.cov(part, bias=True) for part in parts])
    return Gaussians(means, spreads + ROUNDING * np.eye(len(features)))


def _log_density(
    features: NDArray[np.float64], mean: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithm of a Gaussian, up to a constant that all classes share, (...)."""
    root = np.linalg.cholesky(np.linalg.inv(covariance))  # (3, 3)
    centred = (features.T - mean).T  # (3, ...)
    distance = (np.tensordot(root.T, centred, axes=1) ** 2).sum(axis=0)
    return -(distance + np.linalg.slogdet(covariance)[1]) / 2
