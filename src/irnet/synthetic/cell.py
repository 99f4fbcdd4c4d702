"""One cell: cytoplasm, nuclei and what lies on them, as layers of optical density on a tile."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from irnet.synthetic.kinds import Kind
from irnet.synthetic.shape import Outline, draw_folds, draw_outline, layers
from irnet.synthetic.stain import Colour, Stain
from irnet.synthetic.texture import noise

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

EDGE_UM = 0.55  # width of a cytoplasm's edge
NUCLEUS_EDGE_UM = 0.75
ANNOTATED = 0.35  # cover of a nucleus's edge that annotators still count as nucleus
ANUCLEATE = 0.02  # share of cells without a nucleus
BINUCLEATE = 0.03
CRUMPLED = 0.12  # share of cells that are shrunk and creased all over


@dataclass(frozen=True)
class Drawing:
    """A drawn cell on a tile of its own."""

    corner: tuple[int, int]  # (x, y) of the tile in the field (px), may lie outside
    layers: list[tuple[Field, Colour]]  # (h, w) densities and the dye of each
    cytoplasm: Mask  # (h, w) the whole outline, nuclei included
    nuclei: list[Mask]  # (h, w) each


def draw_cell(
    rng: np.random.Generator,
    kind: Kind,
    centre: tuple[float, float],
    radius: float,
    *,
    stain: Stain,
    mpp: float,
    blur: float,
) -> Drawing:
    """A cell of a circle of `radius` (px) about `centre`, out of focus by `blur` (px)."""
    outline = draw_outline(
        rng,
        radius,
        aspect=max(1.0, rng.normal(*kind.aspect)),
        polygonal=min(kind.polygonal * rng.uniform(0.5, 1.6), 1.0),
        waviness=rng.uniform(0.03, 0.14),
        raggedness=rng.exponential(0.012),
    )
    reach = int(outline.reach + 4 * blur + 4)
    x0, y0 = (round(c) - reach for c in centre)
    x, y = _grid(2 * reach + 1, centre[0] - x0, centre[1] - y0)
    folds = draw_folds(rng, outline, kind.folds)
    softness = max(EDGE_UM / mpp * rng.uniform(0.6, 1.6), 1.0)
    thickness = layers(outline, folds, x, y, softness=softness, rim=rng.uniform(0, 0.35))
    cytoplasm = thickness > 0.5
    crumpled = rng.random() < CRUMPLED
    film = thickness * _cytoplasm_texture(rng, x, y, radius, mpp, creases=8 if crumpled else 2.5)
    shade = np.exp(rng.normal(0, 0.3)) * (rng.uniform(1.3, 2.4) if crumpled else 1)
    film *= np.float32(stain.cytoplasm * kind.density * shade)
    nuclei, tiles = [], []
    for nucleus_centre in _nucleus_places(rng, outline, folds, radius):
        tile, mask, halo = _draw_nucleus(rng, kind, nucleus_centre, x, y, stain=stain, mpp=mpp)
        film *= halo
        tiles.append(tile)
        nuclei.append(mask)
        cytoplasm = cytoplasm | mask
    film += _granules(rng, cytoplasm, mpp) * np.float32(stain.nucleus)
    colour = stain.cell_colour(rng, kind.eosin)
    drawn = [(film, colour)] + [(tile, stain.haematoxylin) for tile in tiles]
    if blur > 0.3:
        drawn = [(gaussian_filter(tile, blur), dye) for tile, dye in drawn]
    return Drawing((x0, y0), drawn, cytoplasm, nuclei)


def draw_bare_nucleus(
    rng: np.random.Generator,
    kind: Kind,
    centre: tuple[float, float],
    *,
    stain: Stain,
    mpp: float,
    blur: float,
) -> Drawing:
    """A nucleus whose cytoplasm is lost."""
    reach = int(1.2 * kind.nucleus_um[0] / mpp + 4 * blur + 4)
    x0, y0 = (round(c) - reach for c in centre)
    x, y = _grid(2 * reach + 1, centre[0] - x0, centre[1] - y0)
    tile, mask, _ = _draw_nucleus(rng, kind, (0.0, 0.0), x, y, stain=stain, mpp=mpp)
    tile = gaussian_filter(tile, blur) if blur > 0.3 else tile
    return Drawing((x0, y0), [(tile, stain.haematoxylin)], np.zeros_like(mask), [mask])


def _grid(side: int, x: float, y: float) -> tuple[Field, Field]:
    """Coordinates of the pixels of a tile about the point (x, y) of it."""
    steps = np.arange(side, dtype=np.float32)
    return (
        np.broadcast_to(steps[None, :] - np.float32(x), (side, side)),
        np.broadcast_to(steps[:, None] - np.float32(y), (side, side)),
    )


def _cytoplasm_texture(
    rng: np.random.Generator, x: Field, y: Field, radius: float, mpp: float, *, creases: float
) -> Field:
    """Relative thickness: grain at four scales, a slope, and creases."""
    shape = x.shape
    contrast = rng.lognormal(0, 0.4)
    texture = 1 + np.float32(0.05 * contrast) * noise(rng, shape, 0.35 / mpp)
    texture += np.float32(0.05 * contrast) * noise(rng, shape, 1.2 / mpp)
    texture += np.float32(0.07 * contrast) * noise(rng, shape, 4 / mpp)
    texture += np.float32(0.12 * contrast) * noise(rng, shape, 10 / mpp)
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.25)
    texture += np.float32(slope / radius) * (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)))
    for _ in range(rng.poisson(creases)):
        texture += _crease(rng, x, y, radius, mpp)
    return np.maximum(texture, 0.15)


def _crease(rng: np.random.Generator, x: Field, y: Field, radius: float, mpp: float) -> Field:
    """A crease across part of the cell: a bent line, one side steep and the other fading."""
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    across = y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))
    bend = rng.uniform(-0.8, 0.8) / radius
    across = across + np.float32(bend) * np.square(along) - np.float32(rng.normal(0, 0.45 * radius))
    width = np.float32(rng.uniform(0.5, 1.4) / mpp)
    fade = np.where(across > 0, np.float32(rng.uniform(1, 9)), np.float32(1)) * width
    middle, length = np.float32(rng.normal(0, 0.4 * radius)), np.float32(rng.uniform(0.25, 0.8) * radius)
    line = np.exp(-np.square(across / fade)) * np.exp(-np.square((along - middle) / length))
    return np.float32(rng.normal(0.25, 0.25)) * line


def _nucleus_places(
    rng: np.random.Generator, outline: Outline, folds: list, radius: float
) -> list[tuple[float, float]]:
    """Centres of a cell's nuclei about the cell's own (px)."""
    if rng.random() < ANUCLEATE:
        return []
    spread = min(0.14 * radius, 0.3 * float(outline.radii.min()))
    place = rng.normal(0, spread, 2)
    for fold in folds:  # the nucleus lies under the cell that is left
        normal = np.array([np.cos(fold.angle), np.sin(fold.angle)])
        beyond = max(0.0, float(place @ normal) - fold.distance + 0.3 * radius)
        place = place - beyond * normal
    if rng.random() > BINUCLEATE:
        return [(float(place[0]), float(place[1]))]
    angle, gap = rng.uniform(0, 2 * np.pi), 0.16 * radius
    step = gap * np.array([np.cos(angle), np.sin(angle)])
    return [(float(p[0]), float(p[1])) for p in (place - step, place + step)]


def _draw_nucleus(
    rng: np.random.Generator,
    kind: Kind,
    centre: tuple[float, float],
    x: Field,
    y: Field,
    *,
    stain: Stain,
    mpp: float,
) -> tuple[Field, Mask, Field]:
    """Density (h, w) of a nucleus, its mask, and the factor by which the cytoplasm around it is thinner."""
    pyknotic = rng.random() < kind.pyknotic
    diameter = max(rng.normal(*kind.nucleus_um), 3.5) * (rng.uniform(0.6, 0.9) if pyknotic else 1.0)
    crenated = pyknotic or rng.random() < 0.15
    outline = draw_outline(
        rng,
        diameter / 2 / mpp,
        aspect=1 + rng.exponential(0.22),
        polygonal=rng.uniform(0.3, 1.0) if crenated else 0.05,
        waviness=(0.12 if crenated else 0.05) * kind.irregular,
        raggedness=0.004 * kind.irregular,
    )
    x, y = x - np.float32(centre[0]), y - np.float32(centre[1])
    depth = outline.depth(x, y)
    softness = np.float32(max(NUCLEUS_EDGE_UM / mpp * rng.uniform(0.7, 1.5), 1.2))
    cover = np.clip(depth / softness + 0.5, 0, 1)
    vesicular = not pyknotic and rng.random() < 0.3
    tone = (1.35 if pyknotic else 0.65 if vesicular else 1.0) * (1.3 if kind.irregular > 1 else 1.0)
    grain = kind.chromatin * (0.4 if pyknotic else 1.0) * rng.uniform(0.6, 1.4)
    chromatin = 1 + np.float32(0.13 * grain) * noise(rng, x.shape, 0.45 / mpp)
    chromatin += np.float32(0.10 * grain) * noise(rng, x.shape, 1.0 / mpp)
    rim = rng.uniform(0.0, 0.5 if vesicular else 0.3)
    chromatin += np.float32(rim) * np.exp(-np.square((depth - softness) / (1.2 * softness)))
    density = np.float32(stain.nucleus * tone * np.exp(rng.normal(0, 0.18)))
    return cover * np.maximum(chromatin, 0.2) * density, cover > ANNOTATED, _halo(rng, depth, mpp)


def _halo(rng: np.random.Generator, depth: Field, mpp: float) -> Field:
    """Thinner cytoplasm around a nucleus: a narrow gap of shrinkage or, rarely, a wide clearing."""
    kind = rng.random()
    if kind < 0.55:
        return np.ones_like(depth)
    width, strength = (rng.uniform(0.4, 0.9), rng.uniform(0.3, 0.9))
    if kind > 0.93:
        width, strength = rng.uniform(2.5, 6), rng.uniform(0.3, 0.7)
    outside = np.minimum(depth, 0) / np.float32(width / mpp)
    return 1 - np.float32(strength) * np.exp(-np.square(outside)) * (depth < 1)


def _granules(rng: np.random.Generator, cytoplasm: Mask, mpp: float) -> Field:
    """Keratohyalin granules and the like: small dark dots on the cytoplasm, relative to a nucleus."""
    dots = np.zeros(cytoplasm.shape, dtype=np.float32)
    if rng.random() > 0.35:
        return dots
    inside = np.flatnonzero(cytoplasm)
    places = rng.choice(inside, min(rng.poisson(rng.exponential(18)), len(inside)))
    sigma = rng.uniform(0.2, 0.4) / mpp
    dots.flat[places] = rng.uniform(0.1, 0.5, len(places)) * 2 * np.pi * sigma**2
    return gaussian_filter(dots, sigma)
