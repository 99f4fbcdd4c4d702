"""Formats of annotations: one file a format, each with its reader and, where there is one, its writer."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from irnet.data.files import safe_join, write_atomic
from irnet.data.formats import coco, herlev, isbi2014, masks
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.errors import InputError

SOURCES = ("coco", "herlev", "isbi2014", "masks")


def convert(
    source_format: str,
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    mapping: Mapping[str, str] | None = None,
    crowd: coco.Crowd = "ignore",
) -> int:
    """Write `source` as a data set: `out`/annotations.json and `out`/images. Returns the number of images.

    Image files are copied as they are; images inside a container become PNG. `mapping` is for coco and
    masks, `crowd` for coco. Raises InputError, also when `out` holds a data set already.
    """
    target = Path(out) / "annotations.json"
    if target.exists():
        raise InputError(f"{target} exists: name a new folder")
    entries = _read(source_format, source, mapping, crowd)
    names = Counter(entry.name.lower() for entry in entries)  # some file systems know no case
    for name, count in names.most_common(1):
        if count > 1:
            raise InputError(f"{source}: {name} is the name of {count} images: rename one")
    for entry in entries:
        image = entry.read().image  # size and content are what was annotated, or InputError
        content = entry.path.read_bytes() if entry.pixels is None else to_png(image)
        write_atomic(safe_join(Path(out) / "images", entry.name), content)
    coco.write_coco(target, entries, info={"description": f"converted from {source_format}"})
    return len(entries)


def _read(
    source_format: str, source: str | os.PathLike, mapping: Mapping[str, str] | None, crowd: coco.Crowd
) -> list[Entry]:
    match source_format:
        case "coco":
            return coco.read_coco(source, mapping=mapping, crowd=crowd)
        case "herlev":
            return herlev.read(source)
        case "isbi2014":
            return isbi2014.read(source)
        case "masks":
            return masks.read(source, mapping=mapping)
    raise InputError(f"format {source_format!r} is not read: choose one of {', '.join(SOURCES)}")
