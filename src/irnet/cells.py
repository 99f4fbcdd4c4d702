"""Cells: the one value that flows from annotation through training and scoring to export.

An instance is a cropped boolean mask and the place of its crop in the frame. Masks may overlap: a pixel
belongs to every cell that covers it. A cytoplasm is the whole cell outline, nucleus included.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from irnet.conventions import CYTOPLASM as CYTOPLASM
from irnet.conventions import EVERY_CLASS, LABEL_NAMES, as_labels, check_labels, is_number, whole_numbers
from irnet.conventions import NUCLEUS as NUCLEUS
from irnet.conventions import Cuts as Cuts
from irnet.errors import InputError
from irnet.geometry import masks as geometry
from irnet.geometry.boxes import inside
from irnet.shortcuts import Shortcuts

NO_PARENT = -1

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Cells(Shortcuts):
    """n instances of one image. Build with `Cells.build` or `from_dense`.

    Raises InputError for fields that differ in length, a crop out of the frame, and values that mean nothing.

    Example:
        >>> import numpy as np
        >>> import irnet
        >>> irnet.Cells.from_dense(np.ones((2, 30, 40)), [irnet.CYTOPLASM, irnet.NUCLEUS], parents=[-1, 0])
        Cells(1 cytoplasm, 1 nucleus, 30 x 40)
    """

    masks: tuple[Mask, ...]  # n crops (h_i, w_i)
    offsets: NDArray[np.int64]  # (n, 2) x and y of each crop's top-left pixel
    labels: NDArray[np.int64]  # (n,) CYTOPLASM or NUCLEUS
    scores: NDArray[np.float64]  # (n,) 1 for truth
    parents: NDArray[np.int64]  # (n,) index of a nucleus's cell, or NO_PARENT
    image_shape: tuple[int, int]  # H, W
    mpp: float | None = None  # um per pixel

    def __post_init__(self) -> None:
        n = len(self.masks)
        lengths = {name: len(getattr(self, name)) for name in ("offsets", "labels", "scores", "parents")}
        if wrong := {name: length for name, length in lengths.items() if length != n}:
            raise InputError(f"{n} masks, but {', '.join(f'{k} has {v}' for k, v in wrong.items())}")
        if n and (self.parents.min() < NO_PARENT or self.parents.max() >= n):
            raise InputError(f"a parent must be {NO_PARENT} or the index of one of the {n} instances")
        boxes, (height, width) = self.boxes, self.image_shape
        if n and (boxes[:, :2].min() < 0 or (boxes[:, 2:] > (width, height)).any()):
            raise InputError(f"a mask leaves the frame of {height} x {width} pixels")
        if (self.parents == np.arange(n)).any():
            raise InputError("an instance cannot be its own parent")
        if n and not EVERY_CLASS <= self.labels.min() <= self.labels.max() <= NUCLEUS:
            check_labels(self.labels[self.labels != EVERY_CLASS].tolist(), "labels")
        if not ((self.scores >= 0) & (self.scores <= 1)).all():
            raise InputError("scores: give numbers from 0 to 1")
        if self.mpp is not None and not (is_number(self.mpp) and 0 < self.mpp < math.inf):
            raise InputError(f"{self.mpp!r} um per pixel: give a number above 0, or None")

    @classmethod
    def build(
        cls,
        masks: Iterable[NDArray],
        offsets: ArrayLike,
        labels: ArrayLike,
        image_shape: tuple[int, int],
        *,
        scores: ArrayLike | None = None,
        parents: ArrayLike | None = None,
        mpp: float | None = None,
    ) -> Self:
        """Cells of crops (h, w) that need not be tight: each is trimmed, missing fields are filled."""
        trimmed = [geometry.trim(mask) for mask in masks]
        n = len(trimmed)
        starts = whole_numbers(offsets, "offsets").reshape(-1, 2)
        if len(starts) != n:
            raise InputError(f"{n} masks, but offsets has {len(starts)}")
        inner = np.array([offset for _, offset in trimmed], dtype=np.int64).reshape(-1, 2)
        empty = np.array([not crop.size for crop, _ in trimmed], dtype=bool)
        return cls(
            masks=tuple(crop for crop, _ in trimmed),
            offsets=np.where(empty[:, None], 0, starts + inner),
            labels=as_labels(labels),
            scores=np.ones(n) if scores is None else np.asarray(scores, dtype=np.float64).reshape(-1),
            parents=whole_numbers([NO_PARENT] * n if parents is None else parents, "parents").reshape(-1),
            image_shape=(int(image_shape[0]), int(image_shape[1])),
            mpp=mpp,
        )

    @classmethod
    def empty(cls, image_shape: tuple[int, int], mpp: float | None = None) -> Self:
        """No instance in a frame of `image_shape`."""
        return cls.build([], [], [], image_shape, mpp=mpp)

    @classmethod
    def from_dense(
        cls,
        masks: NDArray,
        labels: ArrayLike,
        *,
        scores: ArrayLike | None = None,
        parents: ArrayLike | None = None,
        mpp: float | None = None,
    ) -> Self:
        """Cells of full-frame masks (n, H, W)."""
        if (masks := np.asarray(masks)).ndim != 3:
            raise InputError(f"masks of shape {masks.shape}: give (n, H, W)")
        origins, shape = np.zeros((len(masks), 2), dtype=np.int64), (masks.shape[1], masks.shape[2])
        return cls.build(masks, origins, labels, shape, scores=scores, parents=parents, mpp=mpp)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """All instances of `parts`, which share one frame, in order; parents follow their instances."""
        if not parts:
            raise InputError("nothing to concatenate: a frame's size is needed, use Cells.empty")
        scales = {part.mpp for part in parts if part.mpp is not None}
        if len({part.image_shape for part in parts}) > 1 or len(scales) > 1:
            raise InputError("cells of frames of different sizes or um per pixel cannot be concatenated")
        starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
        parents = [
            np.where(part.parents == NO_PARENT, NO_PARENT, part.parents + start)
            for part, start in zip(parts, starts, strict=True)
        ]
        return cls(
            masks=tuple(mask for part in parts for mask in part.masks),
            offsets=np.concatenate([part.offsets for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            parents=np.concatenate(parents),
            image_shape=parts[0].image_shape,
            mpp=next(iter(scales), None),
        )

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Extents of the crops, (n, 4) x1, y1, x2, y2 with x2 and y2 exclusive."""
        return geometry.extents(self.masks, self.offsets)

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of each mask, (n,)."""
        return np.array([np.count_nonzero(mask) for mask in self.masks], dtype=np.int64)

    @property
    def at_border(self) -> NDArray[np.bool_]:
        """Whether each instance has a pixel in the outermost row or column of the frame, (n,)."""
        return ~inside(self.boxes, self.image_shape) & (self.areas > 0)

    def select(self, index: ArrayLike | slice) -> Self:
        """The instances of `index` (integers, booleans, a slice), in order; a parent left out becomes -1."""
        where = index if isinstance(index, slice) else np.asarray(index, None if np.size(index) else np.int64)
        chosen = np.atleast_1d(np.arange(len(self))[where])
        place = np.full(len(self) + 1, NO_PARENT)  # the last entry serves NO_PARENT
        place[chosen] = np.arange(len(chosen))
        return type(self)(
            masks=tuple(self.masks[i] for i in chosen),
            offsets=self.offsets[chosen],
            labels=self.labels[chosen],
            scores=self.scores[chosen],
            parents=place[self.parents[chosen]],
            image_shape=self.image_shape,
            mpp=self.mpp,
        )

    def of(self, label: int) -> Self:
        """The instances of one class."""
        return self.select(self.labels == label)

    def shift(self, dx: int, dy: int, image_shape: tuple[int, int]) -> Self:
        """The instances moved into a frame of `image_shape` and cut to it; what falls outside is dropped."""
        kept, moved, offsets = geometry.cut_out(self.masks, self.offsets + np.array([dx, dy]), image_shape)
        some = self.select(kept)
        return type(self).build(
            moved, offsets, some.labels, image_shape, scores=some.scores, parents=some.parents, mpp=self.mpp
        )

    def intersections(self, other: "Cells") -> NDArray[np.int64]:
        """Pixels that each instance shares with each of `other`, (n, m)."""
        return geometry.intersections(self.masks, self.offsets, other.masks, other.offsets)

    def shared_pixels(self, other: "Cells") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (i, j) of these and `other` instances that share pixels, (k, 2), and how many, (k,)."""
        return geometry.shared_pixels(self.masks, self.offsets, other.masks, other.offsets)

    def iou(self, other: "Cells") -> NDArray[np.float64]:
        """Intersection over union of the masks with those of `other`, (n, m); 0 where both are empty."""
        shared = self.intersections(other)
        union = self.areas[:, None] + other.areas[None, :] - shared
        return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)

    def window(self, index: int) -> geometry.Window:
        """The crop of an instance as a window of the frame."""
        (x, y), (height, width) = self.offsets[index].tolist(), self.masks[index].shape
        return x, y, x + width, y + height

    def cover(self, indices: Iterable[int], window: geometry.Window) -> Mask:
        """Pixels of a window of the frame under any of the instances `indices`, (h, w)."""
        chosen = list(indices)
        return geometry.cover([self.masks[i] for i in chosen], self.offsets[chosen], window)

    def to_dense(self) -> Mask:
        """Full-frame masks (n, H, W). Memory grows with n * H * W: for tests and small images only."""
        dense = np.zeros((len(self), *self.image_shape), dtype=bool)
        for frame, mask, (x, y) in zip(dense, self.masks, self.offsets, strict=True):
            frame[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        return dense

    def to_rle(self) -> list[dict]:
        """Each mask as COCO's compressed run lengths, {"size": [H, W], "counts": text}.

        Raises InputError for a frame larger than masks can have.
        """
        size = list(geometry.validate_shape(self.image_shape))
        return [
            {"size": size, "counts": geometry.pack(geometry.encode(mask, (int(x), int(y)), self.image_shape))}
            for mask, (x, y) in zip(self.masks, self.offsets, strict=True)
        ]


def reaching(cells: Cells, cuts: Cuts | None) -> NDArray[np.bool_]:
    """Which instances reach the least score of their class, (n,); all of a class without one."""
    check_labels(cuts or {}, "scores")
    return cells.scores >= [(cuts or {}).get(int(label), 0.0) for label in cells.labels]


@dataclass(frozen=True, eq=False, kw_only=True)
class Distractor:
    """Something that is no target cell (a white blood cell, mucus, debris) and where it lies."""

    kind: str
    box: tuple[float, float, float, float]  # xyxy px


@dataclass(frozen=True, eq=False, kw_only=True)
class Point:
    """The centre of an instance that was marked and not outlined."""

    label: int  # CYTOPLASM or NUCLEUS
    place: tuple[float, float]  # x, y px
    kind: str = ""  # morphological type


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """What one image holds: annotated by hand, generated, or found by a method.

    As truth it says what was not annotated, which gives no loss and no score. Raises InputError when `kinds`
    or `numbers` and `cells` differ in length, or what is annotated is no class.

    Example:
        >>> import irnet
        >>> nuclei = irnet.Content(cells=irnet.Cells.empty((20, 30)), annotated=frozenset({irnet.NUCLEUS}))
    """

    cells: Cells
    kinds: tuple[str, ...] = ()  # morphological type of each instance, () when unknown
    annotated: frozenset[int] = frozenset(LABEL_NAMES)  # classes annotated here, or looked for
    ignore: Cells | None = None  # regions without loss and score; label 0 stands for every class
    distractors: tuple[Distractor, ...] = ()
    points: tuple[Point, ...] = ()  # centres of some instances that are not among the cells
    numbers: tuple[int, ...] = ()  # of each instance in its image, () for 0, 1, 2 ...
    last_number: int = -1  # the highest that an instance of the image ever had, if that is none of these

    def __post_init__(self) -> None:
        for name, values in (("kinds", self.kinds), ("numbers", self.numbers)):
            if values and len(values) != len(self.cells):
                raise InputError(f"{len(self.cells)} instances, but {name} has {len(values)}")
        check_labels(self.annotated, "annotated")

    @property
    def numbered(self) -> Sequence[int]:
        """The number of each instance in its image, whether `numbers` says it or not."""
        return self.numbers or range(len(self.cells))


Truth = Content  # the name in earlier documentation
