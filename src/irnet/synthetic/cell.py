"""One cell: cytoplasm, nuclei and what lies on them, as layers of optical density on tiles of their own."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from irnet.synthetic.kinds import Kind
from irnet.synthetic.nucleus import Nucleus, draw_nucleus
from irnet.synthetic.shape import Outline, Point, bend, draw_outline, plane
from irnet.synthetic.stain import Colour, Palette, Stain
from irnet.synthetic.texture import bubbles, cloud, dots, noise, rods

Field = NDArray[np.floating]
Mask = NDArray[np.bool_]
Corner = tuple[int, int]

ANUCLEATE = 0.01  # share of cells without a nucleus
BINUCLEATE = 0.03
ANNOTATED = 0.3  # cover of a cytoplasm's edge that counts as cell
CLOUD_CONTRAST = 0.17  # relative, over all sizes
FLAPS = 0.15  # probability that a part of a common cell is folded back on itself
LEAST_BLUR = 0.3  # px


@dataclass(frozen=True)
class Layer:
    """A tile of optical density in one dye."""

    density: Field  # (h, w)
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

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette) -> "Habit":
        """A patient's habit."""
        grey, folded = palette == "grey", palette in ("vivid", "strong")
        return cls(
            rods=float(rng.gamma(4.0, 0.25) * (rng.random() < (0.9 if grey else 0.45))),
            dots=rng.uniform(0.3, 0.8),
            bubbles=rng.uniform(0.0, 0.01 if grey else 0.35),
            crumpled=rng.uniform(0.02, 0.25 if palette == "strong" else 0.09),
            turned=rng.uniform(0.3, 1.0) if folded else rng.uniform(0.2, 0.6),
            halo=rng.uniform(0.0, 0.12),
            spread=rng.uniform(0.3, 0.42),
        )


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
    x, y = bend(x, y, rng.uniform(0, 2 * np.pi), curvature)
    film, cover = _draw_film(rng, kind, outline, x, y, radius=radius, mpp=mpp, habit=habit, crumpled=crumpled)
    density = stain.cytoplasm * kind.density * np.exp(rng.normal(0, habit.spread)) * (1.8 if crumpled else 1)
    film *= np.float32(min(density, stain.densest))
    mask = cover > ANNOTATED
    for nucleus in nuclei:
        window = _window(nucleus, corner)
        film[window] *= _halo(rng, nucleus.depth, mpp, habit, kind)
        mask[window] |= nucleus.mask
    film += _specks(rng, cover, stain, habit, mpp)
    colour = stain.cell_colour(rng, kind.eosin)
    drawn = [Layer(film, corner, colour)]
    tone = np.float32(stain.nucleus * kind.tone)
    drawn += [Layer(n.density * tone, n.corner, stain.nucleus_colour(rng, colour)) for n in nuclei]
    return Drawing([d.blurred(blur) for d in drawn], (mask, corner), [(n.mask, n.corner) for n in nuclei])


def draw_bare_nucleus(
    rng: np.random.Generator, kind: Kind, centre: Point, *, stain: Stain, mpp: float, blur: float
) -> Drawing:
    """A nucleus whose cytoplasm is lost."""
    nucleus = draw_nucleus(rng, kind, centre, mpp)
    tone = np.float32(stain.nucleus * kind.tone * rng.uniform(0.8, 1.4))
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


def _draw_film(
    rng: np.random.Generator,
    kind: Kind,
    outline: Outline,
    x: Field,
    y: Field,
    *,
    radius: float,
    mpp: float,
    habit: Habit,
    crumpled: bool,
) -> tuple[Field, Field]:
    """Thickness of the cytoplasm, about 1 inside, and the cover of its outline, 0 to 1."""
    depth, angle = outline.depth(x, y)
    side = rng.uniform(0, 2 * np.pi)
    torn = np.clip((x * np.float32(np.cos(side)) + y * np.float32(np.sin(side))) / np.float32(radius), 0, 1)
    ragged = np.float32(min(rng.lognormal(-1.7, 0.7), 0.7) / mpp)
    depth += ragged * (np.float32(0.15) + torn) * noise(rng, x.shape, rng.uniform(0.5, 1.3) / mpp)
    softness = np.float32(max(rng.uniform(0.8, 2.0) / mpp, 1.2))
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
    film *= np.maximum(texture, np.float32(0.15))
    return film, cover


def _draw_crease(rng: np.random.Generator, x: Field, y: Field, radius: float, mpp: float) -> Field:
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


def _draw_flap(rng: np.random.Generator, x: Field, y: Field, radius: float, mpp: float) -> Field:
    """The part of the cell beyond a chord, twice as thick because it is folded back."""
    angle = rng.uniform(0, 2 * np.pi)
    beyond = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    beyond -= np.float32(rng.uniform(-0.1, 0.7) * radius)
    end = np.float32(max(rng.uniform(0.5, 3.0) / mpp, 1.0))
    return np.float32(rng.uniform(0.3, 1.1)) * np.clip(beyond / end + 0.5, 0, 1)


def _draw_turned_edge(rng: np.random.Generator, depth: Field, angle: NDArray[np.intp], mpp: float) -> Field:
    """A strip along part of the edge where it is turned over: dark, ending sharply or softly inside."""
    theta = np.arange(256) * (2 * np.pi / 256)
    apart = np.abs((theta - rng.uniform(0, 2 * np.pi) + np.pi) % (2 * np.pi) - np.pi)
    extent = np.exp(-np.square(apart / rng.uniform(0.2, 0.7))).astype(np.float32)
    width = np.float32(rng.uniform(0.8, 4.5) / mpp) * extent
    end = np.float32(max(rng.uniform(0.4, 2.0) / mpp, 1.0))
    strip = np.clip((width[angle] - depth) / end + 0.5, 0, 1)
    return np.float32(rng.uniform(0.3, 1.3)) * np.minimum(2 * extent, 1)[angle] * strip


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


def _halo(rng: np.random.Generator, depth: Field, mpp: float, habit: Habit, kind: Kind) -> Field:
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


def _specks(rng: np.random.Generator, cover: Field, stain: Stain, habit: Habit, mpp: float) -> Field:
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
