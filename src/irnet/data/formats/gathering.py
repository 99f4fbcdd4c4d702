"""Instances of one image, gathered while a file of annotations is read: checked, linked and within bounds."""

import logging
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from irnet.cells import CYTOPLASM, EVERY_CLASS, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.coco.rows import AS_SHARES
from irnet.data.components import count_components
from irnet.data.copies import COPIES, count_copies
from irnet.data.corner import IN_A_CORNER, is_in_a_corner
from irnet.data.numbers import fill_numbers
from irnet.data.room import MaskRoom
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import masks, polygons
from irnet.geometry.masks import Mask, Offset, Shape
from irnet.wording import parse_instance_name

_LIE_APART = (
    "pieces that lie apart are one instance, for their shapes share label and group_id; give cells of their "
    "own none (labelme: null, CVAT: 0)"
)
_NO_CELL_NUMBER = (
    "values of `cell` are no whole number from 1, as irnet writes it: they were taken for your own, and link "
    "nothing"
)
_CELL_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_DRAWN = 4  # pixels may be filled for one that is kept: in rings, holes and pieces
_logger = logging.getLogger(__name__)


class CellNumber(NamedTuple):
    """A group by our key `cell`, which may be a user's own as well."""

    number: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Instance:
    """One instance of a file."""

    crop: Mask
    offset: Offset
    label: int  # CYTOPLASM, NUCLEUS or EVERY_CLASS
    group: Hashable  # shared by a cell and its nuclei, None: it stands alone
    bundle: Hashable  # shared by what the tool groups, None: nothing
    score: float
    kind: str
    number: int | None  # that it had in its image, None: it is new


class Gathering:
    """What a file says of one image of `shape` (H, W), instance by instance.

    A nucleus belongs to the cell of its `group`, wherever it lies; one without an id of ours by a
    `CellNumber`, and any where several cells have the group, only to a cell that it overlaps. What a tool
    groups by itself is a `bundle`: shapes of one class are one instance (labelme's rule), a nucleus belongs
    to the cell that it overlaps.
    """

    def __init__(self, shape: Sequence[int], mpp: float | None = None) -> None:
        self.shape: Shape = masks.validate_shape(shape)
        self.mpp = mpp
        self.instances: list[Instance] = []
        self.cut = 0  # outlines that left the image
        self.shares = 0  # outlines with coordinates from 0 to 1
        self.drawn = 0  # outlines
        self.left_out: Counter[str] = Counter()  # what was not drawn, by reason
        self.separate = 0  # pieces of joined shapes that touch no other
        self.foreign = 0  # values of `cell` that are not ours
        self._room = MaskRoom()
        self._drawing = MaskRoom(_DRAWN)

    def draw(self, rings: Sequence[ArrayLike]) -> tuple[Mask, Offset]:
        """The mask of outlines, rings inside others being holes, cut to the image. InputError."""
        valid = polygons.validate(rings, self.shape)
        self._drawing.take(polygons.pixels_filled(valid, self.shape))
        vertices, (height, width) = np.concatenate(valid), self.shape
        self.shares += polygons.are_shares(valid)
        self.drawn += 1
        self.cut += bool((vertices < 0).any() or (vertices > [width, height]).any())
        return polygons.rasterise(valid, self.shape, holes=True)

    def draw_parts(self, parts: Sequence[Sequence[ArrayLike]]) -> tuple[Mask, Offset]:
        """The union of polygons, each an outline and the holes in it, cut to the image. InputError."""
        before = self.cut
        drawn = [self._draw_part(part) for part in parts]
        self.cut = min(self.cut, before + 1)  # however many parts were
        solid = [(crop, offset) for crop, offset in drawn if crop.size]
        if len(solid) < 2:
            return solid[0] if solid else (np.zeros((0, 0), dtype=bool), (0, 0))
        return self._union(solid)

    def leave_out(self, reason: str) -> None:
        """Count something that is not an instance: it is reported when all is read."""
        self.left_out[reason] += 1

    def cell_number(self, value: object) -> CellNumber | None:
        """The group that our key `cell` says; None for nothing, and for other values, which are counted."""
        if value in (None, ""):
            return None
        value = int(value) if isinstance(value, float) and value.is_integer() else value
        if _CELL_NUMBER.fullmatch(text := str(value)):
            return CellNumber(int(text))
        self.foreign += 1
        return None

    def add(
        self,
        crop: Mask,
        offset: Offset,
        label: int,
        *,
        group: Hashable = None,
        bundle: Hashable = None,
        score: float = 1.0,
        kind: str = "",
        name: object = None,
    ) -> None:
        """Add the instance with this mask, and the number that its `name` gives, if that is an id of ours.

        Raises InputError when it is empty or one too many.
        """
        if not crop.any():
            raise InputError("it covers no pixel of the image: remove it, or look at its coordinates")
        self._room.take(crop.size)
        named = parse_instance_name(name) if isinstance(name, str) else None
        self.instances.append(
            Instance(
                crop=crop,
                offset=offset,
                label=label,
                group=group,
                bundle=bundle,
                score=score,
                kind=kind,
                number=named[1] if named else None,
            )
        )

    def content(self, place: object) -> Content:
        """What is known of the image; a nucleus belongs to the cell of its group that holds most of it."""
        instances = self._joined()
        cells = [instance for instance in instances if instance.label != EVERY_CLASS]
        regions = [instance for instance in instances if instance.label == EVERY_CLASS]
        kinds = tuple(instance.kind for instance in cells)
        solid = self._cells(cells)
        parents, apart = _parents(solid, cells)
        self._warn(place, apart, solid)
        return Content(
            cells=replace(solid, parents=parents),
            kinds=kinds if any(kinds) else (),
            ignore=self._cells(regions) if regions else None,
            numbers=tuple(fill_numbers([instance.number for instance in cells])),
        )

    def _warn(self, place: object, apart: int, cells: Cells) -> None:
        counts = {
            COPIES: count_copies(cells),
            AS_SHARES: self.shares,
            IN_A_CORNER: self.drawn > self.shares and is_in_a_corner(cells),
            "outlines that left their image were cut to it": self.cut,
            "nuclei that touch no cell of their group were linked to none": apart,
            _LIE_APART: self.separate,
            _NO_CELL_NUMBER: self.foreign,
        }
        counts |= {f"left out ({reason})": count for reason, count in self.left_out.items()}
        for message, count in counts.items():
            if count:
                _logger.warning("%s: %s: %d", place, message, count)

    def _joined(self) -> list[Instance]:
        """The instances, those of one class and bundle joined; pieces of cells that lie apart are counted."""
        joined: dict[Hashable, Instance] = {}
        several: set[Hashable] = set()
        for number, instance in enumerate(self.instances):
            key = number if instance.bundle is None else (instance.label, instance.bundle)
            if first := joined.get(key):
                crop, offset = self._union([(first.crop, first.offset), (instance.crop, instance.offset)])
                instance = replace(first, crop=crop, offset=offset, kind=first.kind or instance.kind)
                several.add(key)
            joined[key] = instance

        cells = [joined[key] for key in several if joined[key].label != EVERY_CLASS]
        pieces = [count_components(cell.crop) for cell in cells]
        self.separate = sum(count for count in pieces if count > 1)
        return list(joined.values())

    def _draw_part(self, rings: Sequence[ArrayLike]) -> tuple[Mask, Offset]:
        crop, (x, y) = self.draw(rings[:1])
        for ring in rings[1:]:
            hole, offset = self.draw([ring])
            window = (x, y, x + crop.shape[1], y + crop.shape[0])
            crop = crop & ~masks.cover([hole], np.array([offset]), window)
        return crop, (x, y)

    def _union(self, parts: Sequence[tuple[Mask, Offset]]) -> tuple[Mask, Offset]:
        crops, offsets = [crop for crop, _ in parts], [offset for _, offset in parts]
        crop, offset = masks.union(crops, offsets)
        self._drawing.take(crop.size, instances=0)
        return crop, offset

    def _cells(self, instances: Sequence[Instance]) -> Cells:
        return Cells.build(
            [instance.crop for instance in instances],
            [instance.offset for instance in instances],
            [instance.label for instance in instances],
            self.shape,
            scores=[instance.score for instance in instances],
            mpp=self.mpp,
        )


def _parents(cells: Cells, instances: Sequence[Instance]) -> tuple[NDArray[np.int64], int]:
    """Index of each nucleus's cell, and how many nuclei touch no cell of their bundle."""
    owners: dict[Hashable, list[int]] = {}
    for place, instance in enumerate(instances):
        for key in ("group", instance.group), ("bundle", instance.bundle):
            if instance.label == CYTOPLASM and key[1] is not None:
                owners.setdefault(key, []).append(place)

    shared = _shared_with_cells(cells)
    parents, apart = np.full(len(cells), NO_PARENT), 0
    for place in np.flatnonzero(cells.labels == NUCLEUS).tolist():
        group, bundle = instances[place].group, instances[place].bundle
        candidates = owners.get(("group", group) if bundle is None else ("bundle", bundle), [])
        if not candidates:
            continue

        most = max(candidates, key=lambda owner, place=place: shared.get((place, owner), 0))
        ours = not isinstance(group, CellNumber) or instances[place].number is not None
        stated = bundle is None and len(candidates) == 1 and ours
        if stated or (place, most) in shared:
            parents[place] = most
        else:
            apart += 1
    return parents, apart


def _shared_with_cells(cells: Cells) -> dict[tuple[int, int], int]:
    """Pixels of each nucleus and cell that share any."""
    nuclei, owners = (np.flatnonzero(cells.labels == label) for label in (NUCLEUS, CYTOPLASM))
    pairs, pixels = cells.select(nuclei).shared_pixels(cells.select(owners))
    places = zip(nuclei[pairs[:, 0]].tolist(), owners[pairs[:, 1]].tolist(), strict=True)
    return dict(zip(places, pixels.tolist(), strict=True))


def mark_annotated(entries: Sequence[Entry]) -> list[Entry]:
    """The images of a set, a class without any instance in all of them being one that was not annotated."""
    seen = {label for entry in entries for label in entry.content.cells.labels.tolist()}
    annotated = frozenset(seen) or frozenset(LABEL_NAMES)
    return [replace(entry, content=replace(entry.content, annotated=annotated)) for entry in entries]


def number_pairs(cells: Cells) -> list[tuple[int | None, bool]]:
    """The number that each instance shares with its cell or nuclei, None: it stands alone; and whether they
    can be a bundle: the cell has one nucleus, which overlaps it.
    """
    owners = np.where(cells.labels == CYTOPLASM, np.arange(len(cells)), cells.parents)
    nuclei = np.bincount(cells.parents[cells.parents != NO_PARENT], minlength=len(cells))
    pairs, _ = cells.shared_pixels(cells)
    touched = np.zeros(len(cells), dtype=bool)
    touched[pairs[cells.parents[pairs[:, 1]] == pairs[:, 0], 0]] = True
    return [
        (owner + 1, bool(nuclei[owner] == 1 and touched[owner]))
        if owner != NO_PARENT and nuclei[owner]
        else (None, False)
        for owner in owners.tolist()
    ]
