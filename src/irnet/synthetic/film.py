"""The film of one cytoplasm: edge, thickness, folds, texture; and what the cells of one smear share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.synthetic.kinds import Kind
from irnet.synthetic.shape import Outline
from irnet.synthetic.stain import Palette
from irnet.synthetic.texture import bubbles, cloud, noise, wrinkles

Raster = NDArray[np.floating]

CLOUD_CONTRAST = 0.17  # relative, over all sizes
FLAPS = 0.15  # probability that a part of a common cell is doubled along a chord
FOLD = (0.3, 0.85)  # how far from a cell's centre it is folded, as a share of its radius


@dataclass(frozen=True)
class Habit:
    """What the cells of one smear have in common beside their stain."""

    rods: float  # density of bacteria on the cells, 0 for none
    dots: float  # probability of granules
    bubbles: float  # probability of vacuoles
    crumpled: float  # probability of a rolled or shrivelled cell
    turned: float  # expected turned-over edges of a polygonal cell
    halo: float  # probability of a cleft around a nucleus
    spread: float  # log-deviation of the density between cells
    pale: float  # probability of a cell that hardly took up the stain
    folded: float  # probability that a common cell is folded over along a chord
    softness: tuple[float, float]  # width of a cell's edge (um)
    rim: float  # largest relative density of a line along the edge
    grain: float  # relative contrast of the finest texture
    wrinkles: float  # relative density of fine lines

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette) -> "Habit":
        """A patient's habit."""
        grey, strong = palette == "grey", palette == "strong"
        folded = strong or palette == "vivid"

        return cls(
            rods=float(rng.gamma(4.0, 0.25) * (rng.random() < (0.9 if grey else 0.45))),
            dots=rng.uniform(0.3, 0.8),
            bubbles=rng.uniform(0.0, 0.01 if grey else 0.1 if strong else 0.35),
            crumpled=rng.uniform(0.02, 0.25 if strong else 0.09),
            turned=rng.uniform(0.3, 1.0) if folded else rng.uniform(0.2, 0.6),
            halo=rng.uniform(0.0, 0.12),
            spread=rng.uniform(0.3, 0.42),
            pale=float(rng.beta(1, 6)) if strong else 0.0,
            folded=rng.uniform(0.1, 0.5) if strong else 0.0,
            softness=(0.8, 2.0) if grey else (0.4, 1.3) if strong else (0.5, 1.6),
            rim=rng.uniform(0.1, 1.0) if strong else 0.0,
            grain=rng.uniform(0.03, 0.16) if strong else 0.0,
            wrinkles=rng.uniform(0.1, 0.5) if strong else 0.0,
        )


def draw_film(
    rng: np.random.Generator,
    kind: Kind,
    outline: Outline,
    places: tuple[Raster, Raster],
    *,
    radius: float,
    mpp: float,
    habit: Habit,
    crumpled: bool,
) -> tuple[Raster, Raster]:
    """Thickness of the cytoplasm, about 1 inside, and the cover of its outline, 0 to 1, both (h, w).

    `places` are the x and the y of each pixel of the tile, from the cell's centre; like `radius` in px.
    """
    x, y = places
    depth, angle = outline.depth(x, y)
    flap = None
    if not crumpled and rng.random() < habit.folded * kind.folds:
        depth, flap = _fold_over(rng, outline, x, y, depth)

    side = rng.uniform(0, 2 * np.pi)
    torn = np.clip((x * np.float32(np.cos(side)) + y * np.float32(np.sin(side))) / np.float32(radius), 0, 1)
    ragged = np.float32(min(rng.lognormal(-1.7, 0.7), 0.7) / mpp)
    depth += ragged * (np.float32(0.15) + torn) * noise(rng, x.shape, rng.uniform(0.5, 1.3) / mpp)

    softness = np.float32(max(rng.uniform(*habit.softness) / mpp, 1.2))
    cover = np.clip(depth / softness + 0.5, 0, 1)
    margin = np.float32(rng.uniform(0.12, 0.45))
    film = cover * (1 - margin * np.exp(np.minimum(-depth * np.float32(mpp / 4.5), 0)))

    contrast = np.float32(CLOUD_CONTRAST * rng.lognormal(0, 0.3) / kind.density**0.5)
    texture = 1 + contrast * cloud(rng, x.shape, mpp)
    slope, way = rng.uniform(0, 0.3) / radius, rng.uniform(0, 2 * np.pi)
    texture += x * np.float32(slope * np.cos(way)) + y * np.float32(slope * np.sin(way))

    if rng.random() < habit.bubbles:
        texture += np.float32(rng.uniform(0.1, 0.4)) * bubbles(rng, x.shape, mpp) * (depth > 2 / mpp)

    for _ in range(rng.poisson(5 if crumpled else 2.2 * kind.folds)):
        texture += _draw_crease(rng, x, y, radius, mpp)
    for _ in range(rng.poisson(1.0 if crumpled else habit.turned * kind.folds)):
        texture += _draw_turned_edge(rng, depth, angle, mpp)
    if rng.random() < FLAPS * kind.folds:
        texture += _draw_flap(rng, x, y, radius, mpp)

    if flap is not None:
        texture += np.float32(rng.uniform(0.5, 1.1)) * np.clip(flap / softness + 0.5, 0, 1)
    if habit.rim:
        line = (depth - np.float32(0.4 / mpp)) * np.float32(1 / max(0.45 / mpp, 0.8))
        texture += np.float32(rng.uniform(0, habit.rim)) * np.exp(-np.square(line))
    if habit.grain:
        texture += np.float32(habit.grain * rng.lognormal(-0.3, 0.4)) * noise(rng, x.shape, 0.3 / mpp)
    if habit.wrinkles:
        texture += np.float32(habit.wrinkles * rng.lognormal(-0.3, 0.6)) * wrinkles(rng, x.shape, mpp)

    film *= np.maximum(texture, np.float32(0.15))
    return film, cover


def _fold_over(
    rng: np.random.Generator, outline: Outline, x: Raster, y: Raster, depth: Raster
) -> tuple[Raster, Raster]:
    """The depth of a cell whose part beyond a chord is folded back, and that of the part where it lies."""
    way, offset = rng.uniform(0, 2 * np.pi), np.float32(rng.uniform(*FOLD) * np.median(outline.radii))
    c, s = np.float32(np.cos(way)), np.float32(np.sin(way))
    inside = offset - x * c - y * s
    back, _ = outline.depth(x + 2 * inside * c, y + 2 * inside * s)
    flap = np.minimum(back, inside)
    return np.maximum(np.minimum(depth, inside), flap), flap


def _draw_crease(rng: np.random.Generator, x: Raster, y: Raster, radius: float, mpp: float) -> Raster:
    """A ridge that crosses part of the cell: bent, one flank steep and the other fading."""
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = x * c + y * s, y * c - x * s
    across += np.float32(rng.normal(0, 0.4) / radius) * np.square(along)
    across -= np.float32(rng.normal(0, 0.45 * radius))
    width = np.float32(rng.uniform(0.3, 1.1) / mpp)
    fade = np.where(across > 0, np.float32(rng.uniform(1, 7)) * width, width)
    along -= np.float32(rng.normal(0, 0.4 * radius))
    along /= np.float32(rng.uniform(0.25, 0.9) * radius)
    return np.float32(rng.normal(0.15, 0.22)) * np.exp(-np.square(across / fade) - np.square(along))


def _draw_flap(rng: np.random.Generator, x: Raster, y: Raster, radius: float, mpp: float) -> Raster:
    """The part of the cell beyond a chord, twice as thick because it is folded back."""
    angle = rng.uniform(0, 2 * np.pi)
    beyond = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    beyond -= np.float32(rng.uniform(-0.1, 0.7) * radius)
    end = np.float32(max(rng.uniform(0.5, 3.0) / mpp, 1.0))
    return np.float32(rng.uniform(0.3, 1.1)) * np.clip(beyond / end + 0.5, 0, 1)


def _draw_turned_edge(rng: np.random.Generator, depth: Raster, angle: NDArray[np.intp], mpp: float) -> Raster:
    """A strip along part of the edge where it is turned over: dark, ending sharply or softly inside."""
    theta = np.arange(256) * (2 * np.pi / 256)
    apart = np.abs((theta - rng.uniform(0, 2 * np.pi) + np.pi) % (2 * np.pi) - np.pi)
    extent = np.exp(-np.square(apart / rng.uniform(0.2, 0.7))).astype(np.float32)
    width = np.float32(rng.uniform(0.8, 4.5) / mpp) * extent
    end = np.float32(max(rng.uniform(0.4, 2.0) / mpp, 1.0))
    strip = np.clip((width[angle] - depth) / end + 0.5, 0, 1)
    return np.float32(rng.uniform(0.3, 1.3)) * np.minimum(2 * extent, 1)[angle] * strip
