"""Which patient each image is of, as a user says it: a table of names, or a pattern of names."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from irnet.data.lookup import Names, by_stem
from irnet.errors import InputError
from irnet.wording import from_spreadsheet

DELIMITERS = (";", "\t", ",", "|")
# Of these titles the first that a table has.
IMAGE_COLUMNS = ("image", "imagename", "filename", "file", "name")
PATIENT_COLUMNS = ("patient", "patientid", "patientname", "case", "caseid", "slide", "slideid")
_EXAMPLE = r"'(P\d+)_'"
# What R, pandas, Excel and databases write for nothing.
_UNKNOWN = {"", "na", "n/a", "#n/a", "nan", "<na>", "null", "none"}

Row = tuple[int, list[str]]  # number of its line, cells
Find = Callable[[str], str | None]  # the image of a set that a cell names


def read_patients(given: str, names: Sequence[str]) -> dict[str, str]:
    """The patient of each image of `names`.

    Args:
        given: a table, or a regular expression that is searched in names and whose one group is the patient.
            A table (CSV, of any usual delimiter) has the columns image and patient, or just these two
            without a header. It may name images by their last folders alone, without their suffix, and
            images that are not among `names`.
        names: of the images of a data set.

    Raises:
        InputError: there is neither such a table nor such a pattern, an image has no patient in it, or it has
            two rows.

    >>> read_patients(r"(P[0-9]+)_", ["P1_a.png", "P1_b.png", "P2_a.png"])
    {'P1_a.png': 'P1', 'P1_b.png': 'P1', 'P2_a.png': 'P2'}
    """
    table = Path(given)
    if table.suffix.lower() in (".csv", ".tsv", ".txt") or _is_file(table):
        return _by_table(table, names)
    return _by_pattern(given, names)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a pattern that no file can be called
        return False


def _by_pattern(given: str, names: Sequence[str]) -> dict[str, str]:
    try:
        pattern = re.compile(given)
    except re.error as error:
        raise InputError(
            f"--patients {given!r}: no such table, and no pattern of names ({error}): write one such as "
            f"{_EXAMPLE}"
        ) from None
    if (groups := pattern.groups) != 1:
        raise InputError(
            f"--patients {given!r}: no such table, and as a pattern of names it has {groups or 'no'} groups: "
            f"put one pair of brackets around what names the patient, such as {_EXAMPLE}"
        )

    patients = {}
    for name in names:
        found = pattern.search(name)
        if not (found and found[1] and found[1].strip()):
            raise InputError(f"--patients {given!r}: finds no patient in the name {name}: widen the pattern")
        patients[name] = found[1].strip()
    return patients


def _by_table(table: Path, names: Sequence[str]) -> dict[str, str]:
    rows, find = _read_rows(table), _finder(names)
    image_column, patient_column = _columns(table, rows, find)

    patients: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, cells in rows:
        try:
            name = find(cells[image_column])
        except InputError as error:
            raise InputError(f"{table}, line {line}: {error}") from None
        if name is None:  # the header, or an image of another set
            continue
        if name in patients:
            raise InputError(
                f"{table}, line {line}: {name} is in line {lines[name]} too: keep one of the two"
            )
        if (patient := cells[patient_column]).lower() in _UNKNOWN:
            found = f" ({patient} stands for none)" if patient else ""
            raise InputError(f"{table}, line {line}: no patient of {name}{found}: write one")
        patients[name], lines[name] = patient, line

    if missing := [name for name in names if name not in patients]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"{table}: no row for the image {missing[0]}{more}: add it, with its patient")
    return {name: patients[name] for name in names}


def _finder(names: Sequence[str]) -> Find:
    """What a cell of a table calls an image, with other folders or without its suffix, spaces aside."""
    whole = {name.strip(): name for name in names}
    stem_of = {stem.strip(): name for stem, name in by_stem(names).items()}
    known, stems = Names(whole), Names(stem_of)

    def find(cell: str) -> str | None:
        if not cell:
            return None
        if (name := known.find(cell)) is not None:
            return whole[name]
        return None if (stem := stems.find(cell)) is None else stem_of[stem]

    return find


def _columns(table: Path, rows: Sequence[Row], find: Find) -> tuple[int, int]:
    """Which columns hold image and patient: by the header, or else what the cells name. InputError."""
    header = ["".join(filter(str.isalnum, cell.lower())) for cell in rows[0][1]]
    image, patient = (_titled(table, header, titles) for titles in (IMAGE_COLUMNS, PATIENT_COLUMNS))
    if image is None:
        others = [place for place in range(len(header)) if place != patient]
        image = max(others, key=lambda place: _matches(rows, place, find))
    if patient is None:
        others = [place for place in range(len(header)) if place != image]
        if len(others) > 1:
            raise InputError(
                f"{table}: {len(header)} columns: call two of them image and patient in the first line"
            )
        patient = others[0]
    return image, patient


def _titled(table: Path, header: Sequence[str], titles: Sequence[str]) -> int | None:
    """The column with the first of `titles` that there is, None for none. InputError where two have it."""
    title = next((title for title in titles if title in header), None)
    if title is None:
        return None
    if header.count(title) > 1:
        raise InputError(f"{table}: {header.count(title)} columns are called {title}: leave one")
    return header.index(title)


def _matches(rows: Sequence[Row], place: int, find: Find) -> int:
    """In how many rows a column names an image."""
    count = 0
    for _, cells in rows:
        try:
            count += find(cells[place]) is not None
        except InputError:  # two images fit
            count += 1
    return count


def _read_rows(table: Path) -> list[Row]:
    """The rows of a table that are not empty, all as long as the first. Raises InputError."""
    lines = _read_text(table).splitlines(keepends=True)
    stated = lines[0].strip() if lines else ""
    if stated.lower().startswith("sep=") and len(stated) == len("sep=;"):  # Excel reads it too
        splits = {stated[-1]: _split(table, ["\n", *lines[1:]], stated[-1])}
    else:
        splits = {delimiter: _split(table, lines, delimiter) for delimiter in DELIMITERS}

    def fitting(rows: list[Row]) -> int:
        return sum(len(cells) == len(rows[0][1]) > 1 for _, cells in rows)

    rows = max(splits.values(), key=fitting)
    if not rows or len(rows[0][1]) < 2:
        raise InputError(f"{table}: a table of image and patient needs two columns: divide them by ; or ,")
    for line, cells in rows:
        if len(cells) != len(rows[0][1]):
            raise InputError(
                f"{table}, line {line}: {len(cells)} cells, where the first line has {len(rows[0][1])}: "
                "put what holds a delimiter in quotes"
            )
        if any("\n" in cell for cell in cells):
            raise InputError(f"{table}, line {line}: a cell of several lines: close its quotes")
    return rows


def _split(table: Path, lines: Sequence[str], delimiter: str) -> list[Row]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [(reader.line_num, [from_spreadsheet(cell.strip()) for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise InputError(f"{table}, line {reader.line_num}: not a readable table ({error})") from None
    return [(line, cells) for line, cells in rows if any(cells)]


def _read_text(table: Path) -> str:
    """Text of a file as spreadsheets save it: UTF-8, with a mark or without, or UTF-16 with one."""
    try:
        content = table.read_bytes()
    except OSError as error:
        raise InputError(f"--patients {table}: no table that can be read ({error.strerror})") from None
    encoding = "utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise InputError(f"{table}: not a table in UTF-8: save it as CSV UTF-8") from None
