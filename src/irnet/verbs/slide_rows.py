"""The rows of slides.csv, read and checked against what cells.db of each slide says."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from irnet.data.file_names import SLIDES, SLIDES_RUN
from irnet.errors import InputError
from irnet.report.page import Value
from irnet.slides.instance import AGAIN, StoreMeta, damaged
from irnet.verbs.slide_finish import SLIDES_CSV
from irnet.wording import from_spreadsheet

Row = dict[str, Value]


def rows_of_slides(stores: Sequence[Path], metas: Sequence[StoreMeta]) -> list[Row]:
    """The rows of slides.csv that are of these slides, or what is known where it was not given away too.

    `stores` are the cells.db of slides, by their whole paths, and `metas` what they say. Raises InputError
    where slides.csv is damaged, says something else, or is missing beside the plan.
    """
    out = stores[0].parent.parent.parent
    file = out / SLIDES_CSV
    if stores[0].parent.parent.name != SLIDES or not (file.exists() or (out / SLIDES_RUN).is_file()):
        return [_counted(meta) for meta in metas]
    if not file.exists():
        raise InputError(f"{file}: no such file: {AGAIN}")
    try:
        rows = {row["slide"]: row for row in _read(file)}
    except OSError as error:
        raise damaged(file, error.strerror or error) from None
    except (ValueError, csv.Error) as error:
        raise damaged(file, error) from None
    return [_row_of(meta, rows, file) for meta in metas]


def _counted(meta: StoreMeta) -> Row:
    return {"slide": meta.name, "cells": meta.cells, "nuclei": meta.nuclei}


def _row_of(meta: StoreMeta, rows: dict[Value, Row], file: Path) -> Row:
    row = rows.get(meta.name)
    if row is None:
        raise damaged(file, f"no row of slide {meta.name}")
    for name, counted in _counted(meta).items():
        if row.get(name) != counted:
            raise damaged(file, f"slide {meta.name}: {name} is {row.get(name)}, in its cells.db {counted}")
    return row


def _read(file: Path) -> list[Row]:
    """All rows. Raises OSError, ValueError or csv.Error where they are not those of a table."""
    text = file.read_text(encoding="utf-8-sig")
    if not text.endswith("\n"):
        raise ValueError("its last line is cut off")
    lines = csv.reader(io.StringIO(text), strict=True)
    names = next(lines)
    if "slide" not in names:
        raise ValueError("no column slide")
    return [_row(names, fields, lines.line_num) for fields in lines if fields]


def _row(names: list[str], fields: list[str], line: int) -> Row:
    if len(fields) != len(names):
        raise ValueError(f"line {line}: {len(fields)} values under {len(names)} names")
    return {
        name: _value(name, text, f"line {line}, {name}") for name, text in zip(names, fields, strict=True)
    }


def _value(name: str, text: str, place: str) -> Value:
    if name == "slide":
        return from_spreadsheet(text)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise ValueError(f"{place}: {text!r} is no number")
    return int(number) if number.is_integer() and "." not in text else number
