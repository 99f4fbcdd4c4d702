"""Cells and nuclei as objects of QuPath: cells that hold their nuclei, or annotations."""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, NUCLEUS
from irnet.data.coco.document import Row
from irnet.data.formats.qupath_geometry import NucleiGeometry, geometry_of, nuclei_of
from irnet.data.sample import Entry
from irnet.geometry.polygons import Ring
from irnet.wording import name_instance

COLOURS = {CYTOPLASM: [0, 114, 178], NUCLEUS: [213, 94, 0]}  # Okabe and Ito
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "irnet.qupath")

Draw = Callable[[Sequence[int]], Iterator[list[Ring]]]  # the outlines of some of an image's instances


def write_features(file: BinaryIO, features: Iterable[Row]) -> None:
    """Write a collection, feature by feature."""
    file.write(b'{"type": "FeatureCollection", "features": [')
    for number, feature in enumerate(features):
        file.write((",\n" if number else "\n").encode() + json.dumps(feature, allow_nan=False).encode())
    file.write(b"\n]}\n")


def cell_objects(
    entry: Entry, draw: Draw, measurements: Sequence[Mapping[str, float]], apart: list[int]
) -> Iterator[Row]:
    """The cells of an image with `measurements` (n,), and its bare nuclei.

    `apart` gets, cell by cell, how many of its nuclei are outside of it.
    """
    cells = entry.content.cells
    solid = cells.areas > 0
    inside: dict[int, list[int]] = {}  # the nuclei of each cell
    for index in np.flatnonzero(solid & (cells.parents != NO_PARENT)).tolist():
        inside.setdefault(int(cells.parents[index]), []).append(index)
    chosen = [
        index
        for index in np.flatnonzero(solid).tolist()
        if cells.labels[index] == CYTOPLASM or not solid[cells.parents[index]] or cells.parents[index] < 0
    ]

    drawn = draw([part for index in chosen for part in (index, *inside.get(index, ()))])
    for index in chosen:
        is_cell = cells.labels[index] == CYTOPLASM
        feature = _feature(entry, index, "cell" if is_cell else "detection", next(drawn))
        group = {index: feature}

        if own := inside.get(index, []):
            outlines = [next(drawn) for _ in own]
            nuclei = nuclei_of(outlines)
            feature["nucleusGeometry"] = nuclei.geometry
            feature["properties"]["metadata"] |= _nuclei_metadata(nuclei, own, entry)
            group |= {
                nucleus: _feature(entry, nucleus, "detection", rings)
                for place, (nucleus, rings) in enumerate(zip(own, outlines, strict=True))
                if place not in nuclei.members
            }
        apart.append(len(group) - 1)

        for member, feature in group.items():
            feature["properties"]["metadata"] |= {"cell": _cell(entry, index)} if len(group) > 1 else {}
            values = {name: value for name, value in measurements[member].items() if np.isfinite(value)}
            feature["properties"]["measurements"] = values
            yield feature


def _nuclei_metadata(nuclei: NucleiGeometry, own: Sequence[int], entry: Entry) -> dict[str, str]:
    """What is known of the nuclei in the object of their cell, in order."""
    members = [own[place] for place in nuclei.members]
    pieces = {"nucleus_parts": " ".join(map(str, nuclei.parts))} if max(nuclei.parts) > 1 else {}
    return pieces | {
        "nucleus_numbers": " ".join(str(entry.content.numbered[nucleus]) for nucleus in members),
        "nucleus_scores": " ".join(_text(entry.content.cells.scores[nucleus]) for nucleus in members),
    }


def annotations(entry: Entry, draw: Draw) -> Iterator[Row]:
    """All instances of an image, each an annotation."""
    cells, kinds = entry.content.cells, entry.content.kinds
    chosen = np.flatnonzero(cells.areas).tolist()
    for index, rings in zip(chosen, draw(chosen), strict=True):
        feature = _feature(entry, index, "annotation", rings)
        owner = index if cells.labels[index] == CYTOPLASM else int(cells.parents[index])
        pair = {} if owner == NO_PARENT else {"cell": _cell(entry, owner)}
        kind = {"kind": kinds[index]} if kinds and kinds[index] else {}
        feature["properties"]["metadata"] |= pair | kind
        yield feature


def _cell(entry: Entry, index: int) -> str:
    """What a cell's objects have in common, from 1."""
    return str(entry.content.numbered[index] + 1)


def _feature(entry: Entry, index: int, object_type: str, rings: list[Ring]) -> Row:
    """An instance as an object; a cell's class is its kind."""
    cells, kinds = entry.content.cells, entry.content.kinds
    label = int(cells.labels[index])
    kind = kinds[index] if kinds and object_type == "cell" else ""
    name = " ".join(kind.replace(":", " ").split()) or LABEL_NAMES[label]  # QuPath splits names at colons
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, f"{entry.name}/{entry.content.numbered[index] + 1}")),
        "geometry": geometry_of(rings),
        "properties": {
            "objectType": object_type,
            "name": name_instance(entry.name, entry.content.numbered[index]),
            "classification": {"name": name, "color": COLOURS[label]},
            "metadata": {"score": _text(cells.scores[index])},
        },
    }


def _text(score: float) -> str:
    return f"{score:.6g}"
