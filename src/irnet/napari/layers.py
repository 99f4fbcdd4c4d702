"""An image's cells as two Shapes layers, and back: pure functions on napari's layer data.

A layer is (data, attributes, "shapes"). Vertices are (y, x), and pixel centres lie at whole numbers; in
`irnet.geometry.polygons` they are (x, y) and pixel corners do. The layers carry the image's entry, so that a
shape that was not touched keeps its mask to the pixel, holes and all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells
from irnet.data.numbers import fill_numbers
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry.masks import Mask, Offset
from irnet.geometry.polygons import Ring, outlines, rasterise
from irnet.morphometry.pairing import pair_nuclei
from irnet.report.colours import colour_cells
from irnet.wording import name_instance

Layer = tuple[Any, dict[str, Any], str]

NEW = -1  # the id of a shape that was drawn; others have their number in the image
TITLES = {CYTOPLASM: "cells", NUCLEUS: "nuclei"}
AREAS = ("polygon", "rectangle", "ellipse")
MOVED = 0.01  # px: napari keeps 32 bits of a coordinate


class Drawn(NamedTuple):
    """One shape of a layer."""

    id: int  # its number in the image, or NEW
    label: int
    mask: Mask
    offset: Offset
    score: float
    kind: str
    cell_id: int
    touched: bool


def to_layers(entry: Entry, *, scored: bool, visible: bool = True) -> list[Layer]:
    """The cells and the nuclei of an image as two Shapes layers; `scored`: whether scores mean anything."""
    cells = entry.content.cells
    colours = colour_cells(cells) / 255
    return [
        _to_layer(entry, np.flatnonzero(cells.labels == label), label, colours, scored, visible)
        for label in LABEL_NAMES
    ]


def to_entry(layers: Sequence[Layer]) -> tuple[Entry, bool]:
    """The image whose two layers these are, as they were left, and whether its instances have scores.

    Untouched shapes keep mask, score, kind and link. Others become the pixels whose centres they hold; new
    nuclei, and those that were moved off their cell, are linked again.

    Raises:
        InputError: a layer that is not of irnet, is doubled or missing, or a shape that encloses nothing.
    """
    entry: Entry = origin(layers[0])["entry"]
    seen: set[int] = set()
    drawn: list[Drawn] = []
    given = [origin(layer)["label"] for layer in layers]
    for label, title in TITLES.items():
        if given.count(label) > 1:
            raise InputError(f"{entry.name}: two layers of {title}: select one of them")
        if label not in given and (entry.content.cells.labels == label).any():
            raise InputError(f"{entry.name}: its {title} are missing: select their layer too")
    for layer in layers:
        drawn += _read_shapes(layer, seen)
    return _assemble(entry, drawn), bool(origin(layers[0])["scored"])


def origin(layer: Layer) -> Mapping[str, Any]:
    """What `to_layers` noted in a layer: entry, label, scored. Raises InputError where it did not."""
    _, attributes, _ = layer
    found = (attributes.get("metadata") or {}).get("irnet")
    if found is None:
        raise InputError(
            f"layer {attributes.get('name', '')!r} belongs to no image that irnet knows: draw in the layers "
            "of cells and nuclei that irnet made, or leave it out of the selection"
        )
    return found


def _to_layer(
    entry: Entry, index: NDArray[np.int64], label: int, colours: NDArray, scored: bool, visible: bool
) -> Layer:
    cells, kinds = entry.content.cells, entry.content.kinds
    numbers = np.array([*entry.content.numbered, NEW])  # the last is that of no parent
    attributes = {
        "name": f"{entry.name} {TITLES[label]}",
        "shape_type": "polygon",
        "features": {
            "id": numbers[index],
            "label": np.full(len(index), LABEL_NAMES[label]),
            "score": cells.scores[index],
            "kind": np.array([kinds[i] if kinds else "" for i in index], dtype=object),
            "cell_id": numbers[cells.parents[index]],
            "name": np.array([name_instance(entry.name, int(numbers[i])) for i in index], dtype=object),
        },
        "feature_defaults": {
            "id": NEW,
            "label": LABEL_NAMES[label],
            "score": 1.0,
            "kind": "",
            "cell_id": NEW,
            "name": "",
        },
        "edge_color": colours[index] if len(index) else "white",
        "face_color": "transparent",
        "edge_width": 2,
        "opacity": 1.0,
        "visible": visible,
        "metadata": {"irnet": {"entry": entry, "label": label, "scored": scored}},
    }

    return rings_of(cells.select(index)), attributes, "shapes"


def rings_of(cells: Cells) -> list[Ring]:
    """The longest outline of each mask as napari has it, (k, 2) y, x."""
    return [_vertices(rings) for rings in outlines(cells.masks, cells.offsets)]


def _vertices(rings: list[Ring]) -> Ring:
    """The longest outline of a mask as napari has it, (k, 2) y, x."""
    return rings[0][:-1, ::-1] - 0.5


def _read_shapes(layer: Layer, seen: set[int]) -> list[Drawn]:
    data, attributes, _ = layer
    known = origin(layer)
    entry, label = known["entry"], known["label"]
    forms = attributes.get("shape_type", "polygon")
    forms = [forms] * len(data) if isinstance(forms, str) else forms
    features = {name: list(attributes["features"][name]) for name in ("id", "score", "kind", "cell_id")}
    drawn = []
    for number, (vertices, form) in enumerate(zip(data, forms, strict=True)):
        row = {name: values[number] for name, values in features.items()}
        try:
            drawn.append(_read_shape(entry, label, np.asarray(vertices, dtype=np.float64), form, row, seen))
        except InputError as error:
            raise InputError(f"layer {attributes.get('name', '')!r}, shape {number}: {error}") from None
    return drawn


def _read_shape(
    entry: Entry, label: int, vertices: Ring, form: str, row: Mapping[str, Any], seen: set[int]
) -> Drawn:
    cells = entry.content.cells
    row = {name: None if value != value else value for name, value in row.items()}  # napari fills with nan
    number, numbers = _number(row["id"]), entry.content.numbered
    index = numbers.index(number) if number in numbers else -1
    if index < 0 or cells.labels[index] != label or index in seen:
        mask, offset = _fill(vertices, form, cells.image_shape)  # drawn, or the copy of another shape
        return Drawn(NEW, label, mask, offset, 1.0, "", NEW, touched=True)
    seen.add(index)

    mask, offset = cells.masks[index], (int(cells.offsets[index, 0]), int(cells.offsets[index, 1]))
    (rings,) = outlines([mask], cells.offsets[[index]])
    before = _vertices(rings)
    touched = before.shape != vertices.shape or bool(np.abs(before - vertices).max() > MOVED)
    if touched:
        mask, offset = _fill(vertices, form, cells.image_shape)

    return Drawn(
        number,
        label,
        mask,
        offset,
        score=float(row["score"]),
        kind=str(row["kind"] or ""),
        cell_id=_number(row["cell_id"]),
        touched=touched,
    )


def _number(value: Any) -> int:
    return NEW if value is None else int(value)


def _fill(vertices: Ring, form: str, shape: tuple[int, int]) -> tuple[Mask, Offset]:
    """The pixels inside a shape. Raises InputError where there are none."""
    if form not in AREAS:
        raise InputError(f"a {form} encloses nothing: draw a polygon")
    if vertices.shape[1:] != (2,):
        raise InputError(f"its vertices have {vertices.shape[-1]} coordinates: draw on a flat image")
    ring = _ellipse(vertices) if form == "ellipse" else vertices
    crop, offset = rasterise([ring[:, ::-1] + 0.5], shape)
    if not crop.size:
        raise InputError("it holds no pixel of the image: delete it")
    return crop, offset


def _ellipse(corners: Ring, vertices: int = 90) -> Ring:
    """The ellipse in a rectangle of four corners, turned or not."""
    middle, (across, down) = corners.mean(axis=0), (corners[[1, 3]] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)[:, None]
    return middle + np.cos(angles) * across + np.sin(angles) * down


def _assemble(entry: Entry, drawn: Sequence[Drawn]) -> Entry:
    """The entry with these instances, in the order that they had, new ones last."""
    before = entry.content
    order = sorted(drawn, key=lambda one: (one.id == NEW, one.id))
    cells = Cells.build(
        [one.mask for one in order],
        [one.offset for one in order],
        [one.label for one in order],
        before.cells.image_shape,
        scores=[one.score for one in order],
        mpp=before.cells.mpp,
    )

    kinds = tuple(one.kind for one in order)
    last = max([before.last_number, *before.numbered])
    content = replace(
        before,
        cells=replace(cells, parents=_link(cells, order)),
        annotated=before.annotated | {*cells.labels.tolist()},
        kinds=kinds if any(kinds) else (),
        numbers=tuple(fill_numbers([None if one.id == NEW else one.id for one in order], last)),
        last_number=last,
    )
    return replace(entry, content=content)


def _link(cells: Cells, order: Sequence[Drawn]) -> NDArray[np.int64]:
    """The cell of each nucleus: as its features say, unless it is new or lies no longer on that cell."""
    places = {one.id: place for place, one in enumerate(order) if one.id != NEW and one.label == CYTOPLASM}
    parents = np.full(len(cells), NO_PARENT)
    for place in np.flatnonzero(cells.labels == NUCLEUS).tolist():
        one, cell = order[place], places.get(order[place].cell_id, NO_PARENT)
        if one.id == NEW or (one.cell_id != NEW and _is_off(cells, order, place, cell)):
            alone = (cells.labels == CYTOPLASM) | (np.arange(len(cells)) == place)
            cell = pair_nuclei(cells, alone).parents[place]
        parents[place] = cell
    return parents


def _is_off(cells: Cells, order: Sequence[Drawn], nucleus: int, cell: int) -> bool:
    """Whether the cell is gone, or one of the two was edited and they share no pixel any more."""
    if cell == NO_PARENT or not (order[nucleus].touched or order[cell].touched):
        return cell == NO_PARENT
    return not cells.select([nucleus]).intersections(cells.select([cell])).any()
