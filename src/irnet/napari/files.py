"""Reader and writer of COCO json for napari: each image two Shapes layers, cells and nuclei."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from irnet.data.coco.coco import entries_of, write_coco
from irnet.data.coco.document import parse
from irnet.data.coco.run_record import load_checked
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.napari.layers import Layer, origin, to_entry, to_layers
from irnet.wording import number_of

MOST_IMAGES = 20  # each is two layers
TABLES = {"images", "annotations", "categories"}


def get_reader(path: str | Sequence[str]) -> Callable[[str], list[Layer]] | None:
    """The reader of a COCO file, None for any other json."""
    if not isinstance(path, str):
        return None
    try:
        data = parse(Path(path))
    except (InputError, OSError):
        return None
    return read if isinstance(data, dict) and data.keys() >= TABLES else None


def read(path: str) -> list[Layer]:
    """Two Shapes layers for each image of a COCO file; only those of the first image are shown.

    Raises InputError at the first thing wrong, with id and remedy, when there are too many images, or where a
    review of one is not finished: layers do not hold which cells were accepted, and saving would lose them.
    """
    document, _ = load_checked(path)
    if unfinished := sum(row.get("finished") is False for row in document.images):
        raise InputError(
            f"{path}: nobody finished the review of {number_of(unfinished, 'image')}: go on with 'irnet "
            "view', where Shift A finishes one"
        )
    entries = entries_of(document)
    if len(entries) > MOST_IMAGES:
        raise InputError(
            f"{path}: {len(entries)} images, here at most {MOST_IMAGES}: look at them with 'irnet view'"
        )
    return [
        layer
        for number, entry in enumerate(entries)
        for layer in to_layers(entry, scored=document.scored, visible=number == 0)
    ]


def write(path: str, layers: Sequence[Layer]) -> list[str]:
    """Write the cells and nuclei of one or more images as one COCO file; image layers are left out.

    Raises InputError for layers that are not of irnet, or half of an image's.
    """
    images: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer[2] == "shapes":
            entry: Entry = origin(layer)["entry"]
            images.setdefault(entry.name, []).append(layer)
    read_back = [to_entry(pair) for pair in images.values()]
    scored = all(scored for _, scored in read_back)
    write_coco(path, [entry for entry, _ in read_back], scores=scored)
    return [path]
