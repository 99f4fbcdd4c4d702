"""QuPath's GeoJSON: cells with their nuclei as QuPath's own objects, or as annotations to correct.

Coordinates are pixels of the whole image from the top-left corner of its first pixel. A cell holds one
nucleus geometry: several nuclei are the parts of one MultiPolygon. QuPath lets nobody edit cells and other
detections: for correction all are annotations, a nucleus linked to its cell by the metadata key `cell`.
"""

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells
from irnet.data.categories import DROPPED, label_of
from irnet.data.files import write_atomic
from irnet.data.formats.beside import Pictures, list_files
from irnet.data.formats.coco_json import Id, Row, identity, naming, short
from irnet.data.formats.gathering import Gathering
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import polygons
from irnet.geometry.masks import Mask, Offset, Shape

Style = Literal["cells", "annotations"]
SUFFIX = ".geojson"
PRECISION = 0.01  # px: what QuPath rounds to
COLOURS = {CYTOPLASM: [0, 114, 178], NUCLEUS: [213, 94, 0]}  # Okabe and Ito
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "irnet.qupath")


def write(
    path: str | os.PathLike,
    entry: Entry,
    *,
    style: Style = "cells",
    measurements: Sequence[Mapping[str, float]] = (),
) -> None:
    """Write the cells of an image, feature by feature; ids are those of name and number, the same each time.

    `style` "cells": native cells, and bare nuclei as detections, with `measurements` (one mapping of names
    to values an instance). "annotations": every instance one annotation, without measurements. Raises
    InputError where shapely is missing.
    """
    cells = entry.truth.cells
    if style == "cells":
        features = _cell_features(entry, measurements or [{}] * len(cells))
    else:
        features = _annotation_features(entry)

    def stream(file: BinaryIO) -> None:
        file.write(b'{"type": "FeatureCollection", "features": [')
        for number, feature in enumerate(features):
            file.write((",\n" if number else "\n").encode() + json.dumps(feature, allow_nan=False).encode())
        file.write(b"\n]}\n")

    write_atomic(path, stream)


def read(
    source: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    mapping: Mapping[str, str] | None = None,
) -> list[Entry]:
    """The images of STEM.geojson files with their cells, detections and annotations.

    Cells are cells whatever their classification, which is their kind. Annotations need one that is ours or
    that `mapping` renames; detections without are nuclei. Raises InputError with file, feature and remedy.
    """
    pictures = Pictures(source, images)
    return [_read_file(file, pictures, mapping) for file in list_files(source, SUFFIX)]


# Writing


def _cell_features(entry: Entry, measurements: Sequence[Mapping[str, float]]) -> Iterator[Row]:
    cells, kinds = entry.truth.cells, entry.truth.kinds
    solid = cells.areas > 0
    for index in np.flatnonzero(solid).tolist():
        kind = kinds[index] if kinds else ""
        if cells.labels[index] == CYTOPLASM:
            nuclei = np.flatnonzero((cells.parents == index) & solid)
            metadata = {"score": _text(cells.scores[index])}
            if len(nuclei):
                metadata["nucleus_scores"] = " ".join(_text(score) for score in cells.scores[nuclei])
            feature = _feature(entry, index, "cell", kind, metadata)
            if len(nuclei):
                feature["nucleusGeometry"] = _geometry(cells.select(nuclei))
        elif cells.parents[index] == NO_PARENT or not solid[cells.parents[index]]:
            feature = _feature(entry, index, "detection", "", {"score": _text(cells.scores[index])})
        else:
            continue
        values = {name: value for name, value in measurements[index].items() if np.isfinite(value)}
        feature["properties"]["measurements"] = values
        yield feature


def _annotation_features(entry: Entry) -> Iterator[Row]:
    cells, kinds = entry.truth.cells, entry.truth.kinds
    for index in np.flatnonzero(cells.areas).tolist():
        owner = index if cells.labels[index] == CYTOPLASM else int(cells.parents[index])
        metadata = {"score": _text(cells.scores[index])}
        if owner != NO_PARENT:
            metadata["cell"] = str(owner + 1)
        if kinds and kinds[index]:
            metadata["kind"] = kinds[index]
        yield _feature(entry, index, "annotation", "", metadata)


def _feature(entry: Entry, index: int, object_type: str, kind: str, metadata: Mapping[str, str]) -> Row:
    label = int(entry.truth.cells.labels[index])
    name = " ".join(kind.replace(":", " ").split()) or LABEL_NAMES[label]  # QuPath splits names at colons
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, f"{entry.name}/{index + 1}")),
        "geometry": _geometry(entry.truth.cells.select([index])),
        "properties": {
            "objectType": object_type,
            "classification": {"name": name, "color": COLOURS[label]},
            "metadata": dict(metadata),
        },
    }


def _geometry(cells: Cells) -> Row:
    """The Polygon or MultiPolygon of all the masks, valid and on QuPath's grid."""
    try:
        import shapely
    except ImportError as error:
        raise InputError("QuPath's geometry needs shapely: pip install 'irnet[export]'") from error
    parts = [
        part
        for mask, offset in zip(cells.masks, cells.offsets.tolist(), strict=True)
        for part in _parts(mask, (offset[0], offset[1]))
    ]
    merged = shapely.MultiPolygon(parts)
    if not merged.is_valid:  # nuclei that overlap
        merged = shapely.set_precision(shapely.union_all(parts), PRECISION)
        parts = [part for part in shapely.get_parts(merged) if part.geom_type == "Polygon"]
    return shapely.geometry.mapping(parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts))


def _parts(mask: Mask, offset: Offset) -> list[Any]:
    """Polygons of a mask's pieces, holes cut out, as shapely has them."""
    import shapely

    lines = shapely.MultiLineString(polygons.outlines(mask, offset))
    area = shapely.set_precision(shapely.make_valid(shapely.build_area(lines)), PRECISION)
    return [part for part in shapely.get_parts(area) if part.geom_type == "Polygon" and not part.is_empty]


def _text(score: float) -> str:
    return f"{score:.6g}"


# Reading


def _read_file(file: Path, pictures: Pictures, mapping: Mapping[str, str] | None) -> Entry:
    with naming(str(file)):
        features = list(_features(_parse(file)))
    picture = pictures.of_file(file, SUFFIX)
    gathering = Gathering(*picture.measure())
    for number, feature in enumerate(features, start=1):
        with naming(f"{file}: feature {number} (id {short(feature.get('id'))})"):
            _take(feature, number, gathering, mapping)
    return Entry(name=picture.name, path=picture.path, truth=gathering.truth(file), patient=picture.patient)


def _parse(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))  # of doubled keys the last one counts
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON ({error}): export the objects again") from None


def _features(data: Any) -> Iterator[Row]:
    """The features of a collection, an array or by itself, and those that lie inside others."""
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(item)
        elif isinstance(item, dict) and isinstance(item.get("features"), list):
            waiting += reversed(item["features"])
        elif isinstance(item, dict) and "geometry" in item:
            yield item
            children = _properties(item).get("childObjects")
            waiting += [children] if isinstance(children, list) else []
        else:
            raise InputError(f"{short(item)} is no feature: export the objects as GeoJSON")


def _take(feature: Row, number: int, gathering: Gathering, mapping: Mapping[str, str] | None) -> None:
    properties = _properties(feature)
    metadata = properties.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    kind, (score,) = _class_name(properties), _scores(metadata.get("score", "1"), count=1)
    object_type = properties.get("objectType", properties.get("object_type", "annotation"))
    if object_type == "cell":
        group = f"feature {number}"
        kind = "" if kind.lower() == LABEL_NAMES[CYTOPLASM] else kind
        mask = gathering.draw(_rings(feature["geometry"], gathering.shape))
        gathering.add(*mask, CYTOPLASM, group=group, score=score, kind=kind)
        _take_nuclei(feature.get("nucleusGeometry"), metadata, gathering, group)
        return
    if object_type not in ("annotation", "detection"):
        raise InputError(f"objectType {short(object_type)} is no cell, detection or annotation: remove it")
    if not kind and object_type == "annotation":
        raise InputError("an annotation without classification: set it to cytoplasm or nucleus, or remove it")
    label = label_of(kind, mapping) if kind else NUCLEUS
    if label != DROPPED:
        mask = gathering.draw(_rings(feature["geometry"], gathering.shape))
        kind = str(metadata.get("kind") or "")
        gathering.add(*mask, label, group=_pair(metadata), score=score, kind=kind)


def _take_nuclei(geometry: Any, metadata: Row, gathering: Gathering, group: str) -> None:
    if geometry is None:
        return
    parts = _polygons(geometry, gathering.shape)
    count = len(str(metadata.get("nucleus_scores", "")).split())
    if count == 1:  # a nucleus in pieces
        parts = [[ring for part in parts for ring in part]]
    known = count == len(parts)
    scores = _scores(metadata["nucleus_scores"], count) if known else [1.0] * len(parts)
    for part, score in zip(parts, scores, strict=True):
        gathering.add(*gathering.draw(part), NUCLEUS, group=group, score=score)


def _pair(metadata: Row) -> Id | None:
    """What a cell and its nuclei share, None: it stands alone. Raises InputError."""
    with naming("metadata"):
        return None if metadata.get("cell") is None else identity(metadata, "cell")


def _rings(geometry: Any, shape: Shape) -> list[Any]:
    return [ring for part in _polygons(geometry, shape) for ring in part]


def _polygons(geometry: Any, shape: Shape) -> list[list[Any]]:
    """Rings of each polygon. Raises InputError for points, lines and what is no geometry."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise InputError(f"geometry {short(geometry)} is no polygon: remove it, or draw an area")
    parts = [geometry.get("coordinates")] if kind == "Polygon" else geometry.get("coordinates")
    if not isinstance(parts, list) or not all(isinstance(part, list) for part in parts):
        raise InputError(f"coordinates of a {kind} must be lists of rings")
    rings: list[list[Any]] = [[_ring(ring) for ring in part] for part in parts if part is not None]
    if geometry.get("isEllipse") is True:
        vertices = np.concatenate(polygons.validate([ring for part in rings for ring in part], shape))
        return [[polygons.ellipse((*vertices.min(axis=0).tolist(), *vertices.max(axis=0).tolist()))]]
    return rings


def _ring(points: Any) -> list[list[Any]]:
    """Points without a third coordinate."""
    if not isinstance(points, list) or not all(isinstance(p, list) and len(p) >= 2 for p in points):
        raise InputError("coordinates must be lists of [x, y]")
    return [point[:2] for point in points]


def _properties(feature: Row) -> Row:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _class_name(properties: Row) -> str:
    """The name of a classification, "" without one; a derived one has several names."""
    value = properties.get("classification")
    if isinstance(value, dict):
        names = value.get("names")
        value = ": ".join(map(str, names)) if isinstance(names, list) else value.get("name")
    return value if isinstance(value, str) else ""


def _scores(text: Any, count: int) -> list[float]:
    try:
        scores = [float(word) for word in str(text).split()]
    except ValueError:
        scores = []
    if len(scores) != count or not np.isfinite(scores).all():
        raise InputError(f"metadata: score {short(text)} is no number: remove it")
    return scores
