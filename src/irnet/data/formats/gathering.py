"""Instances of one image, gathered while a file of annotations is read: checked, linked and within bounds."""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from irnet.cells import CYTOPLASM, EVERY_CLASS, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells, Truth
from irnet.data.formats.coco import MAX_MASK_PIXELS
from irnet.data.image import MAX_PIXELS
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import masks, polygons
from irnet.geometry.masks import Mask, Offset, Shape

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class Instance:
    """One instance of a file."""

    crop: Mask
    offset: Offset
    label: int  # CYTOPLASM, NUCLEUS or EVERY_CLASS
    group: Hashable  # shared by a cell and its nuclei, None: it stands alone
    score: float
    kind: str


class Gathering:
    """What a file says of one image of `shape` (H, W), instance by instance."""

    def __init__(self, shape: Sequence[int], mpp: float | None = None) -> None:
        self.shape: Shape = masks.validate_shape(shape)
        self.mpp = mpp
        self.instances: list[Instance] = []
        self.cut = 0  # outlines that left the image
        self._spent = 0  # pixels of all crops
        if self.shape[0] * self.shape[1] > MAX_PIXELS:
            raise InputError(f"an image of {self.shape} has more than {MAX_PIXELS:,} pixels")

    def draw(self, rings: Sequence[ArrayLike]) -> tuple[Mask, Offset]:
        """The mask of outlines, rings inside others being holes, cut to the image. InputError."""
        valid = polygons.validate(rings, self.shape)
        height, width = self.shape
        for ring in valid:
            low, high = np.clip(ring.min(axis=0), 0, None), np.clip(ring.max(axis=0), None, [width, height])
            self._spend(int(np.clip(high - low, 0, None).prod()))
        vertices = np.concatenate(valid)
        self.cut += bool((vertices < 0).any() or (vertices > [width, height]).any())
        return polygons.rasterise(valid, self.shape, holes=True)

    def add(
        self,
        crop: Mask,
        offset: Offset,
        label: int,
        *,
        group: Hashable = None,
        score: float = 1.0,
        kind: str = "",
    ) -> None:
        """Add the instance with this mask. Raises InputError when it is empty or one too many."""
        if not crop.any():
            raise InputError("it covers no pixel of the image: remove it, or look at its coordinates")
        self._spend(crop.size)
        self.instances.append(
            Instance(crop=crop, offset=offset, label=label, group=group, score=score, kind=kind)
        )

    def truth(self, place: object) -> Truth:
        """What is known of the image; a nucleus belongs to the cell of its group that holds most of it."""
        if self.cut:
            _logger.warning("%s: outlines that left their image were cut to it: %d", place, self.cut)
        cells = [instance for instance in self.instances if instance.label != EVERY_CLASS]
        regions = [instance for instance in self.instances if instance.label == EVERY_CLASS]
        kinds = tuple(instance.kind for instance in cells)
        solid = self._cells(cells)
        return Truth(
            cells=replace(solid, parents=_parents(solid, [instance.group for instance in cells])),
            kinds=kinds if any(kinds) else (),
            ignore=self._cells(regions) if regions else None,
        )

    def _cells(self, instances: Sequence[Instance]) -> Cells:
        return Cells.build(
            [instance.crop for instance in instances],
            [instance.offset for instance in instances],
            [instance.label for instance in instances],
            self.shape,
            scores=[instance.score for instance in instances],
            mpp=self.mpp,
        )

    def _spend(self, pixels: int) -> None:
        self._spent += pixels
        if self._spent > MAX_MASK_PIXELS:
            raise InputError(f"the image's masks together have more than {MAX_MASK_PIXELS:,} pixels")


def _parents(cells: Cells, groups: Sequence[Hashable]) -> NDArray[np.int64]:
    owners: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        if cells.labels[place] == CYTOPLASM and group is not None:
            owners.setdefault(group, []).append(place)
    parents = np.full(len(cells), NO_PARENT)
    for place in np.flatnonzero(cells.labels == NUCLEUS).tolist():
        candidates = owners.get(groups[place], [])
        if len(candidates) == 1:
            parents[place] = candidates[0]
        elif candidates:
            shared = cells.select([place]).intersections(cells.select(candidates))
            parents[place] = candidates[int(shared.argmax())]
    return parents


def mark_annotated(entries: Sequence[Entry]) -> list[Entry]:
    """The images of a set, a class without any instance in all of them being one that was not annotated."""
    seen = {label for entry in entries for label in entry.truth.cells.labels.tolist()}
    annotated = frozenset(seen) or frozenset(LABEL_NAMES)
    return [replace(entry, truth=replace(entry.truth, annotated=annotated)) for entry in entries]
