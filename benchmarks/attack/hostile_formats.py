"""Every format that irnet reads: who writes a scene in it, who reads it, and what of the scene it holds."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hostile_pictures as pictures
import hostile_texts as texts
from hostile_scene import ALONE, NUCLEUS, Scene

from irnet.data.coco.coco import read_coco
from irnet.data.formats import (
    convert,
    cvat,
    cx22,
    herlev,
    imagej,
    isbi2014,
    labelme,
    labels,
    masks,
    qupath,
    sipakmed,
)
from irnet.data.formats.predictions import read_predictions
from irnet.data.sample import Entry

READERS = {
    "coco": read_coco,
    "cvat": cvat.read,
    "cx22": cx22.read,
    "herlev": herlev.read,
    "imagej": imagej.read,
    "isbi2014": isbi2014.read,
    "labelme": labelme.read,
    "labels": labels.read,
    "masks": masks.read,
    "qupath": qupath.read,
    "sipakmed": sipakmed.read,
}
_logger = logging.getLogger(__name__)
NUMBERS = {"0": "cytoplasm", "1": "nucleus"}
Seen = list[tuple[int, bytes, bytes]]  # class, mask and the mask of its cell, of each instance


@dataclass(frozen=True)
class Format:
    """How a scene is written, and what of it the format can hold."""

    write: Callable[[Path, Scene], None]
    files: str  # of the annotations, a pattern
    reader: str
    truth: Callable[[Scene], Scene] = lambda scene: scene  # what is left of the scene
    drawn: dict[str, Any] = field(default_factory=dict)  # of `hostile_scene.draw`

    def read(self, folder: Path) -> list[Entry]:
        """The images as the reader has them, without a data set being written."""
        if self.reader in READERS:
            return READERS[self.reader](folder)
        source = folder / ("results.json" if self.reader == "results" else "found")
        kind = "coco" if self.reader == "results" else self.reader.removeprefix("found ")
        mapping = NUMBERS if kind == "yolo" else None
        predictions = read_predictions(source, folder / "set", kind=kind, mapping=mapping)  # type: ignore[arg-type]
        for note in predictions.notes:  # which the verb prints
            _logger.warning("%s", note)
        return predictions.found

    def convert(self, folder: Path, out: Path) -> list[Entry]:
        """The images by way of a data set where the format becomes one."""
        if self.reader not in READERS:
            return self.read(folder)
        convert(self.reader, folder, out)
        return read_coco(out)


def seen(entries: Sequence[Entry]) -> Seen:
    """What was read, in an order of its own."""
    rows: Seen = []
    for entry in entries:
        cells = entry.content.cells
        dense = [mask.tobytes() for mask in cells.to_dense()]
        owners = [dense[parent] if parent >= 0 else b"" for parent in cells.parents.tolist()]
        rows += zip(cells.labels.tolist(), dense, owners, strict=True)
    return sorted(rows)


def drawn(scene: Scene) -> Seen:
    """What should be read."""
    dense = [mask.tobytes() for mask in scene.masks]
    owners = [b"" if thing.parent == ALONE else dense[thing.parent] for thing in scene.things]
    return sorted(zip([thing.label for thing in scene.things], dense, owners, strict=True))


def _nuclei(scene: Scene) -> Scene:
    alone = scene.unlinked()
    return replace(alone, things=tuple(alone.things[i] for i in alone.of(NUCLEUS)))


APART, SIMPLE = {"apart": True, "cells": 2}, {"simple": True}
ONE = {"nuclei": 1}  # a cell: outlines of one label and one group are one instance there
FORMATS = {
    "coco polygons": Format(texts.coco(texts.as_polygon), "annotations.json", "coco"),
    "coco lengths": Format(texts.coco(texts.as_lengths), "annotations.json", "coco"),
    "coco compressed": Format(texts.coco(texts.as_text), "annotations.json", "coco"),
    "coco results": Format(texts.results, "results.json", "results", Scene.unlinked),
    "labelme": Format(texts.labelme, "field.json", "labelme", drawn=ONE),
    "labelme masks": Format(texts.labelme_masks, "field.json", "labelme", drawn=ONE),
    "cvat": Format(texts.cvat, "annotations.xml", "cvat", drawn=ONE),
    "cvat masks": Format(texts.cvat_masks, "annotations.xml", "cvat", drawn=ONE),
    "qupath": Format(texts.qupath, "field.geojson", "qupath"),
    "qupath annotations": Format(texts.qupath_drawn, "field.geojson", "qupath"),
    "imagej": Format(texts.imagej, "field.zip", "imagej"),
    "yolo": Format(texts.yolo, "found/field.txt", "found yolo", Scene.unlinked),
    "labels": Format(pictures.labels, "field_*.tif", "labels", drawn=APART),
    "found labels": Format(pictures.found_labels, "found/*/*.png", "found labels", Scene.unlinked, APART),
    "masks": Format(pictures.masks, "masks/field/*.png", "masks"),
    "isbi2014": Format(pictures.isbi, "*.mat", "isbi2014", Scene.by_place, APART),
    "isbi2014 EDF": Format(pictures.edf, "1_GT.png", "isbi2014", _nuclei),
    "cx22": Format(pictures.cx22, "*/*.mat", "cx22", Scene.by_place),
    "herlev": Format(pictures.herlev, "*/*-d.bmp", "herlev", drawn={"simple": True, "cells": 1}),
    "sipakmed": Format(pictures.sipakmed, "*/*.dat", "sipakmed", drawn=SIMPLE),
}
