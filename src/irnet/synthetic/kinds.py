"""Morphological types of cervical cells: sizes in um, outline, nucleus and stain.

Sizes: Bibbo, Comprehensive Cytopathology; medians and spread of the Herlev set (Jantzen et al. 2005) for
columnar, dysplastic and malignant cells, whose nuclei there are half as dense as those of intermediate cells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Kind:
    """One type. Pairs are mean and standard deviation of what one cell is drawn from."""

    name: str
    diameter_um: tuple[float, float]
    nucleus_um: tuple[float, float]  # diameter
    aspect: tuple[float, float]  # length over width of the cell
    polygonal: float  # share of straight edges and corners in the outline
    folds: float  # relative number of creases and turned edges
    density: float  # optical density relative to a thin intermediate cell
    eosin: float  # probability of the eosinophilic stain
    pyknotic: float  # probability of a small, dark, uniform nucleus
    tone: float  # relative density of the nucleus
    chromatin: float  # relative contrast of the chromatin
    irregular: float  # relative irregularity of the nuclear outline
    clearing: float  # probability of a wide clear zone around the nucleus
    share: float  # of the cells of a common smear


SUPERFICIAL = Kind(
    "superficial", (49, 6), (6.6, 0.7), (1.15, 0.15), 0.80, 1.0, 0.85, 0.6, 0.35, 1.1, 0.7, 0.9, 0.02, 0.30
)
INTERMEDIATE = Kind(
    "intermediate", (45, 7), (8.9, 0.85), (1.2, 0.2), 0.65, 1.0, 1.0, 0.15, 0.04, 1.0, 1.0, 0.7, 0.04, 0.50
)
SMALL_INTERMEDIATE = Kind(
    "intermediate", (34, 4), (8.7, 0.8), (1.25, 0.25), 0.5, 0.8, 1.3, 0.15, 0.04, 1.0, 1.0, 0.7, 0.04, 0.12
)
PARABASAL = Kind(
    "parabasal", (21, 3.5), (8.4, 0.8), (1.12, 0.1), 0.15, 0.2, 1.9, 0.1, 0.04, 1.0, 1.0, 0.6, 0.05, 0.03
)
METAPLASTIC = Kind(
    "metaplastic", (24, 4), (8.6, 0.9), (1.25, 0.25), 0.45, 0.4, 1.8, 0.1, 0.03, 1.0, 1.0, 0.7, 0.03, 0.02
)
COLUMNAR = Kind(
    "columnar", (15.5, 2), (8.0, 0.8), (1.9, 0.35), 0.15, 0.1, 1.4, 0.05, 0.0, 0.5, 1.1, 0.6, 0.0, 0.01
)
LIGHT_DYSPLASTIC = Kind(
    "dysplastic_light", (31, 8), (15.5, 3), (1.15, 0.15), 0.4, 0.6, 0.95, 0.3, 0, 0.55, 1.3, 1.2, 0.25, 0.01
)
MODERATE_DYSPLASTIC = Kind(
    "dysplastic_moderate",
    (22, 4.5),
    (14, 2.7),
    (1.2, 0.2),
    0.25,
    0.3,
    1.1,
    0.2,
    0,
    0.55,
    1.3,
    1.5,
    0.05,
    0.005,
)
SEVERE_DYSPLASTIC = Kind(
    "dysplastic_severe", (17.5, 4), (12.3, 2.8), (1.3, 0.25), 0.2, 0.1, 1.1, 0.15, 0, 0.58, 1.3, 1.8, 0, 0.003
)
CARCINOMA_IN_SITU = Kind(
    "carcinoma_in_situ", (15, 3), (11.5, 2.4), (1.25, 0.2), 0.15, 0.1, 1.0, 0.1, 0, 0.5, 1.3, 1.6, 0, 0.002
)
KINDS = (
    SUPERFICIAL,
    INTERMEDIATE,
    SMALL_INTERMEDIATE,
    PARABASAL,
    METAPLASTIC,
    COLUMNAR,
    LIGHT_DYSPLASTIC,
    MODERATE_DYSPLASTIC,
    SEVERE_DYSPLASTIC,
    CARCINOMA_IN_SITU,
)

ABNORMAL = 0.3  # of the smears: atrophic, inflamed or dysplastic, with many small and odd cells
# Added there, in the order of KINDS.
ABNORMAL_SHARES = np.array([0, 0, 0.05, 0.12, 0.08, 0.05, 0.15, 0.08, 0.06, 0.05])
STEADINESS = 10.0  # how alike the smears are in their mixture (concentration of a Dirichlet distribution)


def draw_shares(rng: np.random.Generator, abnormal: float = ABNORMAL) -> NDArray[np.float64]:
    """Probabilities (10,) of the KINDS in one patient's smear, `abnormal` being that of an abnormal smear."""
    usual = np.array([kind.share for kind in KINDS])
    if rng.random() < abnormal:
        usual = usual + ABNORMAL_SHARES
    return rng.dirichlet(usual * STEADINESS)


def draw_kind(rng: np.random.Generator, shares: NDArray[np.float64], mpp: float) -> tuple[Kind, float]:
    """The kind of one cell, and its radius (px)."""
    kind = KINDS[rng.choice(len(KINDS), p=shares)]
    diameter = max(rng.normal(*kind.diameter_um), 1.15 * kind.nucleus_um[0])
    return kind, diameter / 2 / mpp
