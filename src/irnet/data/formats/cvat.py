"""CVAT for images 1.1: one annotations.xml for all images of a task.

A mask is the run lengths of its own box, row by row, background first: overlaps are kept. Shapes of one label
that share a `group_id` are one instance; a cell and its nucleus share one too. Several nuclei of a cell,
which would be one instance, share a number with it, the attribute `cell`. Nuclei lie above cells
(`z_order`), which is not read. Score, kind and `id` (that of the cell, `IMAGE#17`) are attributes of a
shape.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, Literal
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from irnet.cells import LABEL_NAMES, NUCLEUS
from irnet.data.beside import ImageFinder, list_files
from irnet.data.categories import DROPPED, label_of
from irnet.data.coco.document import naming, short
from irnet.data.coco.rows import parse_score
from irnet.data.files import write_atomic
from irnet.data.formats.gathering import Gathering, number_pairs
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import polygons
from irnet.geometry.masks import Mask, Offset
from irnet.progress import each
from irnet.wording import name_instance

Style = Literal["masks", "polygons"]
Element = ElementTree.Element
SUFFIX = ".xml"
_AREAS = ("mask", "polygon", "box", "ellipse")
_NO_GROUP = (None, "", "0")
MAX_DEPTH = 20  # CVAT nests five
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML has no way to write them


def write(path: str | os.PathLike, entries: Sequence[Entry], *, style: Style = "masks") -> None:
    """Write the cells of all images. As "polygons", a mask with holes or in pieces is a mask still."""

    def stream(file: BinaryIO) -> None:
        file.write(b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        file.write(_serialise(_meta(len(entries))))
        for number, entry in enumerate(entries):
            file.write(_serialise(_image(entry, number, style)))
        file.write(b"</annotations>\n")

    write_atomic(path, stream)


def read(
    source: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    mapping: Mapping[str, str] | None = None,
) -> list[Entry]:
    """The images of annotations.xml with their masks, polygons, boxes and ellipses.

    Polylines, points, cuboids, skeletons and tags are left out and counted. Raises InputError with file,
    image, shape and remedy, also for files with a document type (entities).
    """
    pictures = ImageFinder(source, images)
    return [
        _read_image(image, file, pictures, mapping)
        for file in list_files(source, SUFFIX)
        for image in each(_parse(file), "reading")
    ]


# Writing


def _serialise(element: Element) -> bytes:
    ElementTree.indent(element)
    return ElementTree.tostring(element, "utf-8", xml_declaration=False) + b"\n"


def _meta(count: int) -> Element:
    meta = Element("meta")
    task = ElementTree.SubElement(meta, "task")
    for tag, text in (("name", "irnet"), ("size", str(count)), ("mode", "annotation")):
        ElementTree.SubElement(task, tag).text = text
    labels = ElementTree.SubElement(task, "labels")
    for name in LABEL_NAMES.values():
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = name
        ElementTree.SubElement(label, "type").text = "any"
        attributes = ElementTree.SubElement(label, "attributes")
        for attribute in ("score", "kind", "cell", "id"):
            item = ElementTree.SubElement(attributes, "attribute")
            for tag, text in (("name", attribute), ("mutable", "False"), ("input_type", "text")):
                ElementTree.SubElement(item, tag).text = text
    return meta


def _image(entry: Entry, number: int, style: Style) -> Element:
    cells, kinds = entry.content.cells, entry.content.kinds
    (height, width), numbers = cells.image_shape, number_pairs(cells)
    image = Element("image", id=str(number), name=entry.name, width=str(width), height=str(height))
    chosen = np.flatnonzero(cells.areas).tolist()
    drawn = polygons.outlines([cells.masks[index] for index in chosen], cells.offsets[chosen])
    for index, rings in zip(chosen, drawn if style == "polygons" else repeat([]), strict=False):
        label, (x, y) = int(cells.labels[index]), cells.offsets[index].tolist()
        pair, alone = numbers[index]
        common = {"label": LABEL_NAMES[label], "source": "auto", "occluded": "0"}
        if len(rings) == 1:
            points = ";".join(f"{x:.2f},{y:.2f}" for x, y in rings[0][:-1].tolist())
            shape = ElementTree.SubElement(image, "polygon", common | {"points": points})
        else:
            shape = ElementTree.SubElement(image, "mask", common | _encode(cells.masks[index], (x, y)))
        shape.set("z_order", "1" if label == NUCLEUS else "0")
        if alone:
            shape.set("group_id", str(pair))
        ElementTree.SubElement(shape, "attribute", name="score").text = f"{cells.scores[index]:.6g}"
        instance = _CONTROL.sub(" ", name_instance(entry.name, entry.content.numbered[index]))
        ElementTree.SubElement(shape, "attribute", name="id").text = instance
        if kinds and kinds[index]:
            ElementTree.SubElement(shape, "attribute", name="kind").text = _CONTROL.sub(" ", kinds[index])
        if pair and not alone:
            ElementTree.SubElement(shape, "attribute", name="cell").text = str(pair)
    return image


def _encode(mask: Mask, offset: Offset) -> dict[str, str]:
    """A mask as run lengths of its box, row by row."""
    flat = mask.ravel()
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [len(flat)]])
    counts = np.diff(bounds).tolist()
    rle = ", ".join(map(str, [0, *counts] if flat[0] else counts))
    height, width = mask.shape
    sizes = {"left": offset[0], "top": offset[1], "width": width, "height": height}
    return {"rle": rle} | {name: str(size) for name, size in sizes.items()}


# Reading


def _parse(file: Path) -> Iterator[Element]:
    """The images of a file. Raises InputError with the line that is wrong."""
    builder, depth = ElementTree.TreeBuilder(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise InputError(f"{file}: elements {MAX_DEPTH} deep: this is not a file of CVAT")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_: _refuse_document_type(file)
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(file.read_bytes(), True)
    except InputError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # no XML, or an encoding that is none
        raise InputError(f"{file}: not valid XML ({error}): export it from CVAT again") from None
    root = builder.close()
    if root.tag != "annotations":
        raise InputError(f"{file}: it is not of the format 'CVAT for images 1.1': export it as that")
    if tracks := sum(1 for _ in root.iter("track")):
        raise InputError(
            f"{file}: {tracks} tracks, whose shapes CVAT moves from frame to frame by itself: export it as "
            "'CVAT for images 1.1', which holds them image by image"
        )
    return root.iter("image")


def _refuse_document_type(file: Path) -> None:
    raise InputError(f"{file}: it declares a document type, which CVAT never writes: not read")


def _read_image(
    image: Element, file: Path, pictures: ImageFinder, mapping: Mapping[str, str] | None
) -> Entry:
    with naming(f"{file}: image {short(image.get('name'))}"):
        picture = pictures.of_name(image.get("name", ""), file)
        shape, mpp = picture.measure()
        drawn = _whole(image, "height"), _whole(image, "width")
        if drawn != shape:
            raise InputError(f"drawn on an image of {drawn} (height, width), but it has {shape}")
        gathering = Gathering(shape, mpp)
        for number, element in enumerate(image, start=1):
            with naming(f"shape {number} ({element.tag})"):
                _take(element, gathering, mapping)
    return Entry(
        name=picture.name, path=picture.path, content=gathering.content(file), patient=picture.patient
    )


def _take(element: Element, gathering: Gathering, mapping: Mapping[str, str] | None) -> None:
    if element.tag not in _AREAS:
        gathering.leave_out(f"{element.tag:.40}: no area")
        return
    if element.get("outside") == "1":
        gathering.leave_out("outside its image, as its track says")
        return
    if (label := label_of(element.get("label", ""), mapping)) == DROPPED:
        return
    attributes = {item.get("name"): (item.text or "").strip() for item in element.iter("attribute")}
    gathering.add(
        *_mask(element, gathering),
        label,
        group=gathering.cell_number(attributes.get("cell")),
        bundle=element.get("group_id") if element.get("group_id") not in _NO_GROUP else None,
        score=parse_score(_real("score", attributes.get("score") or "1")),
        kind=attributes.get("kind", ""),
        name=attributes.get("id"),
    )


def _mask(element: Element, gathering: Gathering) -> tuple[Mask, Offset]:
    if element.tag == "mask":
        return _decode(element, gathering)
    if element.tag == "polygon":
        points = [pair.split(",") for pair in element.get("points", "").rstrip("; ").split(";")]
        if any(len(pair) != 2 for pair in points):
            raise InputError("points must be x,y;x,y;... with decimal points: export it again")
        return gathering.draw([[(_real("points", x), _real("points", y)) for x, y in points]])
    if element.tag == "box":
        x1, y1, x2, y2 = (_real(side, element.get(side)) for side in ("xtl", "ytl", "xbr", "ybr"))
        ring = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])
    else:
        x, y, rx, ry = (_real(name, element.get(name)) for name in ("cx", "cy", "rx", "ry"))
        x1, y1, x2, y2 = x - rx, y - ry, x + rx, y + ry
        ring = polygons.ellipse((x1, y1, x2, y2))
    angle = np.deg2rad(_real("rotation", element.get("rotation") or "0"))  # clockwise, about the middle
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array([x1 + x2, y1 + y2]) / 2
    return gathering.draw([(ring - centre) @ turn + centre])


def _decode(element: Element, gathering: Gathering) -> tuple[Mask, Offset]:
    x, y, width, height = (_whole(element, name) for name in ("left", "top", "width", "height"))
    rows, columns = gathering.shape
    if not (0 <= x < x + width <= columns and 0 <= y < y + height <= rows):
        raise InputError(f"its box {x}, {y}, {width} x {height} leaves the image: draw it again")
    text = element.get("rle", "")
    if len(text) > 8 * (width * height + 1) or not re.fullmatch(r"[\d ,]{1,}", text):
        raise InputError("rle must be run lengths, whole numbers with commas between them")
    counts = [_real("rle", count) for count in text.split(",")]
    if sum(counts) != width * height:
        raise InputError(f"rle adds up to {sum(counts):.0f}, not to {width} x {height} pixels")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, np.array(counts, dtype=np.int64)).reshape(height, width), (x, y)


def _whole(element: Element, name: str) -> int:
    value = _real(name, element.get(name))
    if not value.is_integer():
        raise InputError(f"{name} must be a whole number, not {value}")
    return int(value)


def _real(name: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"{name} must be a number, not {short(text)}")
    return value
