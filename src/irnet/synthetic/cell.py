"""One cell: cytoplasm, nuclei and what lies on them, as layers of optical density on tiles of their own."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from irnet.synthetic.film import Habit, draw_film
from irnet.synthetic.kinds import Kind
from irnet.synthetic.nucleus import Nucleus, draw_nucleus
from irnet.synthetic.shape import Outline, Point, bend, draw_outline, plane
from irnet.synthetic.stain import Colour, Stain
from irnet.synthetic.texture import dots, noise, rods

Raster = NDArray[np.floating]
Mask = NDArray[np.bool_]
Corner = tuple[int, int]

ANUCLEATE = 0.01  # share of cells without a nucleus
BINUCLEATE = 0.03
ANNOTATED = 0.3  # cover of a cytoplasm's edge that counts as cell
PALE = (0.25, 0.7)  # density of a cell that hardly took up the stain, relative to the others
LEAST_BLUR = 0.3  # px


@dataclass(frozen=True)
class Layer:
    """A tile of optical density in one dye."""

    density: Raster  # (h, w)
    corner: Corner  # (x, y) of the tile in the field (px), may lie outside
    colour: Colour

    def blurred(self, sigma: float) -> "Layer":
        """The layer out of focus by `sigma` px, on a tile as much larger."""
        if sigma < LEAST_BLUR:
            return self
        border = int(3 * sigma + 1)
        wide = gaussian_filter(np.pad(self.density, border), sigma, truncate=3.0)
        return replace(self, density=wide, corner=(self.corner[0] - border, self.corner[1] - border))


@dataclass(frozen=True)
class Drawing:
    """A drawn cell: its layers, and what is true of it before any blur."""

    layers: list[Layer]
    cytoplasm: tuple[Mask, Corner] | None  # the whole outline, nuclei included
    nuclei: list[tuple[Mask, Corner]]


def draw_cell(
    rng: np.random.Generator,
    kind: Kind,
    centre: Point,
    radius: float,
    *,
    stain: Stain,
    habit: Habit,
    mpp: float,
    blur: float,
) -> Drawing:
    """A cell of a circle of `radius` (px) about `centre`, out of focus by `blur` (px)."""
    crumpled = rng.random() < habit.crumpled
    if crumpled:
        radius *= 0.8

    outline = _draw_cell_outline(rng, kind, radius, crumpled)
    width_um = 2 * float(outline.radii.min()) * mpp
    nuclei = [
        draw_nucleus(rng, kind, (centre[0] + dx, centre[1] + dy), mpp, width_um)
        for dx, dy in _nucleus_places(rng, outline, radius)
    ]

    curvature = rng.normal(0, 0.16 if crumpled else 0.10) / radius
    middle = (round(centre[0]), round(centre[1]))
    half = int(outline.reach * (1 + 0.6 * abs(curvature) * radius) + 1.5 / mpp + 2)
    half = max([half, *(_reach(nucleus, middle) for nucleus in nuclei)])
    corner = (middle[0] - half, middle[1] - half)
    x, y = plane(half, (centre[0] - middle[0], centre[1] - middle[1]))
    places = bend(x, y, rng.uniform(0, 2 * np.pi), curvature)

    film, cover = draw_film(
        rng, kind, outline, places, radius=radius, mpp=mpp, habit=habit, crumpled=crumpled
    )
    density = stain.cytoplasm * kind.density * np.exp(rng.normal(0, habit.spread)) * (1.8 if crumpled else 1)
    if rng.random() < habit.pale:
        density *= rng.uniform(*PALE)
    film *= np.float32(min(density, stain.densest))

    mask = cover > ANNOTATED
    for nucleus in nuclei:
        window = _window(nucleus, corner)
        film[window] *= _halo(rng, nucleus.depth, mpp, habit, kind)
        mask[window] |= nucleus.mask
    film += _specks(rng, cover, stain, habit, mpp)

    colour = stain.cell_colour(rng, kind.eosin)
    drawn = [Layer(film, corner, colour)]
    tone = np.float32(stain.nucleus * kind.tone**stain.paleness)
    drawn += [Layer(n.density * tone, n.corner, stain.nucleus_colour(rng, colour)) for n in nuclei]
    return Drawing([d.blurred(blur) for d in drawn], (mask, corner), [(n.mask, n.corner) for n in nuclei])


def draw_bare_nucleus(
    rng: np.random.Generator, kind: Kind, centre: Point, *, stain: Stain, mpp: float, blur: float
) -> Drawing:
    """A nucleus whose cytoplasm is lost."""
    nucleus = draw_nucleus(rng, kind, centre, mpp)
    tone = np.float32(stain.nucleus * kind.tone**stain.paleness * rng.uniform(0.8, 1.4))
    layer = Layer(nucleus.density * tone, nucleus.corner, stain.nucleus_colour(rng))
    return Drawing([layer.blurred(blur)], None, [(nucleus.mask, nucleus.corner)])


def _draw_cell_outline(rng: np.random.Generator, kind: Kind, radius: float, crumpled: bool) -> Outline:
    slender = rng.uniform(0.6, 2.0) if crumpled else 0.0
    return draw_outline(
        rng,
        radius,
        aspect=max(1.0, rng.normal(*kind.aspect)) + rng.exponential(0.12) + slender,
        polygonal=min(1.0, kind.polygonal * rng.uniform(0.7, 1.5)),
        waviness=rng.uniform(0.08, 0.2) if crumpled else rng.uniform(0.02, 0.09),
        notches=1.5 if crumpled else 0.9 * kind.polygonal,
        raggedness=rng.exponential(0.003),
    )


def _nucleus_places(rng: np.random.Generator, outline: Outline, radius: float) -> list[Point]:
    """Places of a cell's nuclei about its centre (px)."""
    if rng.random() < ANUCLEATE:
        return []
    spread = min(0.15 * radius, 0.3 * float(outline.radii.min()))
    x, y = rng.normal(0, spread, 2)
    if rng.random() > BINUCLEATE:
        return [(float(x), float(y))]
    angle, gap = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.2) * radius
    dx, dy = gap * np.cos(angle), gap * np.sin(angle)
    return [(float(x - dx), float(y - dy)), (float(x + dx), float(y + dy))]


def _reach(nucleus: Nucleus, middle: Corner) -> int:
    """Half the side of a square about `middle` that holds the nucleus's tile."""
    near = max(m - c for m, c in zip(middle, nucleus.corner, strict=True))
    far = max(c + n - 1 - m for m, c, n in zip(middle, nucleus.corner, nucleus.mask.shape, strict=True))
    return max(near, far)


def _window(nucleus: Nucleus, corner: Corner) -> tuple[slice, slice]:
    """Where a nucleus lies on the tile of its cell."""
    x, y = nucleus.corner[0] - corner[0], nucleus.corner[1] - corner[1]
    height, width = nucleus.mask.shape
    return slice(y, y + height), slice(x, x + width)


def _halo(rng: np.random.Generator, depth: Raster, mpp: float, habit: Habit, kind: Kind) -> Raster:
    """Thinner cytoplasm around a nucleus: a narrow cleft of shrinkage or a wide clearing."""
    draw = rng.random()
    if draw < kind.clearing:
        width, strength = rng.uniform(1.5, 2.4), rng.uniform(0.3, 0.8)
    elif draw < kind.clearing + habit.halo:
        width, strength = rng.uniform(0.4, 0.9), rng.uniform(0.1, 0.5)
    else:
        return np.ones_like(depth)
    outside = np.minimum(depth, 0) / np.float32(width / mpp)
    return 1 - np.float32(strength) * np.exp(-np.square(outside)) * (depth < 1)


def _specks(rng: np.random.Generator, cover: Raster, stain: Stain, habit: Habit, mpp: float) -> Raster:
    """Bacteria and granules on a cell, densest in patches."""
    found = np.zeros_like(cover)
    if habit.rods and rng.random() < 0.75:
        patch = np.clip(0.8 + 0.6 * noise(rng, cover.shape, 5.0 / mpp), 0, 1.3)
        weight = np.float32(min(habit.rods * rng.lognormal(-0.3, 0.5), 1.6) * 0.26 * stain.nucleus)
        for _ in range(1 + rng.poisson(1.6)):
            found += weight * patch * rods(rng, cover.shape, mpp)
    if rng.random() < habit.dots:
        found += np.float32(rng.uniform(0.1, 0.45) * stain.nucleus) * dots(rng, cover.shape, mpp)
    return found * cover
