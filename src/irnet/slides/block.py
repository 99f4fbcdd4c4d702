"""What one window of a slide owns, as arrays: masks as run lengths of crops, boxes, scores, measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from irnet.cells import NO_PARENT, Cells
from irnet.geometry.masks import Mask, encode
from irnet.morphometry.colour import Part, StainSums
from irnet.morphometry.shape import measure_shapes
from irnet.morphometry.surroundings import strips
from irnet.slides.readers.slide import Pixels
from irnet.slides.tissue import Rgb

MEASURES = (
    *("area_um2", "perimeter_um", "max_diameter_um", "min_diameter_um"),
    *("eccentricity", "solidity", "circularity"),
    *("od_mean", "od_sd", "od_red", "od_green", "od_blue", "od_entropy", "od_contrast"),
)


def no_patches() -> NDArray[np.float32]:
    """None, (0, 6)."""
    return np.zeros((0, 6), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Block:
    """n candidates that windows own. Places are px at the network's scale, in the whole slide."""

    runs: NDArray[np.integer]  # COCO's run lengths inside the crops, one after the other, 16 bits or 32
    runs_at: NDArray[np.int64]  # (n + 1,) where those of each begin
    boxes: NDArray[np.int32]  # (n, 4) of the crops
    labels: NDArray[np.uint8]  # (n,)
    scores: NDArray[np.float32]  # (n,)
    measures: NDArray[np.float32]  # (n, k) in the order of MEASURES, nan for what is not known
    cut: NDArray[np.uint8]  # (n,) 1 where the edge of its window cuts it
    patches: NDArray[np.float32] = field(default_factory=no_patches)  # (p, 6) of windows, see `patches_of`

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(
        cls,
        cells: Cells,
        measures: NDArray[np.float32],
        cut: NDArray[np.bool_],
        patches: NDArray[np.float32] | None = None,
    ) -> Self:
        """The block of cells in the frame of the slide."""
        counts = [encode(mask, (0, 0), mask.shape) for mask in cells.masks]
        lengths = np.array([len(count) for count in counts], dtype=np.int64)
        runs = np.concatenate([np.zeros(0, np.int64), *counts])
        small = runs.max(initial=0) < 2**16
        return cls(
            runs.astype(np.uint16 if small else np.uint32),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            cells.boxes.astype(np.int32),
            cells.labels.astype(np.uint8),
            cells.scores.astype(np.float32),
            measures,
            cut.astype(np.uint8),
            no_patches() if patches is None else patches,
        )

    @classmethod
    def concat(cls, blocks: Sequence[Self]) -> Self:
        """All candidates of blocks, in order."""
        joined = {}
        for name in (one.name for one in fields(cls)):
            joined[name] = np.concatenate([getattr(block, name) for block in blocks])
        starts = np.cumsum([0, *(len(block.runs) for block in blocks)])
        shifted = [block.runs_at[:-1] + start for block, start in zip(blocks, starts, strict=False)]
        joined["runs_at"] = np.concatenate([*shifted, starts[-1:]])
        return cls(**joined)

    @classmethod
    def empty(cls) -> Self:
        """No candidates."""
        return cls.of(Cells.empty((1, 1)), np.zeros((0, len(MEASURES)), np.float32), np.zeros(0, bool))

    def select(self, index: NDArray[np.int64]) -> Self:
        """Some of the candidates (k,), in that order, without patches."""
        parts = [self.runs[self.runs_at[i] : self.runs_at[i + 1]] for i in index.tolist()]
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
        return type(self)(
            np.concatenate([self.runs[:0], *parts]),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            self.boxes[index],
            self.labels[index],
            self.scores[index],
            self.measures[index],
            self.cut[index],
        )

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of each mask, (n,)."""
        place = np.arange(len(self.runs)) - np.repeat(self.runs_at[:-1], np.diff(self.runs_at))
        lengths = np.where(place % 2, self.runs, 0).astype(np.int64)
        sums = np.concatenate([[0], np.cumsum(lengths)])
        return sums[self.runs_at[1:]] - sums[self.runs_at[:-1]]

    def counts(self, number: int) -> list[int]:
        """The run lengths of one mask inside its crop."""
        return self.runs[self.runs_at[number] : self.runs_at[number + 1]].tolist()

    def to_cells(self, shape: tuple[int, int], mpp: float) -> Cells:
        """The same as cells in a frame (H, W) at the network's scale, each crop whole."""
        return Cells(
            masks=tuple(self.masks()),
            offsets=self.boxes[:, :2].astype(np.int64),
            labels=self.labels.astype(np.int64),
            scores=self.scores.astype(np.float64),
            parents=np.full(len(self), NO_PARENT),
            image_shape=shape,
            mpp=mpp,
        )

    def masks(self) -> list[Mask]:
        """The pixels (h, w) of each crop, drawn together."""
        place = np.arange(len(self.runs)) - np.repeat(self.runs_at[:-1], np.diff(self.runs_at))
        pixels = np.repeat(place % 2 == 1, self.runs)  # of all crops, column by column
        widths, heights = (self.boxes[:, 2:] - self.boxes[:, :2]).T.astype(np.int64)
        ends = np.cumsum(widths * heights).tolist()
        masks, start = [], 0
        for width, height, end in zip(widths.tolist(), heights.tolist(), ends, strict=True):
            masks.append(np.ascontiguousarray(pixels[start:end].reshape(width, height).T))
            start = end
        return masks


def measure_in_window(cells: Cells, pixels: Pixels, background: Rgb, mpp: float) -> NDArray[np.float32]:
    """MEASURES (n, k) of cells in the frame of a window of `mpp` um per pixel, by the slide's background."""
    shapes = measure_shapes(cells.masks)
    sums = StainSums(len(cells), np.array(background))
    for strip in strips(cells):
        parts = []
        for index in strip.members.tolist():
            x, y = strip.window(cells, index)[:2]
            parts.append(Part(index, x, y - strip.top, strip.part(cells, index)))
        sums.add(pixels[strip.top : strip.end], strip.bottom - strip.top, parts)

    lengths = (shapes.perimeter, shapes.max_diameter, shapes.min_diameter)
    columns = (
        *(shapes.area * mpp**2, *(length * mpp for length in lengths)),
        *(shapes.eccentricity, shapes.solidity, shapes.circularity),
        *sums.finish()[1:],
    )
    return np.stack(columns, axis=1).astype(np.float32).reshape(len(cells), len(MEASURES))
