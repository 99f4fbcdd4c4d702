"""One nucleus: outline, chromatin, membrane; round and pale, crumpled and dark, or pyknotic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.synthetic.kinds import Kind
from irnet.synthetic.shape import Outline, Point, bend, draw_outline, plane
from irnet.synthetic.texture import noise

Raster = NDArray[np.floating]

ANNOTATED = 0.35  # cover of a nucleus's edge that annotators still count as nucleus
FILLED = 0.9  # most of a cell's width that its nucleus takes up, more or less
REACH_UM = 2.5  # of the tile beyond the nucleus


@dataclass(frozen=True)
class Nucleus:
    """A drawn nucleus on a tile of its own."""

    corner: tuple[int, int]  # (x, y) of the tile in the field (px)
    density: Raster  # (h, w) relative to a common nucleus of the stain
    mask: NDArray[np.bool_]  # (h, w)
    depth: Raster  # (h, w) px inside the outline, negative outside


@dataclass(frozen=True)
class Look:
    """State of one nucleus; shares among real nuclei: a third crumpled, a quarter vesicular."""

    tone: float
    scale: float  # of the diameter
    polygonal: float
    waviness: float
    notches: float
    grain: float  # contrast of the chromatin
    membrane: float
    crease: float


def draw_nucleus(
    rng: np.random.Generator, kind: Kind, centre: Point, mpp: float, room_um: float = np.inf
) -> Nucleus:
    """A nucleus of the kind about `centre` (px of the field), in a cell that is `room_um` wide."""
    look = _draw_look(rng, kind)
    diameter = min(max(rng.normal(*kind.nucleus_um), 3.5) * look.scale, FILLED * room_um)
    outline = draw_outline(
        rng,
        diameter / 2 / mpp,
        aspect=1.06 + rng.gamma(1.7, 0.17),
        polygonal=look.polygonal,
        waviness=look.waviness,
        notches=look.notches,
        raggedness=0.004,
    )

    half = int(outline.reach * 1.15 + REACH_UM / mpp + 2)
    x0, y0 = round(centre[0]) - half, round(centre[1]) - half
    x, y = plane(half, (centre[0] - round(centre[0]), centre[1] - round(centre[1])))
    x, y = bend(
        x, y, rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25 if look.crease else 0.08) * mpp / diameter
    )

    depth, _ = outline.depth(x, y)
    softness = np.float32(max(rng.uniform(0.65, 1.25) / mpp, 1.3))
    cover = np.clip(depth / softness + 0.5, 0, 1)

    body = _draw_chromatin(rng, look, depth, x, y, outline, mpp)
    tone = np.float32(look.tone * np.exp(rng.normal(0, kind.tones)))
    return Nucleus((x0, y0), cover * body * tone, cover > ANNOTATED, depth)


def _draw_look(rng: np.random.Generator, kind: Kind) -> Look:
    irregular, draw = kind.irregular, rng.random()
    if draw < kind.pyknotic:
        return Look(
            tone=1.32,
            scale=rng.uniform(0.62, 0.9),
            polygonal=rng.uniform(0, 0.8),
            waviness=0.10 * irregular,
            notches=0.15,
            grain=0.3,
            membrane=0.0,
            crease=0.0,
        )

    grain = kind.chromatin * rng.uniform(0.6, 1.4)

    if draw > 0.70:  # crumpled: folded on itself, angular
        notches = rng.exponential(0.8)
        return Look(
            tone=1.18,
            scale=0.9,
            polygonal=rng.uniform(0.5, 1),
            waviness=0.14 * irregular,
            notches=notches,
            grain=1.1 * grain,
            membrane=0.1,
            crease=0.4,
        )

    if draw > 0.48:  # vesicular: pale, with a visible membrane
        return Look(
            tone=0.78,
            scale=1.05,
            polygonal=0.0,
            waviness=0.03 * irregular,
            notches=0.0,
            grain=1.25 * grain,
            membrane=rng.uniform(0.15, 0.5),
            crease=0.0,
        )

    return Look(
        tone=1.0,
        scale=1.0,
        polygonal=rng.uniform(0, 0.3),
        waviness=0.06 * irregular,
        notches=0.12 * irregular,
        grain=grain,
        membrane=0.1,
        crease=0.0,
    )


def _draw_chromatin(
    rng: np.random.Generator, look: Look, depth: Raster, x: Raster, y: Raster, outline: Outline, mpp: float
) -> Raster:
    """Relative density inside: grain at two scales, membrane, creases, thinner towards the edge."""
    body = 1 + np.float32(0.085 * look.grain) * noise(rng, x.shape, 0.42 / mpp)
    body += np.float32(0.08 * look.grain) * noise(rng, x.shape, 0.85 / mpp)
    body += np.float32(0.07) * noise(rng, x.shape, 2.2 / mpp)
    body -= np.float32(0.18) * np.exp(np.minimum(-depth * np.float32(mpp / 0.6), 0))

    if look.membrane:
        line = (depth - np.float32(0.55 / mpp)) * np.float32(mpp / 0.4)
        body += np.float32(look.membrane) * np.exp(-np.square(line))

    for _ in range(rng.poisson(2.0) if look.crease else 0):
        angle = rng.uniform(0, 2 * np.pi)
        across = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
        across = across - np.float32(rng.normal(0, 0.4) * outline.reach)
        width = np.float32(rng.uniform(0.4, 1.5) / mpp)
        body += np.float32(rng.normal(0.25, 0.3) * look.crease) * np.exp(-np.square(across / width))
    return np.maximum(body, np.float32(0.25))
