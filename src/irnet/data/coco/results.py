"""COCO results: a list of `{"image_id", "category_id", "segmentation", "score"}`.

Detectron2 and mmdetection write this form and pycocotools scores it. Ids are those of the data set that the
results are about. A row that has a `file_name` (Ultralytics writes it, with ids of its own) goes by that.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from irnet.data.coco.document import Document, Id, Row, group, identity, naming, parse, settle
from irnet.data.lookup import Names
from irnet.errors import InputError
from irnet.geometry import masks

_logger = logging.getLogger(__name__)
FIELDS = ("image_id", "category_id", "segmentation", "score")


def is_results(path: str | os.PathLike) -> bool:
    """Whether a JSON file holds a list, as results do, and no object, as data sets do."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return file.read(4096).lstrip().startswith("[")


def read_results(
    path: str | os.PathLike, dataset: Document, *, mapping: Mapping[str, str] | None = None
) -> Document:
    """The list as a COCO file on the images of `dataset`; annotations are numbered by their place, from 0.

    Categories are those of the data set, or what `mapping` says of their number, {"0": "cytoplasm"}. Empty
    masks are left out: networks give some. Raises InputError for what is no list of results on these images.
    """
    path = Path(path)
    rows = parse(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: results must be a list of objects")
    images = _Images(dataset)
    owners = []
    categories = dict(dataset.categories)
    for place, row in enumerate(rows):
        settle(row)
        with naming(f"{path}, result {place}"):
            owners.append(images.of(row))
            if (category := str(identity(row, "category_id"))) in (mapping or {}):
                categories[row["category_id"]] = category
    annotations = [
        {field: row[field] for field in FIELDS if field in row} | {"id": place, "image_id": image}
        for place, (row, image) in enumerate(zip(rows, owners, strict=True))
        if not _is_empty(row.get("segmentation"))
    ]
    if images.moved:
        _logger.warning(
            "%s: %d results name another file than that of their image_id: they are taken by their file_name",
            path,
            images.moved,
        )
    return replace(dataset, path=path, data={}, annotations=annotations, categories=categories)


class _Images:
    """Finds the image of a result: by its file_name where it has one, else by its image_id."""

    def __init__(self, dataset: Document) -> None:
        group(dataset)  # ids and names are not doubled, or InputError
        self.path = dataset.path
        self.names = {row["id"]: str(row.get("file_name")) for row in dataset.images}
        self._ids = {name: key for key, name in self.names.items()}
        self._lookup = Names(self._ids)
        self.moved = 0  # results whose image_id is that of another image than their file_name

    def of(self, row: Row) -> Id:
        """The id of a result's image. Raises InputError."""
        name, image = row.get("file_name"), identity(row, "image_id")
        if not isinstance(name, str):
            if image not in self.names:
                raise InputError(f"image_id {image!r} is not in {self.path}: another split?")
            return image
        if (found := self._lookup.find(name)) is None:
            if Path(self.names.get(image, "")).stem == Path(name).stem:
                return image
            raise InputError(f"file_name {name!r} names no image in {self.path}: another split?")
        self.moved += self._ids[found] != image
        return self._ids[found]


def _is_empty(segmentation: Any) -> bool:
    """Whether run lengths hold no pixel; what is no run lengths is left to anyone who reads it."""
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else None
    try:
        lengths = masks.unpack(counts) if isinstance(counts, str) else counts
    except InputError:
        return False
    return isinstance(lengths, list) and not any(lengths[1::2])
