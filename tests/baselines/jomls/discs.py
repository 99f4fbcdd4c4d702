"""Scenes of discs with dark nuclei whose absorbances add, and their masks."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

CYTOPLASM_OD, NUCLEUS_OD = 0.1, 0.35
WHITE = 232.0


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> NDArray[np.bool_]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def photograph(
    cells: list[NDArray[np.bool_]], nuclei: list[NDArray[np.bool_]], noise: float = 1.5
) -> NDArray[np.uint8]:
    density = CYTOPLASM_OD * np.sum(cells, axis=0) + NUCLEUS_OD * np.sum(nuclei, axis=0)
    grey = WHITE * 10 ** -gaussian_filter(density, 0.7)
    grey += np.random.default_rng(0).normal(0, noise, grey.shape)
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())
