"""How the study writes: numbers, Markdown tables, flat CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from irnet.data.files import as_json, write_atomic, write_text
from irnet.markdown import table
from irnet.metrics.statistics import Difference, Estimate

NONE = "-"  # an undefined figure


class PageSection(NamedTuple):
    """A part of a page."""

    title: str
    text: str  # what it shows; may be empty
    table: str


def number(value: float | None, digits: int = 3) -> str:
    """Fixed digits without the leading zero of a share, a dash for what is undefined.

    >>> number(0.71849), number(None), number(12.3456), number(-0.0321)
    ('.718', '-', '12.346', '-.032')
    """
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def signed(value: float | None, digits: int = 3) -> str:
    """The same with its sign.

    >>> signed(0.034), signed(-0.034), signed(None)
    ('+.034', '-.034', '-')
    """
    return ("+" if value is not None and value >= 0 else "") + number(value, digits)


def percent(gain: float | None) -> str:
    """A relative gain.

    >>> percent(0.0497), percent(-0.102), percent(None)
    ('+5.0 %', '-10.2 %', '-')
    """
    return NONE if gain is None else f"{gain:+.1%}".replace("%", " %")


def with_bounds(part: Estimate | None) -> str:
    """Value and interval, a dash for what is undefined."""
    if part is None:
        return NONE
    return part.text(signed if isinstance(part, Difference) else number, NONE)


def number_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of numbers; the first column names the rows."""
    return table(header, rows, numbers=True)


def bullets(lines: Sequence[str]) -> str:
    """Notes below a table."""
    return "\n".join(f"- {line}" for line in lines)


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Flat rows as CSV, the columns of all rows in order of first use; None is an empty field."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def write_table(
    out: Path, name: str, *, page: str, values: Mapping[str, Any], flat: Sequence[Mapping[str, Any]]
) -> None:
    """Write NAME.md for reading, NAME.json with everything and NAME.csv, one row a figure."""
    write_atomic(out / f"{name}.json", as_json(values))
    write_text(out / f"{name}.csv", to_csv(flat))
    write_text(out / f"{name}.md", page)
