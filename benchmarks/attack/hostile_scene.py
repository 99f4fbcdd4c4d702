"""Annotated scenes whose truth is exact in every format: outlines follow the borders of pixels."""

import io
import random
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
from numpy.typing import NDArray

CELL, NUCLEUS = 1, 2
ALONE = -1
_EDGE = 12  # px on the right that cells leave free, for a nucleus without a cell
_TRIES = 1000


@dataclass(frozen=True)
class Thing:
    """A cell or a nucleus: columns of `step` px, each from a top to a bottom row, all across one row."""

    label: int
    x: int
    columns: tuple[tuple[int, int], ...]
    step: int = 2
    parent: int = ALONE  # of a nucleus: its cell's place in the scene
    begins: int = 0  # at which vertex the outline begins
    backwards: bool = False  # whether it runs counter-clockwise
    closed: bool = False  # whether the first vertex stands at the end again

    @property
    def ring(self) -> list[tuple[int, int]]:
        """The outline; edges between equal columns have a vertex of their own."""
        edges = [self.x + self.step * i for i in range(len(self.columns) + 1)]
        sides = list(zip(edges, edges[1:], self.columns, strict=False))
        top = [(x, rows[0]) for left, right, rows in sides for x in (left, right)]
        bottom = [(x, rows[1]) for left, right, rows in reversed(sides) for x in (right, left)]
        ring = top + bottom
        ring = ring[self.begins :] + ring[: self.begins]
        ring = ring[::-1] if self.backwards else ring
        return [*ring, ring[0]] if self.closed else ring

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The whole frame."""
        mask = np.zeros(shape, dtype=bool)
        for i, (top, bottom) in enumerate(self.columns):
            mask[top:bottom, self.x + self.step * i : self.x + self.step * (i + 1)] = True
        return mask

    def scaled(self, factor: int) -> "Thing":
        """The same, larger."""
        rows = tuple((top * factor, bottom * factor) for top, bottom in self.columns)
        return replace(self, x=self.x * factor, columns=rows, step=self.step * factor)


@dataclass(frozen=True)
class Scene:
    """What is annotated in one picture of `shape` (H, W)."""

    things: tuple[Thing, ...]
    shape: tuple[int, int] = (80, 104)
    name: str = "field.png"

    @property
    def masks(self) -> list[NDArray[np.bool_]]:
        """One a thing, the whole frame."""
        return [thing.mask(self.shape) for thing in self.things]

    def of(self, label: int) -> list[int]:
        """The places of one class."""
        return [i for i, thing in enumerate(self.things) if thing.label == label]

    def picture(self) -> bytes:
        """The picture as the format that its name ends in."""
        height, width = self.shape
        rows, columns = np.mgrid[:height, :width]
        pixels = np.stack([220 - rows % 16, 215 - columns % 16, 230 - (rows + columns) % 16], axis=2)
        for thing, mask in zip(self.things, self.masks, strict=True):
            pixels[mask] -= (30, 60, 10) if thing.label == CELL else (90, 100, 60)
        PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
            buffer := io.BytesIO(),
            PIL.Image.registered_extensions()["." + self.name.rpartition(".")[2].lower()],
        )
        return buffer.getvalue()

    def scaled(self, factor: int) -> "Scene":
        """The same at another scale."""
        things = tuple(thing.scaled(factor) for thing in self.things)
        return replace(self, things=things, shape=(self.shape[0] * factor, self.shape[1] * factor))

    def by_place(self) -> "Scene":
        """As formats without links have it: a nucleus is of the only cell that holds more than half of it."""
        masks = self.masks
        linked = []
        for thing, mask in zip(self.things, masks, strict=True):
            holders = [i for i in self.of(CELL) if 2 * np.count_nonzero(masks[i] & mask) > mask.sum()]
            only = holders[0] if len(holders) == 1 else ALONE
            linked.append(replace(thing, parent=only if thing.label == NUCLEUS else ALONE))
        return replace(self, things=tuple(linked))

    def unlinked(self) -> "Scene":
        """As formats have it that say nothing of links."""
        return replace(self, things=tuple(replace(thing, parent=ALONE) for thing in self.things))


def draw(
    rng: random.Random, *, cells: int = 3, nuclei: int = 2, apart: bool = False, simple: bool = False
) -> Scene:
    """A random scene. `apart`: no two cells touch; `simple`: one nucleus in each cell and none elsewhere."""
    for _ in range(_TRIES):
        scene = _draw(rng, cells, nuclei, simple)
        masks = scene.masks
        inner, whole = ([_wider(masks[i]) for i in scene.of(label)] for label in (NUCLEUS, CELL))
        if _disjoint(inner) and (not apart or _disjoint(whole)):
            return scene
    raise RuntimeError("no such scene: fewer cells, or a larger frame")


def _draw(rng: random.Random, cells: int, most: int, simple: bool) -> Scene:
    height, width = Scene(()).shape
    things, nuclei = [], []
    for place in range(cells):
        count, row = rng.randint(9, 13), rng.randint(16, height - 16)
        x = rng.randint(1, width - _EDGE - 2 * count)
        columns = tuple((row - rng.randint(6, 14), row + rng.randint(6, 14)) for _ in range(count))
        things.append(Thing(CELL, x, columns))
        for first in (1, 5)[: 1 if simple else rng.randint(0, most)]:
            rows = tuple((row - rng.randint(1, 5), row + rng.randint(1, 5)) for _ in range(3))
            nuclei.append(Thing(NUCLEUS, x + 2 * first, rows, parent=place))
    if not simple:
        rows = tuple((8 - rng.randint(1, 5), 8 + rng.randint(1, 5)) for _ in range(3))
        nuclei.append(Thing(NUCLEUS, width - 8, rows))
    return Scene((*things, *nuclei))


def _wider(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask and the pixels around it."""
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    shifts = [padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    return np.any(shifts, axis=0)


def _disjoint(masks: list[NDArray[np.bool_]]) -> bool:
    return not masks or int(np.sum(masks, axis=0).max()) <= 1
