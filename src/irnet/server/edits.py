"""What an edit means: which rows of annotations replace which."""

from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.data.coco.document import Id, Row
from irnet.data.coco.rows import ACCEPTED, ORIGIN, AnnotationRow
from irnet.data.components import split_components
from irnet.errors import InputError
from irnet.geometry import masks, polygons
from irnet.geometry.masks import Mask, Offset, Shape
from irnet.morphometry.pairing import pair_nuclei
from irnet.server import schema
from irnet.server.field import Change, ReviewedImage, to_cells
from irnet.server.store import Review

Drawn = tuple[Mask, Offset]
How = Literal["replace", "extend", "cut"]
MOST_PIXELS = 10**9  # that the outlines of an edit may enclose, each by itself: a few seconds of filling


def draw(edit: schema.Edit, shape: Shape) -> Drawn:
    """The pixels inside the outlines of an edit in a frame (H, W), as a crop and its place; else no pixels.

    Raises InputError when outlines hold none.
    """
    if not isinstance(edit, schema.Add | schema.Reshape):
        return np.zeros((0, 0), dtype=bool), (0, 0)
    if polygons.pixels_filled(polygons.validate(edit.rings, shape), shape) > MOST_PIXELS:
        raise InputError("too many large outlines at once: draw them one by one")
    crop, offset = polygons.rasterise(edit.rings, shape)
    if not crop.size:
        raise InputError("the outline holds no pixel of the image")
    return crop, offset


def change_of(edit: schema.Edit, drawn: Drawn, field: ReviewedImage, review: Review) -> Change:
    """The rows that `edit` puts in place, `drawn` by `draw`. Raises InputError when it cannot be made."""
    if isinstance(edit, schema.Add):
        rows = _add(edit, drawn, field, review)
    elif isinstance(edit, schema.Reshape):
        rows = _reshape(edit, drawn, field)
    elif isinstance(edit, schema.Delete):
        _live(field, edit.ids)
        rows = _unlinked(field, edit.ids) | dict.fromkeys(edit.ids, None)
    elif isinstance(edit, schema.Relabel):
        category = review.category_of(edit.label)
        changed = {
            key: _without(row, "cell_id") | {"category_id": category, ACCEPTED: True}
            for key, row in _live(field, edit.ids).items()
        }
        rows = _unlinked(field, edit.ids) | changed
    elif isinstance(edit, schema.Pair):
        rows = _pair(edit, field)
    else:
        accepted = edit.accepted if isinstance(edit, schema.Accept) else edit.finished
        rows = {key: _marked(row, accepted) for key, row in _live(field, edit.ids).items()}

    finished = edit.finished if isinstance(edit, schema.Finish) else field.finished
    return Change(rows=dict(rows), finished=finished)


def combine(mask: Mask, offset: Offset, other: Mask, place: Offset, how: How) -> tuple[Mask, Offset]:
    """Two crops as one: `other` instead of the mask, the mask and `other`, or the mask without it."""
    if how == "replace":
        return other, place

    low = np.minimum(offset, place)
    high = np.maximum(np.add(offset, mask.shape[::-1]), np.add(place, other.shape[::-1]))
    both = np.zeros((2, high[1] - low[1], high[0] - low[0]), dtype=bool)
    for layer, crop, (x, y) in zip(both, (mask, other), (offset - low, place - low), strict=True):
        layer[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    crop, (x, y) = masks.trim(both[0] | both[1] if how == "extend" else both[0] & ~both[1])
    return crop, (int(low[0]) + x, int(low[1]) + y)


def _add(edit: schema.Add, drawn: Drawn, field: ReviewedImage, review: Review) -> dict[Id, Row | None]:
    crop, offset = drawn
    key = review.new_id()
    row: Row = {
        "id": key,
        "image_id": field.image.id,
        "category_id": review.category_of(edit.label),
        **_shape(crop, offset, field),
        "iscrowd": 0,
        "number": field.last_number + 1,
        ORIGIN: edit.origin,
        ACCEPTED: True,
    }

    new = Cells.build([crop], [offset], [edit.label], field.image.shape)
    if edit.label == CYTOPLASM:
        bare = {k: c for k, c in field.parsed().items() if c.label == NUCLEUS and c.cell_id is None}
        inside = _paired(new, bare, field)
        linked: dict[Id, Row | None] = {k: {**r, "cell_id": key} for k, r in _live(field, inside).items()}
        return {key: row, **linked}

    cells = {k: c for k, c in field.parsed().items() if c.label == CYTOPLASM}
    owner = edit.cell if edit.cell is not None else next(iter(_paired(new, cells, field)), None)
    return {key: row if owner is None else row | {"cell_id": owner}}


def _paired(new: Cells, others: Mapping[Id, AnnotationRow], field: ReviewedImage) -> list[Id]:
    """The ids of `others` that the new instance pairs with, as their cell or as their nucleus."""
    x1, y1, x2, y2 = new.boxes[0]
    near = {
        key: each
        for key, each in others.items()
        if each.offset[0] < x2
        and each.offset[1] < y2
        and each.offset[0] + each.crop.shape[1] > x1
        and each.offset[1] + each.crop.shape[0] > y1
    }

    loose = to_cells(near, field.image)
    parents = pair_nuclei(Cells.concat([loose, new])).parents
    keys = list(near)
    if new.labels[0] == NUCLEUS:
        return [] if parents[-1] == NO_PARENT else [keys[parents[-1]]]
    return [key for key, parent in zip(keys, parents[:-1], strict=True) if parent == len(keys)]


def _reshape(edit: schema.Reshape, drawn: Drawn, field: ReviewedImage) -> dict[Id, Row | None]:
    row = _live(field, [edit.id])[edit.id]
    was = field.parsed()[edit.id]
    crop, offset = combine(was.crop, was.offset, *drawn, edit.how)
    if not crop.size:
        raise InputError("nothing would be left of it: delete it instead")
    if edit.how != "replace":
        crop, offset = _in_one_piece(crop, offset, was.crop, edit.how)
    return {edit.id: row | _shape(crop, offset, field) | {ACCEPTED: True}}


def _in_one_piece(crop: Mask, offset: Offset, was: Mask, how: How) -> tuple[Mask, Offset]:
    """A mask without the pieces that an edit broke off: the largest stay, as many as there were.

    Raises InputError where the edit adds a piece that touches no other.
    """
    before = len(split_components(was)[0])
    pieces, places = split_components(crop)
    if len(pieces) <= before:
        return crop, offset
    if how == "extend":
        raise InputError("what was drawn does not touch the mask: begin on it, or draw a new cell or nucleus")

    kept = np.zeros_like(crop)
    by_size = sorted(range(len(pieces)), key=lambda i: -np.count_nonzero(pieces[i]))
    for i in by_size[:before]:
        x, y = places[i]
        height, width = pieces[i].shape
        kept[y : y + height, x : x + width] |= pieces[i]
    kept, (x, y) = masks.trim(kept)
    return kept, (offset[0] + x, offset[1] + y)


def _pair(edit: schema.Pair, field: ReviewedImage) -> dict[Id, Row | None]:
    row = _live(field, [edit.id])[edit.id]
    if edit.cell is None:
        return {edit.id: _without(row, "cell_id")}
    _live(field, [edit.cell])
    return {edit.id: row | {"cell_id": edit.cell}}


def _shape(crop: Mask, offset: Offset, field: ReviewedImage) -> Row:
    size = list(field.image.shape)
    counts = masks.pack(masks.encode(crop, offset, field.image.shape))
    box = [float(value) for value in (*offset, crop.shape[1], crop.shape[0])]
    return {
        "segmentation": {"size": size, "counts": counts},
        "bbox": box,
        "area": int(np.count_nonzero(crop)),
    }


def _live(field: ReviewedImage, keys: Collection[Id]) -> dict[Id, Row]:
    """The rows of these ids. Raises InputError when one is not there or is not an instance."""
    instances = field.parsed()
    found = {key: row for key in keys if key in instances and (row := field.rows[key]) is not None}
    if missing := [key for key in keys if key not in found]:
        raise InputError(f"annotation {missing[0]!r} is not in image {field.image.name!r}: reload the page")
    return found


def _unlinked(field: ReviewedImage, cells: Collection[Id]) -> dict[Id, Row | None]:
    """Rows of the nuclei of these cells, without their link."""
    gone = set(cells)
    rows = {key: row for key, row in field.rows.items() if row is not None}
    return {key: _without(row, "cell_id") for key, row in rows.items() if row.get("cell_id") in gone}


def _without(row: Row, key: str) -> Row:
    return {name: value for name, value in row.items() if name != key}


def _marked(row: Row, accepted: bool) -> Row:
    return row | {ACCEPTED: True} if accepted else _without(row, ACCEPTED)
