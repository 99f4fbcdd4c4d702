"""What a detector must not take for cells: white and red blood cells, bacteria, mucus, scraps, specks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from irnet.cells import Distractor
from irnet.synthetic.shape import draw_folds, draw_outline, layers
from irnet.synthetic.stain import Density, Stain
from irnet.synthetic.texture import noise, wide_noise

Field = NDArray[np.float32]
Point = tuple[float, float]

FIELD_MM2 = 0.064  # the field of the paper, for which the numbers below are meant: (252.9 um)^2


@dataclass(frozen=True)
class Dirt:
    """How dirty a patient's smear is: expected numbers in a field of the paper's size."""

    white_cells: float
    red_cells: float
    rods: float
    specks: float
    scraps: float
    mucus: float
    clots: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Dirt":
        """A patient's dirt: mostly little of each, rarely very much."""
        return cls(
            white_cells=min(rng.gamma(0.7, 9), 40),
            red_cells=rng.gamma(0.15, 12),
            rods=rng.gamma(0.3, 120),
            specks=rng.gamma(1.0, 8),
            scraps=rng.gamma(0.8, 1.2),
            mucus=float(rng.random() < 0.2),
            clots=rng.gamma(0.3, 1.0),
        )


def add_debris(
    rng: np.random.Generator, density: Density, dirt: Dirt, cells: list[Point], *, stain: Stain, mpp: float
) -> list[Distractor]:
    """Draw a field's debris onto `density`, some of it on the cells at `cells` (px); say what lies where."""
    size_um = np.array(density.shape) * mpp
    share = float(size_um.prod()) / 1e6 / FIELD_MM2
    found: list[Distractor] = []
    if dirt.mucus and rng.random() < 0.6:
        _add_mucus(rng, density, stain, mpp)
    if dirt.rods > 1:
        _add_rods(rng, density, cells, rng.poisson(dirt.rods * share), stain, mpp)
    kinds: list[tuple[str, float, Callable[..., tuple[Field, NDArray[np.float32]]], float]] = [
        ("scrap", dirt.scraps, _draw_scrap, 0.3),
        ("clot", dirt.clots, _draw_clot, 0.3),
        ("red_cell", dirt.red_cells, _draw_red_cell, 0.2),
        ("speck", dirt.specks, _draw_speck, 0.5),
        ("white_cell", dirt.white_cells, _draw_white_cell, 0.6),
    ]
    for name, expected, draw, on_cells in kinds:
        for x, y in _places(rng, rng.poisson(expected * share), density.shape, cells, on_cells, mpp):
            tile, colour = draw(rng, stain, mpp)
            corner = (round(x - tile.shape[1] / 2), round(y - tile.shape[0] / 2))
            density.add(tile, corner, colour)
            found += _as_distractor(name, tile, corner, density.shape)
    return found


def _places(
    rng: np.random.Generator,
    count: int,
    shape: tuple[int, int],
    cells: list[Point],
    on_cells: float,
    mpp: float,
) -> list[Point]:
    """Points in the field, some beside one another, some on cells."""
    points: list[Point] = []
    for _ in range(count):
        if points and rng.random() < 0.35:
            centre, spread = points[rng.integers(len(points))], 8 / mpp
        elif cells and rng.random() < on_cells:
            centre, spread = cells[rng.integers(len(cells))], 14 / mpp
        else:
            centre, spread = (rng.uniform(0, shape[1]), rng.uniform(0, shape[0])), 0.0
        x, y = np.array(centre) + rng.normal(0, 1, 2) * spread
        points.append((float(x), float(y)))
    return points


def _as_distractor(
    kind: str, tile: Field, corner: tuple[int, int], shape: tuple[int, int]
) -> list[Distractor]:
    rows, columns = (np.flatnonzero((tile > 0.02).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    x, y = corner
    x1, x2 = np.clip([x + columns[0], x + columns[-1] + 1], 0, shape[1])
    y1, y2 = np.clip([y + rows[0], y + rows[-1] + 1], 0, shape[0])
    return (
        [Distractor(kind=kind, box=(float(x1), float(y1), float(x2), float(y2)))]
        if x2 > x1 and y2 > y1
        else []
    )


def _plane(side_um: float, mpp: float) -> tuple[Field, Field]:
    half = max(int(side_um / 2 / mpp), 4)
    steps = np.arange(-half, half + 1, dtype=np.float32)
    return np.broadcast_to(steps[None, :], (2 * half + 1,) * 2), np.broadcast_to(
        steps[:, None], (2 * half + 1,) * 2
    )


def _disc(x: Field, y: Field, centre: Point, radius: float, softness: float) -> Field:
    distance = np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1]))
    return np.clip((np.float32(radius) - distance) / np.float32(softness) + 0.5, 0, 1)


def _draw_white_cell(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Field, NDArray[np.float32]]:
    """A polymorph: two to five dark lobes in a pale body; or a lymphocyte with a round nucleus."""
    x, y = _plane(16, mpp)
    softness = max(0.6 / mpp, 1.0)
    body = 0.12 * rng.random() ** 2 * _disc(x, y, (0, 0), rng.uniform(4.5, 6) / mpp, 4 * softness)
    nucleus = np.zeros_like(x)
    lobes = 1 if rng.random() < 0.2 else int(rng.integers(2, 6))
    place, turn = np.zeros(2), rng.uniform(0, 2 * np.pi)
    for _ in range(lobes):
        radius = rng.uniform(2.3, 3.2) if lobes == 1 else rng.uniform(1.1, 2.0)
        nucleus = np.maximum(nucleus, _disc(x, y, (place[0], place[1]), radius / mpp, softness))
        turn += rng.normal(0.8, 0.6)
        place = place + rng.uniform(1.8, 2.8) / mpp * np.array([np.cos(turn), np.sin(turn)])
        place = np.clip(place, -4.5 / mpp, 4.5 / mpp)
    tone = rng.uniform(0.8, 1.7) * (1 + 0.12 * noise(rng, x.shape, 0.5 / mpp))
    return (body + nucleus * tone) * np.float32(stain.nucleus), stain.haematoxylin


def _draw_red_cell(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Field, NDArray[np.float32]]:
    x, y = _plane(10, mpp)
    disc = _disc(x, y, (0, 0), rng.uniform(2.8, 3.7) / mpp, max(0.6 / mpp, 1))
    dimple = 1 - 0.4 * np.exp(-(x**2 + y**2) / np.float32((1.5 / mpp) ** 2))
    return disc * dimple * np.float32(rng.uniform(1.0, 2.5) * stain.cytoplasm), stain.orange


def _draw_speck(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Field, NDArray[np.float32]]:
    """A small irregular grain, pale or very dark."""
    size = min(rng.lognormal(-0.2, 0.6), 5)
    x, y = _plane(4 * size + 2, mpp)
    outline = draw_outline(
        rng,
        max(size / 2 / mpp, 0.8),
        aspect=1 + rng.exponential(0.6),
        polygonal=0.3,
        waviness=0.3,
        raggedness=0.05,
    )
    cover = np.clip(outline.depth(x, y) / max(0.5 / mpp, 1.0) + 0.5, 0, 1)
    return cover * np.float32(rng.uniform(0.1, 1.6) * stain.nucleus), stain.haematoxylin


def _draw_scrap(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Field, NDArray[np.float32]]:
    """A torn piece of cytoplasm without a nucleus."""
    size = rng.uniform(6, 22)
    x, y = _plane(2.6 * size, mpp)
    outline = draw_outline(
        rng, size / 2 / mpp, aspect=1 + rng.exponential(0.7), polygonal=0.6, waviness=0.35, raggedness=0.06
    )
    film = layers(outline, draw_folds(rng, outline, 0.5), x, y, softness=max(0.8 / mpp, 1), rim=0.2)
    film = film * np.maximum(
        1 + 0.4 * noise(rng, x.shape, 1.2 / mpp) + 0.2 * noise(rng, x.shape, 0.4 / mpp), 0
    )
    return film * np.float32(stain.cytoplasm * rng.uniform(0.3, 1.6)), stain.cell_colour(rng, 0.3)


def _draw_clot(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Field, NDArray[np.float32]]:
    """A dark lump, often out of focus."""
    size = rng.uniform(4, 20)
    x, y = _plane(2.5 * size + 12, mpp)
    outline = draw_outline(
        rng, size / 2 / mpp, aspect=1 + rng.exponential(0.5), polygonal=0.2, waviness=0.4, raggedness=0.03
    )
    cover = np.clip(outline.depth(x, y) / max(1.0 / mpp, 1) + 0.5, 0, 1)
    lump = cover * np.maximum(1 + 0.35 * noise(rng, x.shape, 1.5 / mpp), 0)
    lump = gaussian_filter(lump, rng.uniform(0, 1.8) / mpp)
    return lump * np.float32(stain.nucleus * rng.uniform(0.2, 1.3)), stain.haematoxylin


def _add_rods(
    rng: np.random.Generator, density: Density, cells: list[Point], count: int, stain: Stain, mpp: float
) -> None:
    """Bacteria: rods of 2 to 6 um on cells and between them, drawn at twice the size."""
    height, width = density.shape
    canvas = Image.new("L", (2 * width, 2 * height))
    draw = ImageDraw.Draw(canvas)
    for x, y in _places(rng, count, density.shape, cells, 0.8, mpp):
        angle, length = rng.uniform(0, np.pi), rng.uniform(2, 6) / mpp
        dx, dy = length * np.cos(angle), length * np.sin(angle)
        ends = [2 * (x - dx / 2), 2 * (y - dy / 2), 2 * (x + dx / 2), 2 * (y + dy / 2)]
        draw.line(ends, fill=int(rng.uniform(60, 255)), width=max(1, round(2 * 0.7 / mpp)))
    film = np.asarray(canvas.resize((width, height), Image.Resampling.BOX), dtype=np.float32) / 255
    density.add(film * np.float32(0.3 * stain.nucleus * rng.uniform(0.4, 1.4)), (0, 0), stain.haematoxylin)


def _add_mucus(rng: np.random.Generator, density: Density, stain: Stain, mpp: float) -> None:
    """A veil with strands: where slow noise crosses a level, in patches."""
    slow, patches = wide_noise(rng, density.shape, 12 / mpp), wide_noise(rng, density.shape, 50 / mpp)
    strands = np.exp(-np.square(slow / np.float32(rng.uniform(0.05, 0.2)))) + np.float32(0.5)
    film = strands * np.clip(patches - np.float32(0.3), 0, 1.5)
    density.add(
        film * np.float32(rng.uniform(0.1, 0.5) * stain.cytoplasm), (0, 0), stain.cell_colour(rng, 0.5)
    )
