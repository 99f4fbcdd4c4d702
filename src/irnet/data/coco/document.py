"""A COCO file as JSON: parsed, its tables joined by ids that are checked, and written."""

import hashlib
import json
import os
import re
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NoReturn

from irnet.data.coco.location import locate
from irnet.data.lookup import ImageFolder, Names
from irnet.errors import InputError

Id = int | str
Row = dict[str, Any]
_CONSTANT = re.compile(r'"(?:\\.|[^"\\])*"|(NaN|-?Infinity)')  # strings, and what no number is
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SIDES = {"height", "width"}
_WHOLE = _SIDES | {"id", "image_id", "category_id", "cell_id"}
_OPTIONAL = {"iscrowd", "score", "cell_id", "kind", "keypoints", "bbox", "file_name", "patient", "mpp"}
_OPTIONAL |= {"annotated_categories", "distractors"}
_DIGITS = 19  # of 64 bits
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


@dataclass(frozen=True, eq=False, kw_only=True)
class Document:
    """The tables of a COCO file."""

    path: Path
    sha256: str  # of the file
    folder: Path  # of the images
    data: Row  # the file as it is
    images: list[Row]
    annotations: list[Row]
    categories: dict[Id, str]  # names by id
    names: Names | None = None  # of the images that predictions are about; None: those of the folder

    @cached_property
    def files(self) -> ImageFolder:
        """The files in which the images are looked for, those of folders in an images folder too."""
        return ImageFolder(self.folder, deep=self.folder != self.path.parent)

    def place(self, file_name: str) -> tuple[str, Path]:
        """The name of an image here, and where it lies. Raises InputError when two fit or none can."""
        if self.names is None:
            return self.files.place(file_name)
        name = self.names.find(file_name) or file_name
        return name, self.folder / "images" / name

    @property
    def scored(self) -> bool:
        """Whether the instances have scores. Raises InputError when some have and some have not.

        Where there is none to look at, and for methods whose scores mean nothing, `info` may say so.
        """
        with_score = sum("score" in row for row in self.annotations)
        if with_score not in (0, len(self.annotations)):
            raise InputError(
                f"{self.path}: {with_score} of {len(self.annotations)} annotations have a score: give all of "
                "them one, or none"
            )
        info = self.data.get("info")
        said = info.get("scored") if isinstance(info, dict) else None
        return with_score == len(self.annotations) if said is None else bool(said)


def load(path: str | os.PathLike, *, images: str | os.PathLike | None = None) -> Document:
    """Parse a data set's json, whose images are in `images` (None: in images/ beside it, or beside it).

    Raises InputError with the line, or the table, that is wrong.
    """
    path = locate(path)
    content = path.read_bytes()
    data = _parse(content, path)
    if not isinstance(data, dict):
        results = "; a list of results comes in by irnet import-predictions" if isinstance(data, list) else ""
        raise InputError(f"{path}: a COCO file is an object with images, annotations and categories{results}")
    tables = [_table(path, data, name) for name in ("images", "annotations", "categories")]
    for row in chain(*tables):
        settle(row)

    names = {}
    for row in tables[2]:
        with naming(f"{path}: category {short(row.get('name'))}"):
            if identity(row) in names:
                raise InputError(f"id {row['id']!r} is that of another category: number categories again")
            names[row["id"]] = row.get("name")
            if not isinstance(row.get("name"), str):
                raise InputError(f"id {row['id']} has no name")

    folder = path.parent / "images" if images is None else Path(images)
    if images is not None and not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    return Document(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        folder=folder if folder.is_dir() else path.parent,
        data=data,
        images=tables[0],
        annotations=tables[1],
        categories=names,
    )


def parse(path: Path, *, lenient: bool = False) -> Any:
    """The content of a JSON file. Raises InputError with the line that is wrong.

    A key that stands twice in an object, with two values, is refused: a parser would drop the first.
    `lenient`, for QuPath: such objects are joined, of numbers and texts the last counts; NaN and Infinity
    pass.
    """
    return _parse(path.read_bytes(), path, lenient=lenient)


def _parse(content: bytes, path: Path, *, lenient: bool = False) -> Any:
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(
            text,
            parse_constant=None if lenient else partial(_refuse_constant, text=text),
            object_pairs_hook=partial(_object, lenient=lenient),
        )
        if _SURROGATE.search(text):
            json.dumps(data, ensure_ascii=False).encode()
        return data
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno}, column {error.colno}"
        raise InputError(f"{place}: not valid JSON ({error.msg})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not valid JSON ({error}): save it as UTF-8") from None
    except UnicodeEncodeError:
        raise InputError(f"{path}: not valid JSON: it holds \\ud800 or another half of a character") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, thousands of digits, nested too deep
        raise InputError(f"{path}: not valid JSON ({error})") from None


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Say where in a file an InputError arose."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def identity(row: Row, key: str = "id") -> Id:
    """The id in a row. Raises InputError unless it is a whole number or text."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"{key} must be a whole number or text, not {short(value)}")
    return value


def settle(row: Row) -> None:
    """Change a row, in place, to what it means: null is nothing said, 1.0 and "512" are whole numbers."""
    for key in _OPTIONAL & row.keys():
        if row[key] is None:
            del row[key]
    for key in _WHOLE & row.keys():
        row[key] = whole(row[key]) if key in _SIDES or isinstance(row[key], float) else row[key]


def whole(value: Any) -> Any:
    """A whole number where it was written with decimals or as text (512.0, "512"), else what it is."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < _DIGITS:
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def group(document: Document) -> dict[Id, list[Row]]:
    """Rows of annotations by image. Raises InputError for ids that are wrong or unknown, and doubled ones."""
    groups: dict[Id, list[Row]] = {}
    files: dict[Id, str] = {}
    names: dict[Any, Id] = {}
    for row in document.images:
        with naming(f"{document.path}: image {short(row.get('file_name'))}"):
            if identity(row) in groups:
                raise InputError(f"id {row['id']!r} is that of another image: number images again")
            if (name := _same_file(row.get("file_name"))) in names:
                raise InputError(
                    f"images {names[name]!r} and {row['id']!r} have this file_name, and nobody can tell them "
                    "apart: give each a name of its own, or leave one out"
                )
            names[name] = row["id"]
            groups[row["id"]], files[row["id"]] = [], str(row.get("file_name"))
    seen: set[Id] = set()
    for row in document.annotations:
        with naming(f"{document.path}: annotation {short(row.get('id'))}"):
            if identity(row) in seen:
                raise InputError("another annotation has the same id: number annotations again")
            if identity(row, "image_id") not in groups:
                raise InputError(f"image_id {row['image_id']!r} is not in images")
            _check_named(row, files[row["image_id"]])
            seen.add(row["id"])
            groups[row["image_id"]].append(row)
    return groups


def _same_file(name: Any) -> Any:
    """A file's name, however it is written; what is not text is reported where rows are parsed."""
    return PurePosixPath(name.replace("\\", "/")) if isinstance(name, str) else object()


def dump(data: Row) -> bytes:
    """A COCO file as JSON text, one row a line: it can be compared line by line."""
    return b"".join(stream(data))


def stream(data: Row) -> Iterator[bytes]:
    """The same, piece by piece; a table may be an iterator of its rows, so that it is never held whole."""
    yield b"{"
    before = "\n"
    for key, value in data.items():
        yield f"{before}{json.dumps(key)}: ".encode()
        before = ",\n"
        rows = isinstance(value, list | Iterator)
        yield from _stream_rows(value) if rows else (_text(value).encode(),)
    yield b"\n}\n"


def _stream_rows(rows: Iterable[Row]) -> Iterator[bytes]:
    before = "[\n"
    for row in rows:
        yield (before + _text(row)).encode()
        before = ",\n"
    yield b"[\n\n]" if before == "[\n" else b"\n]"


def _text(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:  # 1e999 is read as infinite
        raise InputError(f"a number that is too large, in {short(value)}") from None


def short(value: Any) -> str:
    """A value as it stands in a message, however long or deep it is."""
    return _SHORT.repr(value)


def _check_named(row: Row, file_name: str) -> None:
    """Refuse an annotation that names another image than that of its image_id; some tools write both."""
    named = row.get("file_name")
    if isinstance(named, str) and PureWindowsPath(named).stem != PureWindowsPath(file_name).stem:
        raise InputError(f"file_name {named!r} is not that of its image, {file_name!r}: which one is meant?")


def _object(pairs: list[tuple[str, Any]], *, lenient: bool) -> Row:
    row = dict(pairs)
    return row if len(row) == len(pairs) else _joined(pairs, lenient=lenient)


def _joined(pairs: list[tuple[str, Any]], *, lenient: bool) -> Row:
    """An object of which some keys stand twice. Raises InputError where that loses something."""
    row: Row = {}
    for key, value in pairs:
        before = row.get(key, value)
        if lenient and isinstance(before, dict) and isinstance(value, dict):
            row[key] = before | value
        elif before == value or (lenient and not isinstance(before, list | dict)):
            row[key] = value
        else:
            raise InputError(f"{key!r} appears twice in one object, {short(dict(pairs))}: keep one of them")
    return row


def _refuse_constant(name: str, *, text: str) -> NoReturn:
    tokens = (match for match in _CONSTANT.finditer(text) if match[1])  # the first is what was met
    line = text.count("\n", 0, next(tokens).start()) + 1
    raise InputError(f"line {line}: {name} is not a number in JSON: write a number, or leave it out")


def _table(path: Path, data: Row, name: str) -> list[Row]:
    table = data.get(name)
    if not isinstance(table, list) or not all(isinstance(row, dict) for row in table):
        raise InputError(f"{path}: {name!r} must be a list of objects: is this a COCO file?")
    return table
