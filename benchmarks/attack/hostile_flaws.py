"""Files that are valid and mean something else than their picture shows: to be refused, or told of.

Each is a mistake that people and tools make: joined or imported twice, x and y swapped, of a picture of
another size, of several planes. Wrong numbers in silence are what an attack looks for.
"""

import json
import logging
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from hostile_variants import files_of, read_zip, write_zip


class Flaw(NamedTuple):
    """What is done to the written scene of some formats."""

    formats: tuple[str, ...]
    folder: Callable[[Path], None]


class Warned(logging.Handler):
    """What was warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _json(change: Callable[[Any], None]) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        for file in files_of(folder):
            if file.suffix in (".json", ".geojson"):
                data = json.loads(file.read_text())
                change(data)
                file.write_text(json.dumps(data))

    return run


def _text(pattern: str, replacement: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        for file in files_of(folder):
            if file.suffix == ".xml":
                file.write_text(re.sub(pattern, replacement, file.read_text()))

    return run


def _twice(rows: str) -> Callable[[Path], None]:
    return _json(lambda data: data[rows].extend(json.loads(json.dumps(data[rows]))))


def _coco_twice(data: dict[str, Any]) -> None:
    rows = data["annotations"]
    copies = [{key: row[key] + 1000 if key in ("id", "cell_id") else row[key] for key in row} for row in rows]
    data["annotations"] = rows + copies


def _coco_swapped(data: dict[str, Any]) -> None:
    """y before x, in boxes that have x before y."""
    for row in data["annotations"]:
        (ring,) = row["segmentation"]
        xs, ys = ring[0::2], ring[1::2]
        row["bbox"] = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        row["segmentation"] = [[value for pair in zip(ys, xs, strict=True) for value in pair]]


def _coco_scaled(factor: float) -> Callable[[dict[str, Any]], None]:
    """Drawn on a picture of another size."""

    def change(data: dict[str, Any]) -> None:
        for row in data["annotations"]:
            row["segmentation"] = [[value * factor for value in ring] for ring in row["segmentation"]]
            ring = row["segmentation"][0]
            row["bbox"] = [
                min(ring[0::2]) / factor,
                min(ring[1::2]) / factor,
                (max(ring[0::2]) - min(ring[0::2])) / factor,
                (max(ring[1::2]) - min(ring[1::2])) / factor,
            ]

    return change


def _smaller(value: Any, factor: float) -> Any:
    """Nested lists of coordinates, times a factor."""
    return [_smaller(each, factor) for each in value] if isinstance(value, list) else value * factor


def _coco_in_um(data: dict[str, Any]) -> None:
    for row in data["annotations"]:
        row["segmentation"] = _smaller(row["segmentation"], 0.25)


def _labelme_in_um(data: dict[str, Any]) -> None:
    for row in data["shapes"]:
        row["points"] = _smaller(row["points"], 0.25)


def _qupath_in_um(data: dict[str, Any]) -> None:
    for row in data["features"]:
        row["geometry"]["coordinates"] = _smaller(row["geometry"]["coordinates"], 0.25)


def _cvat_in_um(folder: Path) -> None:
    def smaller(match: re.Match[str]) -> str:
        numbers = re.sub(r"[\d.]+", lambda number: str(float(number[0]) / 4), match[1])
        return f'points="{numbers}"'

    for file in folder.glob("*.xml"):
        file.write_text(re.sub(r'points="([^"]*)"', smaller, file.read_text()))


def _lines_twice(folder: Path) -> None:
    for file in folder.glob("found/*.txt"):
        file.write_text(file.read_text() * 2)


def _crowded(data: dict[str, Any]) -> None:
    data["annotations"][0]["iscrowd"] = 1


def _one_category(data: dict[str, Any]) -> None:
    for category in data["categories"]:
        category["name"] = "nucleus"


def _other_plane(data: dict[str, Any]) -> None:
    data["features"][0]["geometry"]["plane"] = {"c": -1, "z": 3, "t": 0}


def _no_area(data: dict[str, Any]) -> None:
    row = data["features"][0]
    row["geometry"] = {"type": "LineString", "coordinates": row["geometry"]["coordinates"][0]}


def _labelme_line(data: dict[str, Any]) -> None:
    data["shapes"][0]["shape_type"] = "linestrip"


def _labelme_larger(data: dict[str, Any]) -> None:
    data["imageHeight"], data["imageWidth"] = 2 * data["imageHeight"], 2 * data["imageWidth"]


def _regions(change: Callable[[list[tuple[str, bytes]]], list]) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        for file in folder.glob("*.zip"):
            file.write_bytes(write_zip(change(read_zip(file.read_bytes()))))

    return run


def _slices(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The regions on slices 1, 2, 3, ... of a stack."""
    return [
        (name, content[:56] + struct.pack(">i", place) + content[60:])
        for place, (name, content) in enumerate(members, start=1)
    ]


def _maps(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        for file in folder.glob("*_cells.tif"):
            tifffile.imwrite(file, change(tifffile.imread(file)))

    return run


def _resampled(values: np.ndarray) -> np.ndarray:
    """As a picture viewer makes a map smaller and larger again: numbers between numbers at each edge."""
    from scipy.ndimage import zoom

    small: Any = zoom(values.astype(float), 0.5, order=1)
    back: Any = zoom(small, np.array(values.shape) / np.array(small.shape), order=1)
    return np.round(back).astype(values.dtype)


_COCO, _SHAPES = ("coco polygons",), ("labelme", "labelme masks")
FLAWS = {
    "every instance twice": Flaw((*_COCO, "coco lengths", "coco compressed"), _json(_coco_twice)),
    "y before x": Flaw(_COCO, _json(_coco_swapped)),
    "of a picture twice as large": Flaw(_COCO, _json(_coco_scaled(2.0))),
    "of a picture half as large": Flaw(_COCO, _json(_coco_scaled(0.5))),
    "coordinates in um": Flaw(_COCO, _json(_coco_in_um)),
    "points in um": Flaw(("labelme",), _json(_labelme_in_um)),
    "features in um": Flaw(("qupath annotations",), _json(_qupath_in_um)),
    "elements in um": Flaw(("cvat",), _cvat_in_um),
    "lines twice": Flaw(("yolo",), _lines_twice),
    "a crowd": Flaw(_COCO, _json(_crowded)),
    "two categories of one name": Flaw(_COCO, _json(_one_category)),
    "shapes twice": Flaw(_SHAPES, _twice("shapes")),
    "a shape without an area": Flaw(("labelme",), _json(_labelme_line)),
    "drawn on a larger picture": Flaw(_SHAPES, _json(_labelme_larger)),
    "features twice": Flaw(("qupath", "qupath annotations"), _twice("features")),
    "planes of a stack": Flaw(("qupath", "qupath annotations"), _json(_other_plane)),
    "a feature without an area": Flaw(("qupath annotations",), _json(_no_area)),
    "regions twice": Flaw(
        ("imagej",),
        _regions(
            lambda members: [*members, *((f"c9{i:03}.roi", each) for i, (_, each) in enumerate(members))]
        ),
    ),
    "slices of a stack": Flaw(("imagej",), _regions(_slices)),
    "elements twice": Flaw(
        ("cvat", "cvat masks"), _text(r"(?s)(<image[^>]*>\n)(.*?)(  </image>)", r"\1\2\2\3")
    ),
    "image twice": Flaw(("cvat", "cvat masks"), _text(r"(?s)(  <image.*</image>\n)", r"\1\1")),
    "of an image of another size": Flaw(
        ("cvat", "cvat masks"), _text(r'width="104" height', 'width="208" height')
    ),
    "an element outside": Flaw(("cvat",), _text(r'^((?s:.*?))occluded="0"', r'\1occluded="0" outside="1"')),
    "a binary map": Flaw(("labels",), _maps(lambda values: (values > 0).astype(np.uint8))),
    "a map without ground": Flaw(("labels",), _maps(lambda values: values + 1)),
    "a map resampled": Flaw(("labels",), _maps(_resampled)),
}
