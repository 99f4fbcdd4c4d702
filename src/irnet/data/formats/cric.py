"""The CRIC Cervix collection (Rezende et al. 2021, CC BY 4.0): fields, and a table of classified nuclei.

A row of the table is the centre of one nucleus and its Bethesda class. Only classified nuclei have a row: a
nucleus without one may be there as well, and no outline is known, so no class counts as annotated.
"""

import csv
import logging
import math
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from irnet.cells import NUCLEUS, Cells, Content, Point
from irnet.data.coco.document import short
from irnet.data.image import read_image
from irnet.data.listing import IMAGE_SUFFIXES, walk, warn_of_unread
from irnet.data.sample import Entry
from irnet.errors import InputError

NAME, KIND, X, Y = "image_filename", "bethesda_system", "nucleus_x", "nucleus_y"
_logger = logging.getLogger(__name__)
_FIRST = 1  # number of the first pixel of a row or column
_FAR = 1e9  # px: no image


def read(path: str | os.PathLike) -> list[Entry]:
    """The fields in a folder and its folders that the table beside them (CSV) names. Raises InputError."""
    folder = Path(path)
    table, points = _table(folder)
    files: dict[str, Path] = {}
    for file in sorted(walk(folder)):
        if file.suffix.lower() in IMAGE_SUFFIXES and files.setdefault(file.name, file) != file:
            raise InputError(f"{file}: {files[file.name]} has the same name: leave one of them")
    named = [name for name in points if name in files]
    if not named:
        raise InputError(
            f"{folder}: none of the {len(points)} images that {table} names is in it or its folders"
        )
    if len(named) < len(points):
        _logger.warning(
            "%s: not there, of the images that %s names: %d", folder, table.name, len(points) - len(named)
        )
    entries = [_entry(files[name], points[name], table) for name in named]
    warn_of_unread(folder, walk(folder), {table, *(entry.path for entry in entries)})
    return entries


def _table(folder: Path) -> tuple[Path, Mapping[str, list[Point]]]:
    """The table of a folder, and the centres of each image."""
    found = sorted(file for file in walk(folder) if file.suffix.lower() == ".csv")
    if len(found) != 1:
        raise InputError(
            f"{folder}: {len(found)} tables (.csv) in it or its folders: leave the collection's one"
        )

    points: dict[str, list[Point]] = defaultdict(list)
    twice = 0
    try:
        with found[0].open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in (NAME, KIND, X, Y) if name not in (rows.fieldnames or ())]:
                raise InputError(
                    f"{found[0]}: no column {', '.join(missing)}: take the collection's own table"
                )
            for row in rows:
                point = _point(row, f"{found[0]}, line {rows.line_num}")
                places = [one.place for one in points[row[NAME] or ""]]
                if point.place in places:
                    twice += 1
                else:
                    points[row[NAME] or ""].append(point)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{found[0]}: not a readable table: {error}") from error

    if twice:
        _logger.warning("%s: rows with the place of a nucleus before them, left out: %d", found[0], twice)
    return found[0], points


def _point(row: Mapping[str, str | None], place: str) -> Point:
    numbers = [_number(row[name]) for name in (X, Y)]
    if not all(number.is_integer() and _FIRST <= number < _FAR for number in numbers):
        raise InputError(
            f"{place}: {X} and {Y} must be whole numbers from {_FIRST} on, which is the first pixel, not "
            f"{short(row[X])} and {short(row[Y])}: take the collection's own table"
        )
    x, y = (number - _FIRST + 0.5 for number in numbers)
    return Point(label=NUCLEUS, place=(x, y), kind=row[KIND] or "")


def _number(text: str | None) -> float:
    """A number, as spreadsheets write it too (5.0); NaN for what is none."""
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _entry(file: Path, points: list[Point], table: Path) -> Entry:
    height, width = read_image(file).pixels.shape[:2]
    outside = [
        point.place for point in points if not (0 < point.place[0] < width and 0 < point.place[1] < height)
    ]
    if outside:
        x, y = (round(value - 0.5) + _FIRST for value in outside[0])
        raise InputError(
            f"{table}: {X} {x} and {Y} {y} lie outside of {file.name}, which has {width} x {height} px: the "
            "table is of the original images, take those"
        )
    cells = Cells.empty((height, width))
    content = Content(cells=cells, annotated=frozenset(), points=tuple(points))
    return Entry(name=file.name, path=file, content=content)
