"""What lies on the glass over the whole field: bacteria, crumbs, mucus, threads, red cells, scratches."""

import numpy as np
from numpy.typing import NDArray

from irnet.synthetic.dirt import Dirt
from irnet.synthetic.shape import plane
from irnet.synthetic.stain import Colour, Density, Stain
from irnet.synthetic.texture import cloud, dots, noise, paving, rods, streaks, wide_noise, wrinkles

Raster = NDArray[np.floating]
HOLES_UM = (0.9, 0.6)  # radius of a drop, log-normal
COLOURED = 0.25  # share of the veils that take up the dyes as cells do
MOST_VEILS = 3
FLAT = 1.5  # thickness of a veil at most, relative to its mean


def add_ground(rng: np.random.Generator, density: Density, dirt: Dirt, stain: Stain, mpp: float) -> None:
    """Draw onto `density` what lies under and between the cells of a field."""
    shape, flow = density.shape, dirt.flow
    if dirt.rods > 0:
        patches = np.clip(wide_noise(rng, shape, 16 / mpp) - np.float32(0.6), 0, 1)
        density.add(patches * rods(rng, shape, mpp) * np.float32(dirt.rods), (0, 0), stain.haematoxylin)

    patches = np.clip(wide_noise(rng, shape, 25 / mpp) + np.float32(0.2), 0, 2)
    crumbs = np.maximum(noise(rng, shape, 0.55 / mpp) - np.float32(2.2), 0) + dots(rng, shape, mpp)
    density.add(patches * crumbs * np.float32(dirt.crumbs), (0, 0), stain.haematoxylin)

    if rng.random() < dirt.mucus:
        _add_mucus(rng, density, flow, stain, mpp)

    if veils := min(rng.poisson(dirt.veils), MOST_VEILS):
        streaky = streaks(rng, shape, rng.uniform(1.5, 5) / mpp, rng.uniform(4, 15), flow)
        for _ in range(veils):
            _add_veil(rng, density, streaky, dirt.holes, stain, mpp)

    if dirt.threads > 0:
        hairs = streaks(rng, shape, rng.uniform(0.5, 0.9) / mpp, rng.uniform(25, 80), flow)
        patches = np.clip(wide_noise(rng, shape, 30 / mpp) + np.float32(0.5), 0, 1.5)
        density.add(
            np.maximum(hairs - np.float32(1.2), 0) * patches * np.float32(dirt.threads),
            (0, 0),
            stain.haematoxylin,
        )

    if rng.random() < dirt.scratches:
        _add_scratch(rng, density, stain, mpp)


def red_sheets(
    rng: np.random.Generator, share: float, shape: tuple[int, int], mpp: float, flow: float
) -> Raster:
    """Cover (H, W), 0 to 1, of red cells side by side in bands and heaps over about `share` of a field."""
    band = streaks(rng, shape, rng.uniform(8, 25) / mpp, rng.uniform(1, 4), flow)
    bare = np.quantile(band[::16, ::16], 1 - share)
    fullness = np.float32(0.2) + np.float32(rng.uniform(0.3, 1.2)) * (band - np.float32(bare))
    return np.clip((paving(rng, shape, mpp) - 1 + np.clip(fullness, -1, 0.95)) * 12, 0, 1)


def draw_smudge(rng: np.random.Generator, stain: Stain, mpp: float) -> tuple[Raster, Colour]:
    """A thick patch of dried mucus or blood that lies on cells: lumpy, without an edge."""
    radius = rng.uniform(15, 50) / mpp
    x, y = plane(int(1.5 * radius))
    lumps = np.float32(0.35) * wide_noise(rng, x.shape, 0.25 * radius) - np.hypot(x, y) / np.float32(radius)
    film = np.clip(1.0 + lumps, 0, 1) * np.maximum(1 + np.float32(0.4) * cloud(rng, x.shape, mpp), 0)
    dyes = (stain.orange, stain.cyanophilic, stain.haematoxylin)
    return film * np.float32(rng.uniform(0.3, 1.6) * stain.cytoplasm), dyes[rng.integers(len(dyes))]


def _add_mucus(rng: np.random.Generator, density: Density, flow: float, stain: Stain, mpp: float) -> None:
    """A faint veil in patches, drawn out in one direction."""
    streaky = streaks(rng, density.shape, 5 / mpp, rng.uniform(3, 8), flow)
    patches = np.clip(wide_noise(rng, density.shape, 40 / mpp) - np.float32(0.3), 0, 1.5)
    film = patches * np.maximum(1 + np.float32(0.4) * streaky, 0)
    strength = np.float32(rng.uniform(0.1, 0.5) * stain.cytoplasm)
    density.add(film * strength, (0, 0), stain.cell_colour(rng, 0.5))


def _add_veil(
    rng: np.random.Generator, density: Density, streaky: Raster, holes: float, stain: Stain, mpp: float
) -> None:
    """A coloured sheet of mucus: an edge that fades or ends, streaks, wrinkles, holes that drops left."""
    shape = density.shape
    patches = wide_noise(rng, shape, rng.uniform(20, 50) / mpp) + np.float32(rng.uniform(0, 0.2)) * streaky
    steep = np.float32(np.exp(rng.uniform(np.log(0.5), np.log(4))))
    film = np.clip((patches - np.float32(rng.normal(0.3, 0.5))) * steep, 0, FLAT)
    texture = 1 + np.float32(rng.uniform(0.1, 0.4)) * streaky
    texture += np.float32(rng.uniform(0, 0.2)) * wrinkles(rng, shape, mpp)
    texture += np.float32(rng.uniform(0, 0.12)) * noise(rng, shape, 0.5 / mpp)
    film *= np.maximum(texture, 0)

    for _ in range(rng.poisson(holes)):
        _push_aside(rng, film, mpp)
    strength = np.float32(min(rng.lognormal(-1.0, 0.7), 1.3) * stain.cytoplasm)
    colour = stain.cell_colour(rng, 0.0) if rng.random() < COLOURED else stain.cyanophilic
    density.add(film * strength, (0, 0), colour)


def _push_aside(rng: np.random.Generator, film: Raster, mpp: float) -> None:
    """A drop in a film: clear inside, its edge a little denser."""
    radius = float(np.clip(rng.lognormal(*HOLES_UM), 0.8, 12) / mpp)
    y, x = (int(rng.integers(n)) for n in film.shape)
    half = int(radius + 2 / mpp) + 2
    top, left = max(0, y - half), max(0, x - half)
    part = film[top : y + half + 1, left : x + half + 1]
    rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
    depth = radius - np.hypot(rows - (y - top), columns - (x - left)).astype(np.float32)
    inside = np.clip(depth / np.float32(max(0.5 / mpp, 1)) + 0.5, 0, 1)
    rim = np.exp(-np.square((depth + np.float32(0.5 / mpp)) / np.float32(max(0.5 / mpp, 1))))
    part *= (1 - np.float32(rng.uniform(0.5, 1)) * inside) * (1 + np.float32(rng.uniform(0, 0.8)) * rim)


def _add_scratch(rng: np.random.Generator, density: Density, stain: Stain, mpp: float) -> None:
    """A long fine line on the glass, nearly straight."""
    height, width = density.shape
    y, x = np.ogrid[:height, :width]
    x, y = x - np.float32(rng.uniform(0, width)), y - np.float32(rng.uniform(0, height))
    angle = rng.uniform(0, np.pi)
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    across = y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))
    across = across + np.float32(rng.normal(0, 0.1) / width) * np.square(along)
    line = np.exp(-np.square(across * np.float32(mpp / rng.uniform(0.4, 1.2))))
    density.add(line * np.float32(rng.uniform(0.02, 0.12)), (0, 0), stain.haematoxylin)
