"""Where cells lie: local clusters with a given overlap, in numbers that vary from field to field."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import nbdtr

from irnet.synthetic.shape import Point

LayoutName = Literal["cps", "dense", "heaped", "crowded", "sparse"]
T = TypeVar("T")
Draw = Callable[[], tuple[T, float]]  # an item and its radius (px)


HEAP = (0.28, 0.7)


@dataclass(frozen=True)
class Layout:
    """Statistics of a field's arrangement."""

    density: float  # cytoplasms per mm2, cut ones counted
    dispersion: int  # r of the negative binomial of their number
    alone: float  # probability that the next cell starts a cluster of its own
    gap: tuple[float, float]  # distance of neighbours, as a share of the sum of their radii
    heaps: float  # share of the clusters whose cells lie on top of one another
    heap_gap: tuple[float, float]  # distance of neighbours in these, the same share
    bare: float  # bare nuclei per cell
    crowds: float = 0.0  # share of the clusters that are crowds of small cells of one kind


# heaped: piles as in conventional smears; others cover more than 60 % of seven cells in ten (dense: a third).
# crowded: groups of small, dark cells beside others, as in severe dysplasia.
# cps: 4439 cytoplasms, 4789 nuclei in 413 fields of (252.9 um)^2 (IRNet, section 3).
# dense: composites of ISBI 2014, 92 % of cells overlapped. sparse: Cx22, 49 % overlapped.
LAYOUTS: dict[str, Layout] = {
    "cps": Layout(
        density=168.0, dispersion=6, alone=0.36, gap=(0.48, 1.0), heaps=0.05, heap_gap=HEAP, bare=0.185
    ),
    "dense": Layout(
        density=320.0, dispersion=8, alone=0.13, gap=(0.46, 0.98), heaps=0.15, heap_gap=HEAP, bare=0.03
    ),
    "heaped": Layout(
        density=320.0, dispersion=4, alone=0.12, gap=(0.3, 0.95), heaps=0.5, heap_gap=(0.1, 0.55), bare=0.03
    ),
    "crowded": Layout(
        density=500.0,
        dispersion=4,
        alone=0.15,
        gap=(0.3, 0.95),
        heaps=0.3,
        heap_gap=(0.1, 0.55),
        bare=0.06,
        crowds=0.4,
    ),
    "sparse": Layout(
        density=190.0, dispersion=6, alone=0.6, gap=(0.56, 1.0), heaps=0.0, heap_gap=HEAP, bare=0.1
    ),
}

VISIBLE = 0.55  # a cell counts when its centre lies no further outside than this share of its radius
LARGEST_CLUSTER = 20
CROWD = (5, 40)  # cells of a crowd, log-uniform
CROWD_GAP = (0.4, 0.95)  # the share of the radii, in a crowd
APART = 0.95  # the same share, of cells of different clusters
ON_CELLS = 0.6  # share of the bare nuclei that lie among cells
TRIES = 12
MOST_CELLS = 10_000


@dataclass(frozen=True)
class Placement(Generic[T]):
    """One cell to be drawn: `item` says what it is."""

    item: T
    centre: Point  # px
    radius: float  # px


@dataclass(frozen=True)
class Plan(Generic[T]):
    """All cells and bare nuclei of a field."""

    cells: list[Placement[T]]
    bare: list[Placement[T]]


def draw_counts(
    rng: np.random.Generator, layout: LayoutName, size: tuple[int, int], mpp: float, fields: int
) -> NDArray[np.int64]:
    """Numbers of cytoplasms (fields,), negative binomial: one from each of as many quantiles, shuffled.

    So the sum over a set of fields stays close to its expectation, while a field's number varies freely.
    """
    statistics = LAYOUTS[layout]
    mean, r = statistics.density * size[0] * size[1] * (mpp / 1000) ** 2, statistics.dispersion
    quantiles = (rng.permutation(fields) + rng.uniform(size=fields)) / fields
    shares = nbdtr(np.arange(MOST_CELLS), r, r / (r + mean))
    return np.searchsorted(shares, quantiles)


def draw_plan(
    rng: np.random.Generator,
    layout: LayoutName,
    size: tuple[int, int],
    count: int,
    draw_item: Draw[T],
    draw_crowd: Callable[[], Draw[T]] | None = None,
) -> Plan[T]:
    """Place `count` cells, each what `draw_item` says: an item and its radius (px).

    `draw_crowd` gives what draws the cells of one crowd; without it there are none.
    """
    statistics, ground = LAYOUTS[layout], _Ground(rng, size)
    alone = statistics.alone * rng.uniform(0.5, 2.0)
    nearest, farthest = statistics.gap
    common = (min(nearest * rng.uniform(0.9, 1.6), farthest - 0.1), farthest)

    cells: list[Placement[T]] = []
    cluster: list[Placement[T]] = []

    largest, gap, draw = 0, common, draw_item
    for _ in range(count):
        crowd = draw is not draw_item
        fresh = len(cluster) >= largest or (not crowd and rng.random() < alone)
        placement = None if fresh else ground.place_beside(cluster, gap, draw)
        if placement is None:
            cluster, largest, gap, draw = [], LARGEST_CLUSTER, common, draw_item
            if draw_crowd and rng.random() < statistics.crowds:
                largest, gap, draw = int(np.exp(rng.uniform(*np.log(CROWD)))), CROWD_GAP, draw_crowd()
            elif rng.random() < statistics.heaps:
                gap = statistics.heap_gap
            placement = ground.place_apart(cells, draw)

        cells.append(placement)
        cluster.append(placement)

    bare = [ground.place_bare(cells, draw_item) for _ in range(rng.poisson(statistics.bare * count))]
    return Plan(cells, bare)


class _Ground(Generic[T]):
    """The glass on which cells are laid."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.rng, self.size = rng, size

    def place_beside(
        self, cluster: list[Placement[T]], gap: tuple[float, float], draw_item: Draw[T]
    ) -> Placement[T] | None:
        """A cell that touches or overlaps one of the cluster, or None when that leaves the field."""
        for _ in range(TRIES):
            neighbour = cluster[self.rng.integers(len(cluster))]
            item, radius = draw_item()
            distance = (neighbour.radius + radius) * self.rng.uniform(*gap)
            angle = self.rng.uniform(0, 2 * np.pi)
            x = neighbour.centre[0] + distance * np.cos(angle)
            y = neighbour.centre[1] + distance * np.sin(angle)
            placement = Placement(item, (float(x), float(y)), radius)
            if self._is_visible(placement) and not _is_buried(placement, cluster, gap[0]):
                return placement
        return None

    def place_apart(self, cells: list[Placement[T]], draw_item: Draw[T]) -> Placement[T]:
        """A cell of a new cluster, apart from the others where there is room."""
        item, radius = draw_item()
        height, width = self.size
        margin = VISIBLE * radius
        for _ in range(TRIES):
            x, y = self.rng.uniform(-margin, width + margin), self.rng.uniform(-margin, height + margin)
            placement = Placement(item, (float(x), float(y)), radius)
            if not _is_buried(placement, cells, APART):
                break
        return placement

    def place_bare(self, cells: list[Placement[T]], draw_item: Draw[T]) -> Placement[T]:
        """A bare nucleus, among the cells or alone."""
        if not cells or self.rng.random() > ON_CELLS:
            return self.place_apart([], draw_item)
        item, radius = draw_item()
        near = cells[self.rng.integers(len(cells))]
        place = np.array(near.centre) + self.rng.normal(0, 0.8 * near.radius, 2)
        x, y = np.clip(place, 0, self.size[::-1])
        return Placement(item, (float(x), float(y)), radius)

    def _is_visible(self, placement: Placement[T]) -> bool:
        (x, y), margin = placement.centre, VISIBLE * placement.radius
        return -margin < x < self.size[1] + margin and -margin < y < self.size[0] + margin


def _is_buried(placement: Placement, cells: list[Placement], gap: float) -> bool:
    """Whether it lies closer to another cell than the layout allows."""
    x, y = placement.centre
    return any(
        np.hypot(x - other.centre[0], y - other.centre[1]) < gap * (placement.radius + other.radius)
        for other in cells
    )
