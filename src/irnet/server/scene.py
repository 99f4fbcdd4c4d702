"""What the page receives of an image: outlines, colours and measures, again only where things changed."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, Cells
from irnet.data.coco.document import Id, Row
from irnet.data.coco.rows import ACCEPTED, ORIGIN, AnnotationRow
from irnet.geometry import polygons
from irnet.geometry.boxes import overlapping_pairs
from irnet.geometry.masks import Mask, Offset
from irnet.morphometry.table import COLUMNS, measure
from irnet.report.colours import PALETTE, colour_cells
from irnet.server.field import ReviewedImage, to_cells

SENT_APART = ("image", "id", "name", "label", "parent", "score")  # columns that the page has already
MEASURES = [  # the others: what is measured without the picture
    column for column in COLUMNS if column not in SENT_APART and not column.startswith(("colour_", "od_"))
]
OUTLINING = 0.4  # s of CPU time for one answer: the page draws all that it has with each
MEASURING = 0.1  # s of CPU time for one answer: an edit waits no longer for its turn
OUTLINED, MEASURED = 32, 48  # instances between two looks at the clock
PROMPT = 25  # instances outlined and measured with the edit that changed them
BAND = 400  # px: what is measured together lies together, or its surroundings cost more than itself
_EDITABLE = ("segmentation", "category_id", "cell_id")
Described = dict[str, Any]


class Scene:
    """The instances of a field as the page sees them. What takes longest goes in portions."""

    def __init__(self, field: ReviewedImage) -> None:
        self.field = field
        self._original = dict(field.rows)
        self._instances: Mapping[Id, AnnotationRow] = {}
        self._cells = to_cells({}, field.image)  # the same; their boxes are asked for often
        self._boxes = self._cells.boxes
        self._outlines: dict[Id, list[list[float]]] = {}
        self._colours: dict[Id, str] = {}
        self._measured: dict[Id, Row] = {}
        self._undrawn: dict[Id, None] = {}  # to be outlined, in order
        self._stale: dict[Id, None] = {}  # to be measured, in order
        self._sent: dict[Id, Described] = {}

    @property
    def missing(self) -> dict[str, int]:
        """How many outlines and measures wait for `work`."""
        return {"outlines": len(self._undrawn), "measures": len(self._stale)}

    def describe_all(self) -> list[Described]:
        """Every instance; where rings or measures are None they are not made yet."""
        self.update()
        return list(self._sent.values())

    def update(self) -> tuple[list[Described], list[Id]]:
        """The instances that differ from those sent last, and the ids of those that are gone."""
        instances = self.field.parsed()
        first = not self._instances
        self._cells = to_cells(instances, self.field.image)
        self._boxes = self._cells.boxes
        keys = list(instances)
        fresh = np.array([self._instances.get(key) is not instances[key] for key in keys], dtype=bool)
        gone = [key for key in self._instances if key not in instances]

        new = dict.fromkeys(keys[i] for i in np.flatnonzero(fresh))
        self._undrawn = {key: None for key in self._undrawn | new if key in instances}
        self._paint(keys)
        self._stale |= dict.fromkeys(self._changed(keys, fresh, gone))
        self._stale = {key: None for key in self._stale if key in instances}
        self._instances = instances
        if not first and len(new) <= PROMPT:
            self._outline(list(new))
        if not first and len(self._stale) <= PROMPT:
            new |= dict.fromkeys(self._measure(PROMPT))

        before = self._sent
        self._sent = {
            key: self._describe(key, each) if key in new else before[key] for key, each in instances.items()
        }
        return [self._sent[key] for key in keys if key in new and before.get(key) != self._sent[key]], gone

    def work(self, seconds: float | None = None) -> Described:
        """Outline and then measure what waits, for some CPU time: rings and measures by id."""
        seconds = seconds if seconds is not None else OUTLINING if self._undrawn else MEASURING
        rings: dict[Id, list[list[float]]] = {}
        measures: dict[Id, Row] = {}
        end = time.thread_time() + seconds
        while not (rings or measures) or time.thread_time() < end:
            if self._undrawn:
                rings |= self._outline(list(self._undrawn)[:OUTLINED])
            elif self._stale:
                measures |= self._measure(MEASURED)
            else:
                break

        for name, made in (("rings", rings), ("measures", measures)):
            for key, value in made.items():
                self._sent[key][name] = value
        return {"rings": list(rings.items()), "measures": list(measures.items())}

    def _measure(self, limit: int) -> dict[Id, Row]:
        """Measures of the first that wait, taken among all that they overlap or belong to."""
        chosen = set(list(self._stale)[:limit])
        self._stale = {key: None for key in self._stale if key not in chosen}
        keys, cells = list(self._instances), self._cells
        wanted = np.array([key in chosen for key in keys], dtype=bool)
        context = _family(cells, wanted | _meeting(self._boxes, self._boxes[wanted]))
        places = np.flatnonzero(context)
        rows = zip(places, measure(cells.select(places), annotated=self.field.annotated), strict=True)
        measured = {keys[i]: _measures(row) for i, row in rows if wanted[i]}
        self._measured |= measured
        return measured

    def _outline(self, keys: list[Id]) -> dict[Id, list[list[float]]]:
        """Outlines of instances, which wait no longer."""
        rows = [self._instances[key] for key in keys]
        rings = outlines([row.crop for row in rows], [row.offset for row in rows])
        drawn = dict(zip(keys, rings, strict=True))
        self._outlines |= drawn
        self._undrawn = {key: None for key in self._undrawn if key not in drawn}
        return drawn

    def _paint(self, keys: list[Id]) -> None:
        """Give each cell a colour and keep it; a new one gets the colour least used around it."""
        if not self._colours:
            self._colours = dict(zip(keys, map(_hex, colour_cells(self._cells)), strict=True))
        for i in [i for i, key in enumerate(keys) if key not in self._colours]:
            around = overlapping_pairs(self._boxes[i : i + 1], self._boxes)[:, 1]
            used = Counter(self._colours.get(keys[j]) for j in around)
            self._colours[keys[i]] = min(map(_hex, PALETTE), key=lambda colour: used[colour])

    def _changed(self, keys: list[Id], fresh: NDArray[np.bool_], gone: list[Id]) -> Iterator[Id]:
        """Whose measures may have changed: what is new, near that or what is gone, or lost a nucleus."""
        moved = [key for i, key in enumerate(keys) if fresh[i] and key in self._instances]
        old = {key: self._instances[key] for key in gone + moved}
        boxes = np.concatenate([self._boxes[fresh], to_cells(old, self.field.image).boxes])
        left = {instance.cell_id for instance in old.values()}
        was_left = np.array([key in left for key in keys], dtype=bool)
        changed = _family(self._cells, fresh | was_left | _meeting(self._boxes, boxes))
        places = np.flatnonzero(changed)
        x, y = self._cells.offsets[places].T
        return (keys[i] for i in places[np.lexsort((x, y // BAND))])

    def _describe(self, key: Id, instance: AnnotationRow) -> Described:
        row, original = self.field.rows[key] or {}, self._original.get(key) or {}
        x, y = instance.offset
        return {
            "id": key,
            "number": self.field.numbers[key],
            "label": instance.label,
            "score": round(instance.score, 4),
            "cell": instance.cell_id,
            "rings": None if key in self._undrawn else self._outlines[key],
            "box": [x, y, x + instance.crop.shape[1], y + instance.crop.shape[0]],
            "colour": self._colours[key] if instance.label == CYTOPLASM else None,
            "accepted": bool(row.get(ACCEPTED)),
            "origin": row.get(ORIGIN),
            "edited": any(row.get(name) != original.get(name) for name in _EDITABLE),
            "measures": self._measured.get(key),
        }


def _meeting(all_boxes: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of all boxes share area with one of `boxes`."""
    met = np.zeros(len(all_boxes), dtype=bool)
    met[overlapping_pairs(boxes, all_boxes)[:, 1]] = True
    return met


def _family(cells: Cells, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which are chosen, a nucleus of a chosen cell or the cell of a chosen nucleus."""
    linked = cells.parents != NO_PARENT
    family = chosen.copy()
    family[linked] |= chosen[cells.parents[linked]]
    family[cells.parents[linked & chosen]] = True
    return family


def _measures(row: Row) -> Row:
    """The columns that are known, without those that the page has already."""
    return {
        name: value
        for name, value in row.items()
        if name not in SENT_APART and value is not None and not (isinstance(value, float) and isnan(value))
    }


def _hex(colour: NDArray[np.uint8]) -> str:
    return "#" + bytes(colour.tolist()).hex()


def outlines(crops: Sequence[Mask], offsets: Sequence[Offset]) -> list[list[list[float]]]:
    """For each mask its rings on the screen as flat x, y lists, the outer one first; rings are open.

    Coordinates are of pixel corners, rounded to a tenth of a pixel.
    """
    drawn = []
    for rings in polygons.outlines(crops, np.array(offsets, dtype=np.int64).reshape(-1, 2)):
        drawn.append([np.round(ring[:-1], 1).ravel().tolist() for ring in rings])
    return drawn
