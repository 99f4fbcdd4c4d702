"""Morphological types of cervical cells: sizes in um, outline, nucleus and stain.

Sizes: Bibbo, Comprehensive Cytopathology; medians and spread of the Herlev set (Jantzen et al. 2005) for
columnar, dysplastic and malignant cells, whose nuclei there are half as dense as those of intermediate cells.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

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
    tones: float = 0.22  # log-deviation of the density between nuclei


SUPERFICIAL = Kind(
    "superficial",
    diameter_um=(49, 6),
    nucleus_um=(6.6, 0.7),
    aspect=(1.15, 0.15),
    polygonal=0.80,
    folds=1.0,
    density=0.85,
    eosin=0.6,
    pyknotic=0.35,
    tone=1.1,
    chromatin=0.7,
    irregular=0.9,
    clearing=0.02,
    share=0.30,
)
INTERMEDIATE = Kind(
    "intermediate",
    diameter_um=(45, 7),
    nucleus_um=(8.9, 0.85),
    aspect=(1.2, 0.2),
    polygonal=0.65,
    folds=1.0,
    density=1.0,
    eosin=0.15,
    pyknotic=0.04,
    tone=1.0,
    chromatin=1.0,
    irregular=0.7,
    clearing=0.04,
    share=0.50,
)
SMALL_INTERMEDIATE = Kind(
    "intermediate",
    diameter_um=(34, 4),
    nucleus_um=(8.7, 0.8),
    aspect=(1.25, 0.25),
    polygonal=0.5,
    folds=0.8,
    density=1.3,
    eosin=0.15,
    pyknotic=0.04,
    tone=1.0,
    chromatin=1.0,
    irregular=0.7,
    clearing=0.04,
    share=0.12,
)
PARABASAL = Kind(
    "parabasal",
    diameter_um=(21, 3.5),
    nucleus_um=(8.4, 0.8),
    aspect=(1.12, 0.1),
    polygonal=0.15,
    folds=0.2,
    density=1.9,
    eosin=0.1,
    pyknotic=0.04,
    tone=1.0,
    chromatin=1.0,
    irregular=0.6,
    clearing=0.05,
    share=0.03,
)
METAPLASTIC = Kind(
    "metaplastic",
    diameter_um=(24, 4),
    nucleus_um=(8.6, 0.9),
    aspect=(1.25, 0.25),
    polygonal=0.45,
    folds=0.4,
    density=1.8,
    eosin=0.1,
    pyknotic=0.03,
    tone=1.0,
    chromatin=1.0,
    irregular=0.7,
    clearing=0.03,
    share=0.02,
)
COLUMNAR = Kind(
    "columnar",
    diameter_um=(15.5, 2),
    nucleus_um=(8.0, 0.8),
    aspect=(1.9, 0.35),
    polygonal=0.15,
    folds=0.1,
    density=1.4,
    eosin=0.05,
    pyknotic=0.0,
    tone=0.5,
    chromatin=1.1,
    irregular=0.6,
    clearing=0.0,
    share=0.01,
)
LIGHT_DYSPLASTIC = Kind(
    "dysplastic_light",
    diameter_um=(31, 8),
    nucleus_um=(15.5, 3),
    aspect=(1.15, 0.15),
    polygonal=0.4,
    folds=0.6,
    density=0.95,
    eosin=0.3,
    pyknotic=0,
    tone=0.55,
    chromatin=1.3,
    irregular=1.2,
    clearing=0.25,
    share=0.01,
    tones=0.4,
)
MODERATE_DYSPLASTIC = Kind(
    "dysplastic_moderate",
    diameter_um=(22, 4.5),
    nucleus_um=(14, 2.7),
    aspect=(1.2, 0.2),
    polygonal=0.25,
    folds=0.3,
    density=1.1,
    eosin=0.2,
    pyknotic=0,
    tone=0.55,
    chromatin=1.3,
    irregular=1.5,
    clearing=0.05,
    share=0.005,
    tones=0.4,
)
SEVERE_DYSPLASTIC = Kind(
    "dysplastic_severe",
    diameter_um=(17.5, 4),
    nucleus_um=(12.3, 2.8),
    aspect=(1.3, 0.25),
    polygonal=0.2,
    folds=0.1,
    density=1.1,
    eosin=0.15,
    pyknotic=0,
    tone=0.58,
    chromatin=1.3,
    irregular=1.8,
    clearing=0,
    share=0.003,
    tones=0.4,
)
CARCINOMA_IN_SITU = Kind(
    "carcinoma_in_situ",
    diameter_um=(15, 3),
    nucleus_um=(11.5, 2.4),
    aspect=(1.25, 0.2),
    polygonal=0.15,
    folds=0.1,
    density=1.0,
    eosin=0.1,
    pyknotic=0,
    tone=0.5,
    chromatin=1.3,
    irregular=1.6,
    clearing=0,
    share=0.002,
    tones=0.4,
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

# What lies in crowds of small cells: mostly severe dysplasia, also healthy glands and parabasal cells.
CROWDED = (SEVERE_DYSPLASTIC, CARCINOMA_IN_SITU, MODERATE_DYSPLASTIC, SEVERE_DYSPLASTIC, COLUMNAR, PARABASAL)

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
    return kind, _draw_radius(rng, kind, mpp)


def draw_crowd(rng: np.random.Generator, mpp: float) -> Callable[[], tuple[Kind, float]]:
    """What draws kind and radius (px) of each cell of one crowd: one kind, darker than elsewhere."""
    kind = CROWDED[rng.integers(len(CROWDED))]
    diameter, spread = kind.nucleus_um
    crowd = replace(
        kind,
        nucleus_um=(diameter * rng.uniform(0.8, 1.05), spread * rng.uniform(0.5, 1)),
        density=kind.density * rng.uniform(0.4, 1.3),
        tone=kind.tone * rng.uniform(1.0, 2.2),
        eosin=float(rng.random() < 0.25),
        chromatin=kind.chromatin * rng.uniform(1, 1.5),
        tones=0.25,
    )
    return lambda: (crowd, _draw_radius(rng, crowd, mpp))


def _draw_radius(rng: np.random.Generator, kind: Kind, mpp: float) -> float:
    return max(rng.normal(*kind.diameter_um), 1.15 * kind.nucleus_um[0]) / 2 / mpp
