"""Where cells lie: local clusters with a given overlap, in numbers that vary from field to field."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from irnet.synthetic.kinds import KINDS, Kind

LayoutName = Literal["cps", "dense", "sparse"]


@dataclass(frozen=True)
class Layout:
    """Statistics of a field's arrangement."""

    density: float  # cytoplasms per mm2, cut ones counted
    dispersion: float  # r of the negative binomial of their number
    alone: float  # probability that the next cell starts a cluster of its own
    gap: tuple[float, float]  # distance of neighbours, as a share of the sum of their radii
    heaps: float  # share of the clusters whose cells lie on top of one another
    bare: float  # bare nuclei per cell


# cps: 4439 cytoplasms, 4789 nuclei in 413 fields of (252.9 um)^2 (IRNet, section 3).
# dense: composites of ISBI 2014, 92 % of cells overlapped. sparse: Cx22, 49 % overlapped.
LAYOUTS: dict[str, Layout] = {
    "cps": Layout(168.0, 6.0, 0.36, (0.48, 1.0), 0.05, 0.17),
    "dense": Layout(320.0, 8.0, 0.13, (0.46, 0.98), 0.15, 0.03),
    "sparse": Layout(190.0, 6.0, 0.6, (0.56, 1.0), 0.0, 0.1),
}

VISIBLE = 0.55  # a cell counts when its centre lies no further outside than this share of its radius
LARGEST_CLUSTER = 20
HEAP = (0.28, 0.7)  # distance of neighbours in a heap, as a share of the sum of their radii
ON_CELLS = 0.6  # share of the bare nuclei that lie among cells
ABNORMAL = 0.22  # of the smears: atrophic, inflamed or dysplastic, with many small and odd cells
ABNORMAL_SHARES = np.array([0, 0, 0.05, 0.12, 0.08, 0.05, 0.15, 0.08, 0.08])  # added, in the order of KINDS


@dataclass(frozen=True)
class Placement:
    """One cell to be drawn."""

    kind: Kind
    centre: tuple[float, float]  # x, y px
    radius: float  # px


@dataclass(frozen=True)
class Plan:
    """All cells and bare nuclei of a field."""

    cells: list[Placement]
    bare: list[Placement]


def expected_cells(layout: LayoutName, size: tuple[int, int], mpp: float) -> float:
    """Mean number of cytoplasms of a field of `size` (H, W) px."""
    return LAYOUTS[layout].density * size[0] * size[1] * (mpp / 1000) ** 2


def draw_count(rng: np.random.Generator, layout: LayoutName, size: tuple[int, int], mpp: float) -> int:
    """Number of cytoplasms: negative binomial."""
    mean, r = expected_cells(layout, size, mpp), LAYOUTS[layout].dispersion
    return int(rng.negative_binomial(r, r / (r + mean))) if mean > 0 else 0


def draw_plan(
    rng: np.random.Generator,
    layout: LayoutName,
    size: tuple[int, int],
    mpp: float,
    *,
    shares: NDArray[np.float64],
    count: int | None = None,
) -> Plan:
    """Place `count` cells (None: a drawn number) whose kinds come with probabilities `shares`."""
    statistics = LAYOUTS[layout]
    total = draw_count(rng, layout, size, mpp) if count is None else count
    alone = statistics.alone * rng.uniform(0.5, 2.0)
    nearest, farthest = statistics.gap
    gap = (min(nearest * rng.uniform(0.9, 1.6), farthest - 0.1), farthest)
    cells: list[Placement] = []
    cluster: list[Placement] = []
    heap = False
    for _ in range(total):
        fresh = not cluster or rng.random() < alone or len(cluster) >= LARGEST_CLUSTER
        placement = None if fresh else _beside(rng, cluster, shares, HEAP if heap else gap, size, mpp)
        if placement is None:
            placement, cluster = _anywhere(rng, cells, shares, size, mpp), []
            heap = rng.random() < statistics.heaps
        cells.append(placement)
        cluster.append(placement)
    bare = [_place_bare(rng, cells, shares, size, mpp) for _ in range(rng.poisson(statistics.bare * total))]
    return Plan(cells, bare)


def draw_shares(rng: np.random.Generator) -> NDArray[np.float64]:
    """A patient's mixture of kinds."""
    usual = np.array([kind.share for kind in KINDS])
    if rng.random() < ABNORMAL:
        usual = usual + ABNORMAL_SHARES
    return rng.dirichlet(usual * 10)


def _draw_kind(rng: np.random.Generator, shares: NDArray[np.float64], mpp: float) -> tuple[Kind, float]:
    kind = KINDS[rng.choice(len(KINDS), p=shares)]
    diameter = max(rng.normal(*kind.diameter_um), 1.25 * kind.nucleus_um[0])
    return kind, diameter / 2 / mpp


def _beside(
    rng: np.random.Generator,
    cluster: list[Placement],
    shares: NDArray[np.float64],
    gap: tuple[float, float],
    size: tuple[int, int],
    mpp: float,
) -> Placement | None:
    """A cell that touches or overlaps one of the cluster, or None when that leaves the field."""
    for _ in range(8):
        neighbour = cluster[rng.integers(len(cluster))]
        kind, radius = _draw_kind(rng, shares, mpp)
        distance = (neighbour.radius + radius) * rng.uniform(*gap)
        angle = rng.uniform(0, 2 * np.pi)
        x = neighbour.centre[0] + distance * np.cos(angle)
        y = neighbour.centre[1] + distance * np.sin(angle)
        placement = Placement(kind, (float(x), float(y)), radius)
        if _is_visible(placement, size) and not _is_buried(placement, cluster, gap[0]):
            return placement
    return None


def _anywhere(
    rng: np.random.Generator,
    cells: list[Placement],
    shares: NDArray[np.float64],
    size: tuple[int, int],
    mpp: float,
) -> Placement:
    """A cell of a new cluster, apart from the others where there is room."""
    kind, radius = _draw_kind(rng, shares, mpp)
    height, width = size
    margin = VISIBLE * radius
    placement = Placement(kind, (0.0, 0.0), radius)
    for _ in range(12):
        x, y = rng.uniform(-margin, width + margin), rng.uniform(-margin, height + margin)
        placement = Placement(kind, (float(x), float(y)), radius)
        if not _is_buried(placement, cells, 0.95):
            break
    return placement


def _place_bare(
    rng: np.random.Generator,
    cells: list[Placement],
    shares: NDArray[np.float64],
    size: tuple[int, int],
    mpp: float,
) -> Placement:
    """A bare nucleus, among the cells or alone."""
    if not cells or rng.random() > ON_CELLS:
        return _anywhere(rng, [], shares, size, mpp)
    kind, radius = _draw_kind(rng, shares, mpp)
    near = cells[rng.integers(len(cells))]
    x, y = np.clip(np.array(near.centre) + rng.normal(0, 0.8 * near.radius, 2), 0, size[::-1])
    return Placement(kind, (float(x), float(y)), radius)


def _is_visible(placement: Placement, size: tuple[int, int]) -> bool:
    (x, y), margin = placement.centre, VISIBLE * placement.radius
    return -margin < x < size[1] + margin and -margin < y < size[0] + margin


def _is_buried(placement: Placement, cells: list[Placement], gap: float) -> bool:
    """Whether it lies closer to another cell than the layout allows."""
    x, y = placement.centre
    return any(
        np.hypot(x - other.centre[0], y - other.centre[1]) < gap * (placement.radius + other.radius)
        for other in cells
    )
