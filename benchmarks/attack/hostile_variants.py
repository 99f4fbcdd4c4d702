"""The same scene written otherwise: a reader has to see the same numbers, or to refuse."""

import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL.Image
from hostile_files import png
from hostile_scene import Scene

JSON = (".json", ".geojson")
TEXTS = (*JSON, ".xml", ".txt", ".dat")
DRAWN = (*TEXTS, ".zip")
NAMED = (*DRAWN, ".png", ".tif")  # where the picture's name counts
_ROWS = ("images", "annotations", "categories", "shapes", "features")
_JUNK = {
    "README.txt": b"0 1 2 3\n",
    "Thumbs.db": b"\xd0\xcf\x11\xe0" + bytes(60),
    ".DS_Store": b"\0\0\0\1Bud1" + bytes(60),
    "notes.md": b"# Notes\n",
    "table.csv": b"cell,area\n1,200\n",
}
_APPLE = b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(40)  # what a Mac leaves beside each file


class Variant(NamedTuple):
    """How a scene, or the folder that it was written to, is changed."""

    scene: Callable[[Scene], Scene] | None = None
    folder: Callable[[Path, random.Random], None] | None = None
    only: tuple[str, ...] = ()  # what files of annotations end in that it changes, () for all
    refusable: bool = True  # whether a reader may refuse it


def _things(**changes: Any) -> Callable[[Scene], Scene]:
    return lambda scene: replace(scene, things=tuple(replace(t, **changes) for t in scene.things))


def _named(name: str) -> Callable[[Scene], Scene]:
    return lambda scene: replace(scene, name=name)


def _rewrite(change: Callable[[bytes], bytes], *suffixes: str) -> Callable[[Path, random.Random], None]:
    def run(folder: Path, rng: random.Random) -> None:
        for file in files_of(folder):
            if file.suffix in suffixes:
                file.write_bytes(change(file.read_bytes()))

    return run


def files_of(folder: Path) -> list[Path]:
    """All files, sorted."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _encoded(encoding: str) -> Callable[[Path, random.Random], None]:
    def change(content: bytes) -> bytes:
        text = content.decode().replace('encoding="utf-8"', f'encoding="{encoding.partition("-sig")[0]}"')
        return text.encode(encoding)

    return _rewrite(change, *TEXTS)


def _json(change: Callable[[Any], Any], **style: Any) -> Callable[[Path, random.Random], None]:
    return _rewrite(lambda text: json.dumps(change(json.loads(text)), **style).encode(), ".json", ".geojson")


def _as_floats(value: Any) -> Any:
    """Coordinates as numbers with a fraction; other whole numbers stay."""
    if isinstance(value, dict):
        return {key: _as_floats(item) if key != "counts" else item for key, item in value.items()}
    if isinstance(value, list):
        return [float(item) if type(item) is int else _as_floats(item) for item in value]
    return value


def _text_ids(value: Any) -> Any:
    """Ids of COCO as text."""
    if isinstance(value, dict):
        ids = ("id", "image_id", "category_id", "cell_id")
        return {key: f"i{item}" if key in ids else _text_ids(item) for key, item in value.items()}
    return [_text_ids(item) for item in value] if isinstance(value, list) else value


def _shuffle(folder: Path, rng: random.Random) -> None:
    """Rows of tables, elements, lines and members of archives in another order."""
    for file in files_of(folder):
        if file.suffix in (".json", ".geojson"):
            data = json.loads(file.read_text())
            for rows in [data] if isinstance(data, list) else [data.get(name, []) for name in _ROWS]:
                rng.shuffle(rows)
            file.write_text(json.dumps(data))
        elif file.suffix in (".xml", ".txt"):
            lines = file.read_text().splitlines()
            first, last = (4, -2) if file.suffix == ".xml" else (0, len(lines))
            middle = lines[first:last]
            rng.shuffle(middle)
            file.write_text("\n".join([*lines[:first], *middle, *lines[last:], ""]))
        elif file.suffix == ".zip":
            members = read_zip(file.read_bytes())
            rng.shuffle(members)
            file.write_bytes(write_zip(members))


def read_zip(content: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of the members."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def write_zip(members: list[tuple[str, bytes]]) -> bytes:
    """The archive, deflated."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def _rename(name: str) -> Callable[[Path, random.Random], None]:
    """Call the picture, and what belongs to it, otherwise."""

    def run(folder: Path, rng: random.Random) -> None:
        for file in files_of(folder):
            if file.suffix in (".json", ".xml"):
                text = file.read_text()
                file.write_text(text.replace("field.", f"{name}."), encoding="utf-8")
        for place in sorted(folder.rglob("field*"), reverse=True):
            place.rename(place.with_name(name + place.name.removeprefix("field")))

    return run


def _add_junk(folder: Path, rng: random.Random) -> None:
    for place in [folder, *(place for place in folder.rglob("*") if place.is_dir())]:
        for name, content in _JUNK.items():
            (place / name).write_bytes(content)


def _add_mac(folder: Path, rng: random.Random) -> None:
    """What copying with a Mac leaves."""
    for file in files_of(folder):
        file.with_name("._" + file.name).write_bytes(_APPLE)
        if file.suffix == ".zip":
            members = read_zip(file.read_bytes())
            extra = [(f"__MACOSX/._{name}", _APPLE) for name, _ in members]
            file.write_bytes(write_zip(members + extra))


def _add_pictures(folder: Path, rng: random.Random) -> None:
    """Other pictures beside those that are annotated."""
    for place in {file.parent for file in files_of(folder) if file.suffix in (".png", ".bmp", ".BMP")}:
        (place / "other.png").write_bytes(png(np.full((30, 40, 3), 200, np.uint8)))


def _as_mode(change: Callable[[PIL.Image.Image], PIL.Image.Image]) -> Callable[[Path, random.Random], None]:
    """Pictures of masks with pixels of another kind."""

    def run(folder: Path, rng: random.Random) -> None:
        for file in files_of(folder):
            if file.suffix == ".png" and (picture := PIL.Image.open(file)).mode in ("L", "I;16"):
                picture.load()
                change(picture).save(file)

    return run


def _palette(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Numbers as places in a palette whose first colour is white."""
    indexed = PIL.Image.fromarray(np.asarray(picture).astype(np.uint8)).convert("L")
    indexed.putpalette([value for i in range(256) for value in (255 - i, (i * 7) % 256, 255 - i)])
    return indexed


def _with_alpha(picture: PIL.Image.Image) -> PIL.Image.Image:
    values = np.asarray(picture).astype(np.uint8)
    alpha = np.where(values > 0, 255, 0).astype(np.uint8)
    return PIL.Image.fromarray(np.dstack([values] * 3 + [alpha]))


def _wide(picture: PIL.Image.Image) -> PIL.Image.Image:
    return PIL.Image.fromarray((np.asarray(picture) > 0).astype(np.uint16))


def _binary(picture: PIL.Image.Image) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.asarray(picture) > 0)


VARIANTS = {
    "twice as large": Variant(lambda scene: scene.scaled(2), refusable=False),
    "outlines begin elsewhere": Variant(only=DRAWN, scene=_things(begins=5), refusable=False),
    "outlines run backwards": Variant(only=DRAWN, scene=_things(backwards=True), refusable=False),
    "outlines closed": Variant(only=DRAWN, scene=_things(closed=True), refusable=False),
    "picture as BMP": Variant(only=NAMED, scene=_named("field.bmp")),
    "picture as TIFF": Variant(only=NAMED, scene=_named("field.tif")),
    "picture as JPG": Variant(only=NAMED, scene=_named("field.JPG")),
    "reordered": Variant(only=DRAWN, folder=_shuffle, refusable=False),
    "renamed": Variant(only=NAMED, folder=_rename("p 1.7 (2)")),
    "renamed in Cyrillic": Variant(only=NAMED, folder=_rename("мазок 7")),
    "UTF-8 with BOM": Variant(only=TEXTS, folder=_encoded("utf-8-sig")),
    "UTF-16": Variant(only=TEXTS, folder=_encoded("utf-16")),
    "UTF-32": Variant(only=TEXTS, folder=_encoded("utf-32")),
    "CRLF": Variant(only=TEXTS, folder=_rewrite(lambda text: text.replace(b"\n", b"\r\n"), *TEXTS)),
    "CR": Variant(only=TEXTS, folder=_rewrite(lambda text: text.replace(b"\n", b"\r"), *TEXTS)),
    "ends cut off": Variant(only=TEXTS, folder=_rewrite(lambda text: text.rstrip(), *TEXTS), refusable=False),
    "blanks at the end": Variant(
        only=TEXTS, folder=_rewrite(lambda text: text + b" \n\n", *TEXTS), refusable=False
    ),
    "JSON indented": Variant(
        only=JSON, folder=_json(lambda data: data, indent=2, sort_keys=True), refusable=False
    ),
    "JSON of floats": Variant(only=JSON, folder=_json(_as_floats)),
    "ids as text": Variant(only=JSON, folder=_json(_text_ids)),
    "numbers with exponents": Variant(
        only=TEXTS, folder=_rewrite(lambda text: re.sub(rb"\b(\d\d?)\.00\b", rb"\g<1>0.0e-1", text), *TEXTS)
    ),
    "unrelated files": Variant(folder=_add_junk),
    "files of a Mac": Variant(folder=_add_mac, refusable=False),
    "other pictures": Variant(folder=_add_pictures),
    "masks of 1 bit": Variant(only=(".png",), folder=_as_mode(_binary)),
    "masks of 16 bits": Variant(only=(".png",), folder=_as_mode(_wide)),
    "masks in a palette": Variant(only=(".png",), folder=_as_mode(_palette)),
    "masks with alpha": Variant(only=(".png",), folder=_as_mode(_with_alpha)),
}
