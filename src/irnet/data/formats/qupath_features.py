"""Features of QuPath's GeoJSON, of version 0.2 on: their objects, classes, scores and polygons."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from irnet.data.coco.document import Row, short
from irnet.data.coco.rows import parse_score
from irnet.errors import InputError
from irnet.geometry import polygons
from irnet.geometry.masks import Shape

NO_AREA = ("Point", "MultiPoint", "LineString", "MultiLineString")
_IDS = {  # of features without objectType, as QuPath before 0.3 writes them
    "PathCellObject": "cell",
    "PathDetectionObject": "detection",
    "PathAnnotationObject": "annotation",
    "PathTileObject": "tile",
    "PathRootObject": "root",
    "TMACoreObject": "tma_core",
}


def features_of(data: Any) -> Iterator[Row]:
    """The features of a collection, an array or by itself, and those that lie inside others. InputError."""
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(item)
        elif isinstance(item, dict) and isinstance(item.get("features"), list):
            waiting += reversed(item["features"])
        elif isinstance(item, dict) and "geometry" in item:
            yield item
            children = properties_of(item).get("childObjects")
            waiting += [children] if isinstance(children, list) else []
        else:
            raise InputError(f"{short(item)} is no feature: export the objects as GeoJSON")


def object_type(feature: Row) -> Any:
    """What QuPath calls the object: "cell", "detection", "annotation" or another."""
    properties = properties_of(feature)
    named = properties.get("objectType", properties.get("object_type"))
    if named is None and isinstance(feature.get("id"), str):
        named = _IDS.get(feature["id"])
    if named is None:
        return "annotation" if feature.get("nucleusGeometry") is None else "cell"
    return named


def plane_of(feature: Row) -> tuple[str, str]:
    """Slice and time of a stack that the object lies in; QuPath leaves out those of the first."""
    geometry = feature["geometry"]
    plane = geometry.get("plane") if isinstance(geometry, dict) else None
    return (str(plane.get("z", 0)), str(plane.get("t", 0))) if isinstance(plane, dict) else ("0", "0")


def properties_of(feature: Row) -> Row:
    """Its properties, empty without."""
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def class_name(properties: Row) -> str:
    """The name of a classification, "" without one; a derived one has several names."""
    value = properties.get("classification")
    if isinstance(value, dict):
        names = value.get("names")
        value = ": ".join(map(str, names)) if isinstance(names, list) else value.get("name")
    return value if isinstance(value, str) else ""


def scores_of(text: Any, count: int) -> list[float]:
    """`count` scores in a metadata text. Raises InputError."""
    try:
        scores = [float(word) for word in str(text).split()]
    except ValueError:
        scores = []
    if len(scores) != count or not np.isfinite(scores).all():
        raise InputError(f"metadata: score {short(text)} is not a number: remove it")
    return [parse_score(score) for score in scores]


def parse_polygons(geometry: Any, shape: Shape) -> list[list[Any]]:
    """Rings of each polygon, the outline first, then its holes. Raises InputError for what is not an area."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise InputError(f"geometry {short(geometry)} is no polygon: remove it, or draw an area")
    parts: Any = geometry.get("coordinates")
    parts = [parts] if kind == "Polygon" else parts
    if not isinstance(parts, list) or not all(isinstance(part, list) and part for part in parts):
        raise InputError(f"coordinates of a {kind} must be lists of rings")
    rings: list[list[Any]] = [[_ring(ring) for ring in part] for part in parts]
    if geometry.get("isEllipse") is True:
        vertices = np.concatenate(polygons.validate([ring for part in rings for ring in part], shape))
        return [[polygons.ellipse((*vertices.min(axis=0).tolist(), *vertices.max(axis=0).tolist()))]]
    return rings


def _ring(points: Any) -> list[list[Any]]:
    """Points without a third coordinate."""
    if not isinstance(points, list) or not all(isinstance(p, list) and len(p) >= 2 for p in points):
        raise InputError("coordinates must be lists of [x, y]")
    return [point[:2] for point in points]
