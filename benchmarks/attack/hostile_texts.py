"""A scene as COCO, and as the tools write it that draw outlines; not by irnet's own writers."""

import base64
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from hostile_files import NAMES, groups, png, put, put_set
from hostile_scene import ALONE, CELL, NUCLEUS, Scene
from pycocotools import mask as pycocotools_mask


def coco(segment: Callable[[Scene, int], Any]) -> Callable[[Path, Scene], None]:
    """A data set with polygons or run lengths."""

    def write(folder: Path, scene: Scene) -> None:
        rows = [
            {"id": i + 1, "image_id": 1, "category_id": thing.label, "segmentation": segment(scene, i)}
            | ({} if thing.parent == ALONE else {"cell_id": thing.parent + 1})
            for i, thing in enumerate(scene.things)
        ]
        put_set(folder, scene, rows)

    return write


def as_polygon(scene: Scene, place: int) -> list[list[int]]:
    return [[value for point in scene.things[place].ring for value in point]]


def as_lengths(scene: Scene, place: int) -> dict[str, Any]:
    flat = scene.masks[place].T.ravel()
    bounds = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *bounds, len(flat)]).tolist()
    return {"size": list(scene.shape), "counts": [0, *counts] if flat[0] else counts}


def as_text(scene: Scene, place: int) -> dict[str, Any]:
    rle = pycocotools_mask.encode(np.asfortranarray(scene.masks[place].astype(np.uint8)))
    return {"size": list(scene.shape), "counts": rle["counts"].decode()}


def results(folder: Path, scene: Scene) -> None:
    """A list of results, on a data set of the same picture."""
    put_set(folder / "set", scene, [])
    rows = [
        {"image_id": 1, "category_id": thing.label, "segmentation": as_text(scene, i), "score": 0.5}
        for i, thing in enumerate(scene.things)
    ]
    put(folder / "results.json", json.dumps(rows))


# Tools to draw with


def labelme(folder: Path, scene: Scene) -> None:
    shapes = [
        {"label": NAMES[t.label], "points": t.ring, "group_id": group, "shape_type": "polygon", "flags": {}}
        for t, group in zip(scene.things, groups(scene), strict=True)
    ]
    _put_labelme(folder, scene, shapes)


def labelme_masks(folder: Path, scene: Scene) -> None:
    shapes = []
    for thing, mask, group in zip(scene.things, scene.masks, groups(scene), strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        corners = [[int(columns[0]), int(rows[0])], [int(columns[-1]), int(rows[-1])]]
        picture = base64.b64encode(png(crop.astype(np.uint8) * 255)).decode()
        shape = {"label": NAMES[thing.label], "points": corners, "mask": picture}
        shapes.append(shape | {"shape_type": "mask", "group_id": group})
    _put_labelme(folder, scene, shapes)


def _put_labelme(folder: Path, scene: Scene, shapes: list[dict[str, Any]]) -> None:
    height, width = scene.shape
    sizes = {"imageHeight": height, "imageWidth": width, "imageData": None, "version": "5.4.1", "flags": {}}
    put(folder / scene.name, scene.picture())
    put(folder / "field.json", json.dumps({"imagePath": scene.name, "shapes": shapes} | sizes))


def cvat(folder: Path, scene: Scene) -> None:
    lines = []
    for thing, group in zip(scene.things, groups(scene), strict=True):
        points = ";".join(f"{x:.2f},{y:.2f}" for x, y in thing.ring)
        lines.append(_shape("polygon", thing.label, group, f'points="{points}"'))
    _put_cvat(folder, scene, lines)


def cvat_masks(folder: Path, scene: Scene) -> None:
    height, width = scene.shape
    lines = []
    for thing, mask, group in zip(scene.things, scene.masks, groups(scene), strict=True):
        bounds = np.flatnonzero(np.diff(mask.ravel())) + 1
        counts = ", ".join(map(str, np.diff([0, *bounds, mask.size]).tolist()))
        box = f'left="0" top="0" width="{width}" height="{height}"'
        lines.append(_shape("mask", thing.label, group, f'rle="{counts}" {box}'))
    _put_cvat(folder, scene, lines)


def _shape(tag: str, label: int, group: int | None, attributes: str) -> str:
    group_id = "" if group is None else f' group_id="{group}"'
    return f'    <{tag} label="{NAMES[label]}" occluded="0" {attributes}{group_id} z_order="0"></{tag}>'


def _put_cvat(folder: Path, scene: Scene, lines: list[str]) -> None:
    height, width = scene.shape
    image = f'  <image id="0" name={quoteattr(scene.name)} width="{width}" height="{height}">'
    rows = ["<annotations>", "  <version>1.1</version>", image, *lines, "  </image>", "</annotations>"]
    put(folder / scene.name, scene.picture())
    put(folder / "annotations.xml", '<?xml version="1.0" encoding="utf-8"?>\n' + "\n".join(rows) + "\n")


def qupath(folder: Path, scene: Scene) -> None:
    """QuPath's own cells; nuclei without one are detections."""
    features = []
    for i in scene.of(CELL):
        nuclei = [scene.things[j].ring for j in scene.of(NUCLEUS) if scene.things[j].parent == i]
        feature = _feature(scene.things[i].ring, "cell", None)
        if nuclei:
            parts = [[[*ring, ring[0]]] for ring in nuclei]
            kind, coordinates = ("Polygon", parts[0]) if len(parts) == 1 else ("MultiPolygon", parts)
            feature["nucleusGeometry"] = {"type": kind, "coordinates": coordinates}
        features.append(feature)
    bare = [scene.things[i].ring for i in scene.of(NUCLEUS) if scene.things[i].parent == ALONE]
    _put_qupath(folder, scene, features + [_feature(ring, "detection", None) for ring in bare])


def qupath_drawn(folder: Path, scene: Scene) -> None:
    """Annotations with a classification."""
    features = []
    for thing, group in zip(scene.things, groups(scene), strict=True):
        feature = _feature(thing.ring, "annotation", NAMES[thing.label])
        feature["properties"]["metadata"] = {} if group is None else {"cell": str(group)}
        features.append(feature)
    _put_qupath(folder, scene, features)


def _feature(ring: list[tuple[int, int]], kind: str, name: str | None) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": kind}
    if name is not None:
        properties["classification"] = {"name": name, "color": [1, 2, 3]}
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _put_qupath(folder: Path, scene: Scene, features: list[dict[str, Any]]) -> None:
    put(folder / scene.name, scene.picture())
    put(folder / "field.geojson", json.dumps({"type": "FeatureCollection", "features": features}))


def imagej(folder: Path, scene: Scene) -> None:
    """Polygons of 16-bit corners, named as irnet names them."""
    buffer, bare = io.BytesIO(), 0
    nuclei = dict.fromkeys(scene.of(CELL), 0)
    with zipfile.ZipFile(buffer, "w") as archive:
        for i, thing in enumerate(scene.things):
            name = f"c{i + 1:04}"
            if thing.label == NUCLEUS and thing.parent == ALONE:
                name, bare = f"n{bare + 1:04}", bare + 1
            elif thing.label == NUCLEUS:
                nuclei[thing.parent] += 1
                name = f"c{thing.parent + 1:04}-n{nuclei[thing.parent]}"
            archive.writestr(f"{name}.roi", roi(thing.ring))
    put(folder / scene.name, scene.picture())
    put(folder / "field.zip", buffer.getvalue())


def roi(ring: list[tuple[int, int]]) -> bytes:
    """ImageJ's polygon: a header of 64 bytes, then x and y relative to its box."""
    xs, ys = zip(*ring, strict=True)
    left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
    head = b"Iout" + struct.pack(">hBxhhhhH", 227, 0, top, left, bottom, right, len(ring)).ljust(60, b"\0")
    corners = [x - left for x in xs] + [y - top for y in ys]
    return head + struct.pack(f">{len(corners)}h", *corners)


def yolo(folder: Path, scene: Scene) -> None:
    put_set(folder / "set", scene, [])
    height, width = scene.shape
    lines = [
        " ".join([str(t.label - 1), *(f"{x / width:.9f} {y / height:.9f}" for x, y in t.ring)])
        for t in scene.things
    ]
    put(folder / "found" / "field.txt", "\n".join(lines) + "\n")
