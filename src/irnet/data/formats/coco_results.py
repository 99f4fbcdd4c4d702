"""COCO results: a list of `{"image_id", "category_id", "segmentation", "score"}`.

Detectron2 and mmdetection write this form and pycocotools scores it. Ids are those of the data set that the
results are about.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from irnet.data.formats.coco_json import Document, group, identity, naming, parse
from irnet.errors import InputError
from irnet.geometry import masks

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
    images = group(dataset).keys()
    categories = dict(dataset.categories)
    for place, row in enumerate(rows):
        with naming(f"{path}, result {place}"):
            if identity(row, "image_id") not in images:
                raise InputError(f"image_id {row['image_id']!r} is not in {dataset.path}: another split?")
            if (category := str(identity(row, "category_id"))) in (mapping or {}):
                categories[row["category_id"]] = category
    annotations = [
        {field: row[field] for field in FIELDS if field in row} | {"id": place}
        for place, row in enumerate(rows)
        if not _is_empty(row.get("segmentation"))
    ]
    return replace(dataset, path=path, data={}, annotations=annotations, categories=categories)


def _is_empty(segmentation: Any) -> bool:
    """Whether run lengths hold no pixel; what is no run lengths is left to whoever reads it."""
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else None
    try:
        lengths = masks.unpack(counts) if isinstance(counts, str) else counts
    except InputError:
        return False
    return isinstance(lengths, list) and not any(lengths[1::2])
