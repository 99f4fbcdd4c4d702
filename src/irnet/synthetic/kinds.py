"""Morphological types of cervical cells: sizes in um, outline, nucleus and stain.

Sizes: Bibbo, Comprehensive Cytopathology; medians of the Herlev set (Jantzen et al. 2005) for columnar and
dysplastic cells; Bethesda system for the nuclear areas of dysplasia.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One type. Pairs are mean and standard deviation of what one cell is drawn from."""

    name: str
    diameter_um: tuple[float, float]
    nucleus_um: tuple[float, float]  # diameter
    aspect: tuple[float, float]  # length over width of the cell
    polygonal: float  # share of straight edges and corners in the outline
    folds: float  # expected folded edges
    density: float  # optical density relative to a thin intermediate cell
    eosin: float  # probability of the eosinophilic stain
    pyknotic: float  # probability of a small, dark, uniform nucleus
    chromatin: float  # relative contrast of the chromatin
    irregular: float  # relative irregularity of the nuclear outline
    share: float  # of the cells of a field


KINDS = (
    Kind("superficial", (46, 5), (5.8, 0.6), (1.15, 0.12), 0.75, 0.5, 0.9, 0.6, 0.45, 0.6, 0.9, 0.30),
    Kind("intermediate", (44, 6), (8.2, 0.8), (1.18, 0.15), 0.55, 0.45, 1.0, 0.15, 0.1, 1.0, 0.6, 0.46),
    Kind("intermediate_small", (35, 4), (8.0, 0.8), (1.2, 0.18), 0.4, 0.5, 1.2, 0.15, 0.1, 1.0, 0.6, 0.08),
    Kind("parabasal", (21, 3.5), (8.2, 0.8), (1.12, 0.1), 0.1, 0.1, 1.9, 0.1, 0.05, 1.0, 0.5, 0.04),
    Kind("metaplastic", (24, 4), (8.6, 0.9), (1.25, 0.2), 0.25, 0.15, 1.8, 0.1, 0.05, 1.0, 0.6, 0.03),
    Kind("columnar", (15.5, 2), (8.0, 0.8), (1.9, 0.35), 0.1, 0.05, 1.7, 0.05, 0.0, 1.1, 0.6, 0.03),
    Kind("dysplastic_light", (36, 6), (14.5, 1.8), (1.15, 0.15), 0.35, 0.3, 1.1, 0.3, 0.0, 1.4, 1.3, 0.03),
    Kind("dysplastic_moderate", (22, 3.5), (13.2, 1.6), (1.2, 0.2), 0.15, 0.1, 1.6, 0.2, 0.0, 1.6, 1.6, 0.02),
    Kind(
        "dysplastic_severe", (17.5, 2.5), (12.0, 1.5), (1.3, 0.25), 0.1, 0.05, 1.9, 0.15, 0.0, 1.8, 2.0, 0.01
    ),
)
