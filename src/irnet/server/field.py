"""One image under review: its rows of annotations, and edits as exchanges of rows that can be undone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from irnet.cells import LABEL_NAMES, NO_PARENT, Cells
from irnet.data.coco.document import Id, Row, naming
from irnet.data.coco.points import is_point
from irnet.data.coco.rows import AnnotationRow, ImageRow, check_link, parse_annotation
from irnet.data.numbers import read_number
from irnet.data.room import MaskRoom
from irnet.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class Change:
    """Rows to put in place of those of the same id (None: no row), and whether the image is finished."""

    rows: dict[Id, Row | None]
    finished: bool


@dataclass(eq=False, kw_only=True)
class ReviewedImage:
    """The rows of one image. A row that nobody touched stays the object that was read."""

    image: ImageRow
    rows: dict[Id, Row | None]  # in the order of the file; None where a row was deleted
    categories: dict[Id, str]
    numbers: dict[Id, int]  # of every row that the image ever had
    finished: bool = False
    whole: bool = False  # annotated elsewhere: it counts as finished unless a review says otherwise
    revision: int = 0
    undoable: list[Change] = field(default_factory=list)
    redoable: list[Change] = field(default_factory=list)
    _room: MaskRoom = field(default_factory=MaskRoom)
    _parsed: dict[Id, tuple[Row, AnnotationRow | None]] = field(default_factory=dict)
    _instances: tuple[int, Mapping[Id, AnnotationRow]] = (-1, {})  # with their revision

    @property
    def annotated(self) -> frozenset[int]:
        """Classes that are annotated: those that were, and what was drawn since."""
        before = self.image.annotated
        if before == LABEL_NAMES.keys():
            return before
        return before | ({instance.label for instance in self.parsed().values()} & LABEL_NAMES.keys())

    def parsed(self) -> Mapping[Id, AnnotationRow]:
        """The instances: rows but points, crowds, regions to ignore and dropped categories. InputError."""
        revision, instances = self._instances
        if revision != self.revision:
            instances = {
                key: instance
                for key, row in self.rows.items()
                if row is not None and (instance := self._parse(key, row)) is not None and not instance.crowd
            }
            self._instances = self.revision, instances
        return instances

    def check(self, change: Change) -> None:
        """Raise InputError unless every row of `change` is valid and its links hold afterwards."""
        cells = {**self.parsed()}
        for key, row in change.rows.items():
            cells.pop(key, None)
            if row is not None and (instance := self._parse(key, row)) is not None and not instance.crowd:
                cells[key] = instance

        there = {key for key, row in (self.rows | change.rows).items() if row is not None}
        left_out = there - cells.keys()
        for instance in cells.values():
            check_link(instance, cells, left_out)

    def check_rows(self, change: Change) -> None:
        """Raise InputError unless every row of `change` is one of this image, by itself valid."""
        for key, row in change.rows.items():
            if row is None:
                continue
            if not isinstance(row, dict) or row.get("id") != key or row.get("image_id") != self.image.id:
                raise InputError(f"the row of {key!r} is not an annotation of image {self.image.name!r}")
            self._parse(key, row)

    def apply(self, change: Change) -> None:
        """Make a new edit; what was undone before is forgotten."""
        self.undoable.append(self._exchange(change))
        self.redoable.clear()

    def undo(self) -> None:
        """Take the last edit back. Raises InputError where there is none."""
        self.redoable.append(self._exchange(_last(self.undoable, "undo")))

    def redo(self) -> None:
        """Make the edit again that was taken back last. Raises InputError where there is none."""
        self.undoable.append(self._exchange(_last(self.redoable, "redo")))

    def _exchange(self, change: Change) -> Change:
        """Put the rows of `change` in place and return what takes them back."""
        before = Change(rows={key: self.rows.get(key) for key in change.rows}, finished=self.finished)
        self.rows.update(change.rows)
        for key, row in change.rows.items():
            if key not in self.numbers:  # a new instance keeps its number, even if it is deleted
                self.numbers[key] = self._number(row or {})
        self.finished = change.finished
        self.revision += 1
        return before

    @property
    def last_number(self) -> int:
        """The highest number that an instance of the image ever had, -1 without any."""
        return max([self.image.last_number, *self.numbers.values()])

    def _number(self, row: Row) -> int:
        """The number of a new row: what it says, if no other has it, or the next."""
        said = read_number(row.get("number"))
        return said if said is not None and said > self.last_number else self.last_number + 1

    def _parse(self, key: Id, row: Row) -> AnnotationRow | None:
        if is_point(row):
            return None
        known = self._parsed.get(key)
        if known is None or known[0] is not row:
            with naming(f"image {self.image.name!r}, annotation {key!r}"):
                known = (row, parse_annotation(row, self.image.shape, self.categories, self._room))
            self._parsed[key] = known
        return known[1]


def to_cells(instances: Mapping[Id, AnnotationRow], image: ImageRow) -> Cells:
    """The instances as Cells, in their order. Their crops are tight already."""
    places = {key: place for place, key in enumerate(instances)}
    rows = list(instances.values())
    parents = [NO_PARENT if row.cell_id is None else places.get(row.cell_id, NO_PARENT) for row in rows]
    return Cells(
        masks=tuple(row.crop for row in rows),
        offsets=np.array([row.offset for row in rows], dtype=np.int64).reshape(-1, 2),
        labels=np.array([row.label for row in rows], dtype=np.int64),
        scores=np.array([row.score for row in rows], dtype=np.float64),
        parents=np.array(parents, dtype=np.int64),
        image_shape=image.shape,
        mpp=image.mpp,
    )


def near(field: ReviewedImage, point: Sequence[float] | None) -> Cells:
    """The instances whose boxes hold a point, in the frame of the image; no point: none."""
    x, y = point or (-1.0, -1.0)
    there = {}
    for key, each in field.parsed().items():
        (left, top), (height, width) = each.offset, each.crop.shape
        if left <= x < left + width and top <= y < top + height:
            there[key] = each
    return to_cells(there, field.image)


def _last(changes: list[Change], what: str) -> Change:
    if not changes:
        raise InputError(f"nothing to {what}")
    return changes.pop()
