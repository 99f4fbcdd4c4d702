"""QuPath's GeoJSON: cells with their nuclei as QuPath's own objects, or as annotations to correct.

Coordinates are pixels of the whole image from the top-left corner of its first pixel. A cell holds one
nucleus geometry: several nuclei are the parts of one MultiPolygon. One that touches another is a detection
of its own. QuPath lets nobody edit cells and other detections: for correction all are annotations. What lies
outside its cell's object is linked to it by the metadata key `cell`.
"""

import logging
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from irnet.cells import CYTOPLASM, EVERY_CLASS, LABEL_NAMES, NUCLEUS
from irnet.data.beside import ImageFinder, list_files
from irnet.data.categories import DROPPED, label_of, plain
from irnet.data.coco.document import Row, naming, parse, short
from irnet.data.files import write_atomic
from irnet.data.formats.gathering import Gathering
from irnet.data.formats.qupath_features import (
    NO_AREA,
    class_name,
    features_of,
    object_type,
    parse_polygons,
    plane_of,
    properties_of,
    scores_of,
)
from irnet.data.formats.qupath_objects import annotations, cell_objects, write_features
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import polygons
from irnet.geometry.polygons import Ring
from irnet.progress import each

Style = Literal["cells", "annotations"]
SUFFIX = ".geojson"
SUFFIXES = (SUFFIX, ".json")  # QuPath writes the first, scripts the second
_logger = logging.getLogger(__name__)


def write(
    path: str | os.PathLike,
    entry: Entry,
    *,
    style: Style = "cells",
    measurements: Sequence[Mapping[str, float]] = (),
) -> int:
    """Write the cells of an image, feature by feature; ids are those of name and number, the same each time.

    `style` "cells": native cells, and bare nuclei as detections, with `measurements` (one mapping of names
    to values an instance). "annotations": every instance one annotation, without measurements. Returns how
    many nuclei touch another of their cell and are objects of their own. InputError where shapely is missing.
    """
    cells, apart = entry.content.cells, [0]

    def draw(indices: Sequence[int]) -> Iterator[list[Ring]]:
        return polygons.outlines([cells.masks[index] for index in indices], cells.offsets[indices])

    if style == "cells":
        features = cell_objects(entry, draw, measurements or [{}] * len(cells), apart)
    else:
        features = annotations(entry, draw)
    write_atomic(path, partial(write_features, features=features))
    return sum(apart)


def read(
    source: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    mapping: Mapping[str, str] | None = None,
) -> list[Entry]:
    """The images of STEM.geojson (or .json) files with their cells, detections and annotations.

    Cells are cells regardless of their classification, which is their kind, unless `mapping` names it.
    Annotations need one that is ours or that `mapping` renames; detections without are nuclei. Points and
    lines are left out and counted. Raises InputError with file, feature and remedy.
    """
    pictures = ImageFinder(source, images)
    files = list_files(source, SUFFIXES)
    if Path(source).is_dir():
        files = [file for file in files if file.suffix.lower() != ".json" or _is_geojson(file)]
        if not files:
            raise InputError(f"{source}: no file in it is GeoJSON: export the objects of QuPath as that")
    reading = each(files, "reading", lambda file: file.name)
    return [_read_file(file, pictures, mapping) for file in reading]


# Reading


def _is_geojson(file: Path) -> bool:
    """Whether a .json file holds features: a folder may hold other json too, which is named."""
    data = parse(file, lenient=True)
    if isinstance(data, dict) and data.get("type") in ("FeatureCollection", "Feature"):
        return True
    if isinstance(data, list) and all(isinstance(row, dict) and "geometry" in row for row in data):
        return True
    _logger.warning("%s: no GeoJSON: not read", file)
    return False


def _read_file(file: Path, pictures: ImageFinder, mapping: Mapping[str, str] | None) -> Entry:
    data = parse(file, lenient=True)  # QuPath writes metadata twice
    with naming(str(file)):
        features = list(features_of(data))
    picture = pictures.of_file(file, file.suffix)
    gathering = Gathering(*picture.measure())
    planes = {plane_of(feature) for feature in features}
    if len(planes) > 1:
        raise InputError(
            f"{file}: objects of {len(planes)} planes of a stack: export those of one, with its image"
        )
    for number, feature in enumerate(features, start=1):
        with naming(f"{file}: feature {number} (id {short(feature.get('id'))})"):
            _take(feature, number, gathering, mapping)
    return Entry(
        name=picture.name, path=picture.path, content=gathering.content(file), patient=picture.patient
    )


def _take(feature: Row, number: int, gathering: Gathering, mapping: Mapping[str, str] | None) -> None:
    geometry = feature["geometry"]
    if isinstance(geometry, dict) and geometry.get("type") in NO_AREA:
        gathering.leave_out(f"{geometry['type']}: no area")
        return

    properties = properties_of(feature)
    metadata = properties.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    classified, (score,) = class_name(properties), scores_of(metadata.get("score") or "1", count=1)
    if object_type(feature) == "cell":
        group = gathering.cell_number(metadata.get("cell")) or f"feature {number}"
        _take_cell(feature, group, gathering, mapping, score=score)
        return
    if object_type(feature) not in ("annotation", "detection"):
        named = short(object_type(feature))
        raise InputError(f"objectType {named} is no cell, detection or annotation: remove it")
    if not classified and object_type(feature) == "annotation":
        raise InputError("an annotation without classification: set it to cytoplasm or nucleus, or remove it")

    label = label_of(classified, mapping) if classified else NUCLEUS
    if label != DROPPED:
        mask = gathering.draw_parts(parse_polygons(geometry, gathering.shape))
        kind = str(metadata.get("kind") or "")
        pair = gathering.cell_number(metadata.get("cell"))
        gathering.add(*mask, label, group=pair, score=score, kind=kind, name=properties.get("name"))


def _take_cell(
    feature: Row, group: Hashable, gathering: Gathering, mapping: Mapping[str, str] | None, *, score: float
) -> None:
    """A cell object and its nuclei. Its class is its kind, unless the user says what the class is."""
    properties = properties_of(feature)
    kind = class_name(properties)
    named = plain(kind) in map(plain, mapping or {})
    label = label_of(kind, mapping) if named else CYTOPLASM
    if label == NUCLEUS:
        raise InputError(f"a cell of class {short(kind)} cannot be a nucleus: say cytoplasm, ignore or drop")
    if label == DROPPED:
        return

    kind = "" if named or plain(kind) == LABEL_NAMES[CYTOPLASM] else kind
    mask = gathering.draw_parts(parse_polygons(feature["geometry"], gathering.shape))
    gathering.add(*mask, label, group=group, score=score, kind=kind, name=properties.get("name"))
    if label != EVERY_CLASS:
        _take_nuclei(feature.get("nucleusGeometry"), properties.get("metadata"), gathering, group)


def _take_nuclei(geometry: Any, metadata: Any, gathering: Gathering, group: Hashable) -> None:
    if geometry is None:
        return
    parts = parse_polygons(geometry, gathering.shape)
    metadata = metadata if isinstance(metadata, dict) else {}
    count = len(str(text := metadata.get("nucleus_scores", "")).split())
    pieces = [int(word) for word in str(metadata.get("nucleus_parts", "")).split() if word.isdecimal()]
    if count != 1 and sum(pieces) != len(parts):
        pieces = [1] * len(parts)
    ends = np.cumsum(pieces if count != 1 else [len(parts)]).tolist()
    nuclei = [parts[start:end] for start, end in pairwise([0, *ends])]  # each may lie in pieces
    scores = scores_of(text, count) if count == len(nuclei) else [1.0] * len(nuclei)
    names = [f"#{number}" for number in str(metadata.get("nucleus_numbers", "")).split()]
    names = names if len(names) == len(nuclei) else [""] * len(nuclei)
    for nucleus, score, name in zip(nuclei, scores, names, strict=True):
        gathering.add(*gathering.draw_parts(nucleus), NUCLEUS, group=group, score=score, name=name)
