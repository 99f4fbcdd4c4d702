"""How dirty the smear of one patient is."""

from dataclasses import dataclass

import numpy as np

from irnet.synthetic.stain import Palette


@dataclass(frozen=True)
class Dirt:
    """Expected numbers in a field of the paper's size, (252.9 um)^2, densities and probabilities."""

    white_cells: float
    white_on_cells: float  # share of the white cells that is thrown onto cells, the rest anywhere
    gathered: float  # probability that a piece lies beside an earlier one of its kind, so in rows and heaps
    streak: tuple[float, float]  # how far it lies from that one (um), along the smear and across
    flow: float  # direction of the smear, from the x axis
    red_cells: float
    red_sheets: float  # share of the ground that sheets of red cells cover
    specks: float
    scraps: float
    clots: float
    rods: float  # density of the bacteria between the cells, 0 for none
    crumbs: float  # density of the faint dirt on the glass
    mucus: float  # probability of a faint veil
    veils: float  # expected number of coloured, wrinkled ones
    threads: float  # density of fine threads, 0 for none
    holes: float  # expected number of drops that push a veil aside
    smudges: float  # expected number of thick patches on cells
    scratches: float  # probability

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette) -> "Dirt":
        """A patient's dirt: mostly little of each; in half of the patients white cells by the hundred."""
        grey, strong = palette == "grey", palette == "strong"
        inflamed, along = rng.random() < 0.5, rng.uniform(1, 4)
        smear = (7.0 * along, 7.0 / along)
        bloody = strong and rng.random() < 0.4

        return cls(
            white_cells=np.exp(rng.uniform(np.log(30), np.log(300)))
            if inflamed
            else min(rng.gamma(0.9, 9), 45),
            white_on_cells=rng.beta(1.2, 8) if inflamed else rng.beta(2, 1.5),
            gathered=rng.uniform(0.2, 0.8) if inflamed else 0.3,
            streak=smear,
            flow=rng.uniform(0, np.pi),
            red_cells=np.exp(rng.uniform(np.log(5), np.log(200)))
            if bloody
            else rng.gamma(0.12, 12) * (rng.random() < (0.06 if grey else 1)),
            red_sheets=rng.beta(0.7, 3.0) * (bloody and rng.random() < 0.7),
            specks=rng.gamma(1.0, 4),
            scraps=rng.gamma(1.0, 0.6 if grey else 0.9),
            clots=rng.gamma(0.3, 1.0),
            rods=rng.gamma(1.0, 0.15 if strong else 0.035) * (rng.random() < 0.6),
            crumbs=rng.gamma(1.0, 0.05 if strong else 0.012),
            mucus=0.6 * (not grey and rng.random() < (0.4 if inflamed else 0.15)),
            veils=rng.gamma(0.7, 1.3) * strong,
            threads=rng.gamma(1.0, 0.04) * (strong and rng.random() < 0.5),
            holes=np.exp(rng.uniform(0, np.log(60))) * (strong and rng.random() < 0.4),
            smudges=rng.gamma(0.6, 1.2) * strong,
            scratches=rng.uniform(0, 0.03),
        )
