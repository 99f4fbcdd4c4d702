"""Stains and light: absorbances of layers add up (Beer-Lambert), and each patient has a stain of its own."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Colour = NDArray[np.float32]  # (3,) optical density of R, G, B
Palette = Literal["pap", "pale", "vivid", "grey"]

# Absorbance of the Papanicolaou dyes in R, G, B, up to a factor.
CYANOPHILIC = (0.30, 0.13, 0.10)
EOSINOPHILIC = (0.06, 0.26, 0.20)
ORANGE = (0.04, 0.16, 0.34)
HAEMATOXYLIN = (0.75, 0.72, 0.42)
WHITE = (1.0, 1.0, 1.0)

# Palette: grey density of a thin cytoplasm and of the nucleus's own layer, each from mean and log-deviation.
STRENGTHS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "pap": ((0.085, 0.35), (0.38, 0.25)),
    "pale": ((0.045, 0.35), (0.30, 0.3)),
    "vivid": ((0.15, 0.3), (0.55, 0.25)),
    "grey": ((0.062, 0.25), (0.34, 0.18)),
}


@dataclass(frozen=True)
class Stain:
    """How one patient's smear takes up the dyes."""

    cyanophilic: Colour
    eosinophilic: Colour
    orange: Colour
    haematoxylin: Colour
    cytoplasm: float  # grey density of a thin cytoplasm
    nucleus: float  # grey density of a nucleus by itself
    grey: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette) -> "Stain":
        """A patient's stain."""
        (cytoplasm, spread), (nucleus, nucleus_spread) = STRENGTHS[palette]
        grey = palette == "grey"
        colours = (CYANOPHILIC, EOSINOPHILIC, ORANGE, HAEMATOXYLIN)
        return cls(
            *(WHITE_DENSITY if grey else _vary(rng, colour) for colour in colours),
            cytoplasm=cytoplasm * float(np.exp(rng.normal(0, spread))),
            nucleus=nucleus * float(np.exp(rng.normal(0, nucleus_spread))),
            grey=grey,
        )

    def cell_colour(self, rng: np.random.Generator, eosin: float) -> Colour:
        """Density per unit of thickness of one cell's cytoplasm: a mixture around one of the dyes."""
        if self.grey:
            return WHITE_DENSITY
        pink = self.orange if rng.random() < 0.2 else self.eosinophilic
        share = rng.beta(6, 1.2) if rng.random() < eosin else rng.beta(1.2, 6)
        return (share * pink + (1 - share) * self.cyanophilic).astype(np.float32)


def _vary(rng: np.random.Generator, colour: tuple[float, float, float]) -> Colour:
    """The dye with a patient's shade, scaled to a grey density of 1."""
    shade = np.asarray(colour) * np.exp(rng.normal(0, 0.18, 3)) + rng.uniform(0, 0.03)
    return (shade / shade.mean()).astype(np.float32)


WHITE_DENSITY: Colour = np.ones(3, dtype=np.float32)


class Density:
    """Optical density of a field, (channels, H, W): one channel where all dyes are grey."""

    def __init__(self, shape: tuple[int, int], *, grey: bool) -> None:
        self.shape = shape
        self.values: Field = np.zeros((1 if grey else 3, *shape), dtype=np.float32)

    def add(self, tile: Field, corner: tuple[int, int], colour: Colour) -> None:
        """Add a layer `tile` (h, w), times the `colour` of its dye, at `corner` (x, y); cut to the field."""
        x, y = corner
        top, left = max(0, -y), max(0, -x)
        bottom, right = min(tile.shape[0], self.shape[0] - y), min(tile.shape[1], self.shape[1] - x)
        if bottom <= top or right <= left:
            return
        part = tile[top:bottom, left:right]
        for channel, density in zip(self.values, colour, strict=False):
            channel[y + top : y + bottom, x + left : x + right] += density * part
