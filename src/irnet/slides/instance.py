"""What cells.db says of its slide and of an instance, as values that were checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import inf, isfinite
from pathlib import Path
from typing import Any, Self

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, Cells
from irnet.errors import InputError
from irnet.geometry.masks import MAX_SIDE, Mask, decode, unpack, validate_rle
from irnet.geometry.polygons import Ring
from irnet.slides.block import MEASURES
from irnet.slides.nesting import NESTED
from irnet.slides.outlines import decode_outline

AGAIN = "irnet slide finish OUT writes it anew"
_PLAIN = ("tile", "id", "label", "parent", "confidence", "score", "x1", "y1", "x2", "y2")
SELECTED = (*_PLAIN, "mask", "outline", "cut", "nuclei", *NESTED, *MEASURES)


@dataclass(frozen=True)
class StoreMeta:
    """What a store says of its slide."""

    name: str
    mpp: float  # um per px of the boxes
    px: float  # px of the slide per px of the boxes
    shape: tuple[int, int]  # (H, W) px of the boxes
    slide_shape: tuple[int, int]  # (H, W) of the finest level
    cells: int
    nuclei: int
    largest: tuple[int, int]  # width and height that no box exceeds

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """From values by name. Raises InputError, KeyError, TypeError or ValueError where they cannot be."""
        values = {field.name: said[field.name] for field in fields(cls)}
        if not isinstance(values["name"], str) or not values["name"]:
            raise ValueError("name is no text")
        for name in ("mpp", "px"):
            if type(values[name]) not in (int, float) or not 0 < values[name] < inf:
                raise ValueError(f"{name} is {values[name]}")
        for name in ("cells", "nuclei"):
            _check_whole(name, [values[name]])
        for name in ("shape", "slide_shape", "largest"):
            first, second = values[name]
            _check_whole(name, [first, second])
            values[name] = (first, second)
        if not all(0 < side <= MAX_SIDE for side in values["shape"]):  # of any area: no mask fills a slide
            raise ValueError(f"shape is {values['shape']}")
        return cls(**values)


@dataclass(frozen=True)
class Instance:
    """A cytoplasm or a nucleus. Raises ValueError where it is none that lies in its slide."""

    path: Path  # of the store
    tile: int
    id: int
    label: int  # CYTOPLASM or NUCLEUS
    parent: int | None  # id of a nucleus's cell
    confidence: float | None  # of that link
    score: float
    box: tuple[int, int, int, int]  # x1, y1, x2, y2
    packed_mask: bytes
    packed_outline: bytes
    cut: bool  # by the edge of its window
    nuclei: int | None  # of a cytoplasm
    measures: dict[str, float | None]  # by the names of NESTED and MEASURES

    @classmethod
    def of(cls, row: Sequence[Any], path: Path, shape: tuple[int, int]) -> Self:
        """From the values of SELECTED. Raises TypeError or ValueError where they cannot be."""
        values = dict(zip(SELECTED, row, strict=True))
        parent, label, box = values["parent"], int(values["label"]), tuple(map(int, row[6:10]))
        x1, y1, x2, y2 = box
        if label not in LABEL_NAMES or (label == CYTOPLASM) != (values["nuclei"] is not None):
            raise ValueError(f"#{values['id']} is neither a cell nor a nucleus")
        if label == CYTOPLASM and parent is not None:
            raise ValueError(f"#{values['id']} is a cell inside a cell")
        if not (0 <= x1 < x2 <= shape[1] and 0 <= y1 < y2 <= shape[0]):
            raise ValueError(f"#{values['id']} does not lie in the slide")
        measures = {name: values[name] for name in (*NESTED, *MEASURES)}
        numbers = (values["score"], values["confidence"], values["nuclei"], *measures.values())
        if not isfinite(sum(number for number in numbers if number is not None)):
            raise ValueError(f"#{values['id']} has measures that are no numbers")

        return cls(
            path=path,
            **{name: int(values[name]) for name in ("tile", "id", "label")},
            parent=None if parent is None else int(parent),
            confidence=values["confidence"],
            score=float(values["score"]),
            box=(x1, y1, x2, y2),
            packed_mask=bytes(values["mask"]),
            packed_outline=bytes(values["outline"]),
            cut=bool(values["cut"]),
            nuclei=None if values["nuclei"] is None else int(values["nuclei"]),
            measures=measures,
        )

    def mask(self) -> Mask:
        """The pixels (h, w) of its box. Raises InputError where they are damaged."""
        x1, y1, x2, y2 = self.box
        try:
            counts = unpack(self.packed_mask.decode("latin-1"))
            validate_rle(counts, (y2 - y1, x2 - x1))
        except InputError as error:
            raise damaged(self.path, f"mask of #{self.id}: {error}") from None
        return decode(counts, (y2 - y1, x2 - x1), (0, 0, x2 - x1, y2 - y1))[0]

    def rings(self, scale: float = 1.0) -> list[Ring]:
        """Its closed outlines (k, 2), x and y in the slide, longest first; holes are rings in others.

        Raises InputError where they are damaged.
        """
        try:
            return [ring * scale for ring in decode_outline(self.packed_outline, self.box[:2])]
        except InputError as error:
            raise damaged(self.path, f"#{self.id}: {error}") from None


def as_cells(instances: Sequence[Instance], meta: StoreMeta) -> Cells:
    """Instances in their order. A nucleus whose cell is not among them has none. Raises InputError."""
    places = {one.id: place for place, one in enumerate(instances)}
    return Cells.build(
        [one.mask() for one in instances],
        [one.box[:2] for one in instances],
        [one.label for one in instances],
        meta.shape,
        scores=[one.score for one in instances],
        parents=[NO_PARENT if one.parent is None else places.get(one.parent, NO_PARENT) for one in instances],
        mpp=meta.mpp,
    )


def damaged(path: Path, why: object) -> InputError:
    """What is raised for a store that is damaged."""
    return InputError(f"{path}: damaged, or not of irnet slide ({why}): {AGAIN}")


def _check_whole(name: str, values: Sequence[Any]) -> None:
    if not all(type(value) is int and 0 <= value < 2**63 for value in values):
        raise ValueError(f"{name} is {values}")
