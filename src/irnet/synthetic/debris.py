"""What a detector must not take for cells: white and red blood cells, bacteria, mucus, scraps, specks."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter, label

from irnet.cells import Distractor
from irnet.synthetic.dirt import Dirt
from irnet.synthetic.ground import add_ground, draw_smudge, red_sheets
from irnet.synthetic.shape import Outline, Point, draw_outline, plane
from irnet.synthetic.stain import Colour, Density, Stain
from irnet.synthetic.texture import cloud, noise, wide_noise

Raster = NDArray[np.floating]
Gathering = tuple[float, NDArray[np.float64]]

FIELD_MM2 = 0.064  # the field of the paper, (252.9 um)^2, for which the numbers below are meant
STOCK = 25  # different pieces of a kind in a field; further ones are these, turned
RED_SEEN = 0.5  # cover from which a pixel belongs to a box of red cells in a sheet
SEEN = 0.02  # optical density from which a pixel belongs to a distractor's box


def add_debris(
    rng: np.random.Generator, density: Density, dirt: Dirt, cells: list[Point], *, stain: Stain, mpp: float
) -> list[Distractor]:
    """Draw a field's debris onto `density`, some of it on the cells at `cells` (px); say what lies where."""
    share = float(np.prod(density.shape)) * mpp**2 / 1e6 / FIELD_MM2
    add_ground(rng, density, dirt, stain, mpp)

    c, s = np.cos(dirt.flow), np.sin(dirt.flow)
    along = np.array([[c, s], [-s, c]]) * np.array(dirt.streak)[:, None]
    lone, swarm = (0.3, 7.0 * np.eye(2)), (dirt.gathered, along)

    kinds: list[tuple[str, float, Callable[..., tuple[Raster, Colour]], float, Gathering]] = [
        ("scrap", dirt.scraps, _draw_scrap, 0.3, lone),
        ("clot", dirt.clots, _draw_clot, 0.5, lone),
        ("red_cell", dirt.red_cells, _draw_red_cell, 0.2, lone),
        ("speck", dirt.specks, _draw_speck, 0.8, lone),
        ("white_cell", dirt.white_cells, _draw_white_cell, dirt.white_on_cells, swarm),
    ]

    found: list[Distractor] = []
    for name, expected, draw, on_cells, gathering in kinds:
        places = _places(rng, rng.poisson(expected * share), density.shape, cells, on_cells, gathering, mpp)
        stock = [draw(rng, stain, mpp) for _ in places[:STOCK]]
        for number, (x, y) in enumerate(places):
            tile, colour = stock[number] if number < STOCK else _turn(rng, *stock[rng.integers(STOCK)])
            corner = (round(x - tile.shape[1] / 2), round(y - tile.shape[0] / 2))
            density.add(tile, corner, colour)
            found += _as_distractor(name, tile, corner, density.shape)

    for x, y in _places(rng, rng.poisson(dirt.smudges * share), density.shape, cells, 0.8, lone, mpp):
        film, colour = draw_smudge(rng, stain, mpp)
        density.add(film, (round(x - film.shape[1] / 2), round(y - film.shape[0] / 2)), colour)

    if dirt.red_sheets:
        found += _add_red_sheets(rng, density, dirt, stain, mpp)
    return found


def _add_red_sheets(
    rng: np.random.Generator, density: Density, dirt: Dirt, stain: Stain, mpp: float
) -> list[Distractor]:
    """Red cells side by side; those that touch one another share a box."""
    cover = red_sheets(rng, dirt.red_sheets, density.shape, mpp, dirt.flow)
    uneven = 1 + np.float32(0.12) * wide_noise(rng, density.shape, 4 / mpp)
    density.add(cover * uneven * np.float32(rng.uniform(0.8, 2.2) * stain.cytoplasm), (0, 0), stain.orange)

    labels = np.zeros(cover.shape, np.int32)
    label(cover > RED_SEEN, output=labels)
    islands = find_objects(labels)
    boxes = [(float(c.start), float(r.start), float(c.stop), float(r.stop)) for r, c in islands]
    return [Distractor(kind="red_cell", box=box) for box in boxes]


def _turn(rng: np.random.Generator, tile: Raster, colour: Colour) -> tuple[Raster, Colour]:
    """A piece that was drawn before, turned by quarters, perhaps mirrored, a little darker or paler."""
    turned = np.rot90(tile, int(rng.integers(4)))
    mirrored = turned[::-1] if rng.random() < 0.5 else turned
    return mirrored * np.float32(rng.uniform(0.8, 1.2)), colour


def _places(
    rng: np.random.Generator,
    count: int,
    shape: tuple[int, int],
    cells: list[Point],
    on_cells: float,
    gathering: Gathering,
    mpp: float,
) -> list[Point]:
    """Points (px) in the field, some on cells, some beside one another.

    Args:
        on_cells: probability that a piece that lies by itself lies on a cell.
        gathering: probability that a piece lies beside an earlier one, and axes (2, 2) of its distance (um).
    """
    beside, axes_um = gathering
    points: list[Point] = []
    for _ in range(count):
        if points and rng.random() < beside:
            centre, spread = points[rng.integers(len(points))], axes_um / mpp
        elif cells and rng.random() < on_cells:
            centre, spread = cells[rng.integers(len(cells))], np.eye(2) * 13 / mpp
        else:
            centre, spread = (rng.uniform(0, shape[1]), rng.uniform(0, shape[0])), np.zeros((2, 2))
        x, y = np.array(centre) + rng.normal(0, 1, 2) @ spread
        points.append((float(x), float(y)))
    return points


def _as_distractor(
    kind: str, tile: Raster, corner: tuple[int, int], shape: tuple[int, int]
) -> list[Distractor]:
    rows, columns = (np.flatnonzero((tile > SEEN).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    x, y = corner
    x1, x2 = np.clip([x + columns[0], x + columns[-1] + 1], 0, shape[1])
    y1, y2 = np.clip([y + rows[0], y + rows[-1] + 1], 0, shape[0])
    if x2 <= x1 or y2 <= y1:
        return []
    return [Distractor(kind=kind, box=(float(x1), float(y1), float(x2), float(y2)))]


def _draw_white_cell(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Raster, Colour]:
    """A polymorph: touching lobes, uniformly dark, in a body that is seldom seen; or a lymphocyte."""
    draw = rng.random()
    lymphocyte, lobes = draw < 0.15, 1 if draw < 0.35 else int(rng.integers(2, 6))
    radii = rng.uniform(2.3, 3.3, 1) if lymphocyte else rng.uniform(0.9, 2.6 if lobes == 1 else 2.1, lobes)
    places = _bunch(rng, radii)

    body_radius = rng.uniform(3.5, 6)
    x, y = plane(int((max(np.abs(places).max() + 2 * radii.max(), 1.5 * body_radius) + 1) / mpp) + 2)

    softness = np.float32(max(0.85 / mpp, 1.0))
    nucleus = np.zeros_like(x)
    for place, radius in zip(places / mpp, radii / mpp, strict=True):
        lobe = _draw_lobe_outline(rng, radius)
        depth, _ = lobe.depth(x - np.float32(place[0]), y - np.float32(place[1]))
        nucleus = np.maximum(nucleus, np.clip(depth / softness + 0.5, 0, 1))

    tone = np.float32(rng.uniform(1.05, 1.65)) * (1 + np.float32(0.06) * noise(rng, x.shape, 0.5 / mpp))
    density = nucleus * tone

    if rng.random() < (0.4 if stain.grey else 0.5):
        cover = _draw_lobe_outline(rng, body_radius / mpp).depth(x, y)[0] / (2 * softness)
        film = np.clip(cover + 0.5, 0, 1) * np.maximum(1 + np.float32(0.2) * cloud(rng, x.shape, mpp), 0)
        density = density + np.float32(min(rng.lognormal(-2.6, 0.7), 0.5)) * film
    return density * np.float32(stain.nucleus), stain.haematoxylin


def _draw_lobe_outline(rng: np.random.Generator, radius: float) -> Outline:
    """The outline of a lobe or a body: a blunt, slightly bent round."""
    return draw_outline(
        rng,
        radius,
        aspect=1 + min(rng.exponential(0.3), 1.0),
        polygonal=rng.uniform(0, 0.6),
        waviness=0.12,
        notches=0.2,
        raggedness=0.01,
    )


def _bunch(rng: np.random.Generator, radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (lobes, 2) of touching lobes of these radii (um), each beside one of the last two."""
    places = np.zeros((len(radii), 2))
    for i in range(1, len(radii)):
        beside = max(0, i - int(rng.integers(1, 3)))
        angle = rng.uniform(0, 2 * np.pi, 8)
        distance = (radii[beside] + radii[i]) * rng.uniform(0.7, 1.05)
        tries = places[beside] + distance * np.stack([np.cos(angle), np.sin(angle)], 1)
        apart = np.hypot(*(tries[:, None] - places[:i]).transpose(2, 0, 1)).min(axis=1)
        places[i] = tries[apart.argsort()[-1 - rng.integers(4)]]
    return places - places.mean(axis=0)


def _draw_red_cell(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Raster, Colour]:
    """A disc, flat or dimpled, often bent or pressed out of shape."""
    outline = draw_outline(
        rng,
        rng.uniform(2.6, 3.9) / mpp,
        aspect=1 + min(rng.exponential(0.3), 1.5),
        polygonal=rng.uniform(0, 0.8),
        waviness=0.06,
        notches=0.3,
        raggedness=0.0,
    )
    x, y = plane(int(outline.reach + 2 / mpp) + 2)
    depth, _ = outline.depth(x, y)
    disc = np.clip(depth / np.float32(max(0.5 / mpp, 1)) + 0.5, 0, 1)
    dimple = 1 - np.float32(rng.uniform(0, 0.5)) * np.exp(-(x**2 + y**2) / np.float32((1.5 / mpp) ** 2))
    return disc * dimple * np.float32(rng.uniform(1.0, 2.5) * stain.cytoplasm), stain.orange


def _draw_speck(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Raster, Colour]:
    """A small irregular grain, pale or very dark."""
    size = min(rng.lognormal(-0.1, 0.6), 5)
    outline = _draw_lump_outline(rng, max(size / 2 / mpp, 0.8))
    x, y = plane(int(outline.reach) + 4)
    cover = np.clip(outline.depth(x, y)[0] / np.float32(max(0.5 / mpp, 1.0)) + 0.5, 0, 1)
    return cover * np.float32(rng.uniform(0.1, 1.3) * stain.nucleus), stain.haematoxylin


def _draw_scrap(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Raster, Colour]:
    """A torn, granular piece of cytoplasm without a nucleus."""
    size = rng.uniform(6, 22)
    outline = _draw_lump_outline(rng, size / 2 / mpp)
    x, y = plane(int(outline.reach + 2 / mpp) + 2)
    depth, _ = outline.depth(x, y)
    depth += np.float32(0.5 / mpp) * noise(rng, x.shape, 0.8 / mpp)
    film = np.clip(depth / np.float32(max(1.2 / mpp, 1)) + 0.5, 0, 1)
    texture = (
        1 + np.float32(0.3) * cloud(rng, x.shape, mpp) + np.float32(0.12) * noise(rng, x.shape, 0.6 / mpp)
    )
    film *= np.maximum(texture, 0.1)
    return film * np.float32(stain.cytoplasm * rng.uniform(0.3, 2.0)), stain.cell_colour(rng, 0.3)


def _draw_clot(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Raster, Colour]:
    """A dark lump, round or smeared out, often out of focus."""
    size, sigma = rng.uniform(4, 18), rng.uniform(0, 1.5) * (rng.random() < 0.6) / mpp
    outline = _draw_lump_outline(rng, size / 2 / mpp)
    x, y = plane(int(outline.reach + 3 * sigma) + 4)
    cover = np.clip(outline.depth(x, y)[0] / np.float32(max(1.0 / mpp, 1)) + 0.5, 0, 1)
    lump = cover * np.maximum(1 + np.float32(0.35) * noise(rng, x.shape, 1.5 / mpp), 0)
    lump = gaussian_filter(lump, sigma)
    return lump * np.float32(stain.nucleus * rng.uniform(0.2, 1.5)), stain.haematoxylin


def _draw_lump_outline(rng: np.random.Generator, radius: float) -> Outline:
    """The outline of a shapeless piece."""
    return draw_outline(
        rng,
        radius,
        aspect=1 + rng.exponential(0.6),
        polygonal=rng.uniform(0, 0.8),
        waviness=0.3,
        notches=0.7,
        raggedness=0.03,
    )
