"""Stains and light: absorbances of layers add up (Beer-Lambert), and each patient has a stain of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Raster = NDArray[np.floating]
Colour = NDArray[np.float32]  # (3,) optical density of R, G, B
Palette = Literal["pap", "pale", "vivid", "strong", "grey"]

EDGE = 3  # px: half the width over which a cell that hides others begins to
WHITE_DENSITY: Colour = np.ones(3, dtype=np.float32)

# Directions of optical density in R, G, B that slides show for each affinity; a patient mixes them.
CYANOPHILIC = (
    (0.42, 0.32, 0.26),
    (0.57, 0.24, 0.19),
    (0.43, 0.42, 0.15),
    (0.36, 0.39, 0.26),
    (0.56, 0.25, 0.19),
)
EOSINOPHILIC = ((0.19, 0.51, 0.30), (0.12, 0.50, 0.38), (0.05, 0.80, 0.15), (0.25, 0.45, 0.30))
ORANGE = ((0.07, 0.30, 0.63), (0.10, 0.40, 0.50))
VIVID_CYANOPHILIC = ((0.60, 0.24, 0.16), (0.62, 0.26, 0.12), (0.50, 0.28, 0.22))
VIVID_EOSINOPHILIC = ((0.16, 0.66, 0.18), (0.05, 0.80, 0.15), (0.14, 0.50, 0.36))
HAEMATOXYLIN = ((0.39, 0.39, 0.22), (0.33, 0.45, 0.22), (0.40, 0.36, 0.24), (0.23, 0.53, 0.24))
# CRIC: what surrounds a nucleus is grey, teal, brown, salmon or orange, hardly ever pink or violet.
STRONG_CYANOPHILIC = ((0.44, 0.30, 0.26), (0.50, 0.28, 0.22), (0.34, 0.37, 0.29), (0.33, 0.38, 0.29))
STRONG_EOSINOPHILIC = ((0.11, 0.41, 0.48), (0.13, 0.42, 0.45), (0.09, 0.43, 0.48))
STRONG_ORANGE = ((0.04, 0.32, 0.64), (0.05, 0.36, 0.59), (0.03, 0.27, 0.70))
STRONG_HAEMATOXYLIN = ((0.36, 0.42, 0.22), (0.29, 0.44, 0.27), (0.42, 0.38, 0.20))
DYES = {
    "vivid": (VIVID_CYANOPHILIC, VIVID_EOSINOPHILIC, ORANGE, HAEMATOXYLIN),
    "strong": (STRONG_CYANOPHILIC, STRONG_EOSINOPHILIC, STRONG_ORANGE, STRONG_HAEMATOXYLIN),
}

USUAL_WARMTH = 0.15  # which the shares of the kinds are meant for

# Palette: mean density of a thin cytoplasm and of a nucleus by itself, each median and log-deviation.
STRENGTHS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "pap": ((0.095, 0.35), (0.26, 0.3)),
    "pale": ((0.055, 0.3), (0.22, 0.3)),
    "vivid": ((0.15, 0.3), (0.42, 0.25)),
    "strong": ((0.16, 0.4), (0.46, 0.3)),  # CRIC: a cytoplasm .07 to .57, its nucleus .09 to .82 denser
    "grey": ((0.097, 0.25), (0.26, 0.18)),
}


@dataclass(frozen=True)
class Stain:
    """How one patient's smear takes up the dyes."""

    cyanophilic: Colour
    eosinophilic: Colour
    orange: Colour
    haematoxylin: Colour
    cytoplasm: float  # mean density of a thin cytoplasm
    nucleus: float  # mean density of a nucleus by itself
    densest: float  # mean density of one cytoplasm at most
    mixing: float  # of the dyes within one cell; small where each cell has one hue
    warmth: float  # probability that an intermediate cell is pink or orange; others in proportion
    keratin: float  # share of the orange ones among these
    hues: float  # log-deviation of a channel between the cells
    paleness: float  # power of the tones of the kinds' nuclei: 0 where all kinds are alike dark
    grey: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette) -> "Stain":
        """A patient's stain."""
        (cytoplasm, spread), (nucleus, nucleus_spread) = STRENGTHS[palette]
        grey, vivid, strong = palette == "grey", palette == "vivid", palette == "strong"
        dyes = DYES.get(palette, (CYANOPHILIC, EOSINOPHILIC, ORANGE, HAEMATOXYLIN))

        return cls(
            *(WHITE_DENSITY if grey else _mix(rng, shades, 0.06 if strong else 0.12) for shades in dyes),
            cytoplasm=cytoplasm * float(np.exp(rng.normal(0, spread))),
            nucleus=nucleus * float(np.exp(rng.normal(0, nucleus_spread))),
            densest=0.6 if strong else 0.3,
            mixing=0.03 if vivid else 0.2 if strong else 0.12,
            warmth=float(rng.beta(0.9, 0.9)) if strong else USUAL_WARMTH,
            keratin=float(rng.beta(1.2, 0.9)) if strong else 0.15,
            hues=0.05 if strong else 0.1,
            paleness=float(rng.uniform(0, 1)) if strong else 1.0,
            grey=grey,
        )

    def cell_colour(self, rng: np.random.Generator, eosin: float) -> Colour:
        """Density per unit of thickness of one cell's cytoplasm: a mixture around one of the dyes."""
        if self.grey:
            return WHITE_DENSITY
        pink = self.orange if rng.random() < self.keratin else self.eosinophilic
        other = rng.beta(1.0, 1 / self.mixing)
        share = 1 - other if rng.random() < eosin * self.warmth / USUAL_WARMTH else other
        return _vary(rng, share * pink + (1 - share) * self.cyanophilic, self.hues)

    def nucleus_colour(self, rng: np.random.Generator, cell: Colour | None = None) -> Colour:
        """Density per unit of thickness of one nucleus: haematoxylin with some of the dyes of its cell."""
        if self.grey:
            return WHITE_DENSITY
        if cell is None:
            cell = self.eosinophilic if rng.random() < 0.4 else self.cyanophilic
        share = rng.beta(1.2, 3.5)
        return _vary(rng, share * cell + (1 - share) * self.haematoxylin, self.hues)


def _mix(rng: np.random.Generator, shades: Sequence[Sequence[float]], spread: float) -> Colour:
    """A patient's shade of a dye, of mean density 1: near one of the known ones."""
    weights = rng.dirichlet(np.full(len(shades), 0.4))
    return _vary(rng, weights @ np.array(shades), spread)


def _vary(rng: np.random.Generator, shade: NDArray[np.floating], spread: float) -> Colour:
    """A shade of mean density 1 near the given one."""
    shade = shade * np.exp(rng.normal(0, spread, 3))
    return (shade / shade.mean()).astype(np.float32)


class Density:
    """Optical density of a field, (channels, H, W): one channel where all dyes are grey."""

    def __init__(self, shape: tuple[int, int], *, grey: bool) -> None:
        self.shape = shape
        self.values: Raster = np.zeros((1 if grey else 3, *shape), dtype=np.float32)

    def add(self, tile: Raster, corner: tuple[int, int], colour: Colour) -> None:
        """Add a layer `tile` (h, w), times the `colour` of its dye, at `corner` (x, y); cut to the field."""
        field, part = self._meeting(tile.shape, corner)
        for channel, density in zip(self.values, colour, strict=False):
            channel[field] += density * tile[part]

    def hide(self, mask: NDArray[np.bool_], corner: tuple[int, int]) -> None:
        """Take away what is there under `mask` (h, w) at `corner` (x, y), with a soft edge."""
        cover = gaussian_filter(np.pad(mask.astype(np.float32), EDGE), EDGE / 3, truncate=3.0)
        field, part = self._meeting(cover.shape, (corner[0] - EDGE, corner[1] - EDGE))
        self.values[:, *field] *= 1 - cover[part]

    def _meeting(
        self, shape: tuple[int, ...], corner: tuple[int, int]
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Rows and columns of the field that a tile of `shape` at `corner` (x, y) meets; then of the tile."""
        field, part = [], []
        for start, length, whole in zip(corner[::-1], shape, self.shape, strict=True):
            first, last = max(0, start), max(0, start, min(whole, start + length))
            field.append(slice(first, last))
            part.append(slice(first - start, last - start))
        return (field[0], field[1]), (part[0], part[1])
