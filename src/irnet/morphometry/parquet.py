"""Tables of instances as Parquet files; needs pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO

from irnet.errors import InputError
from irnet.morphometry.table import COLUMNS, Row, Value
from irnet.wording import install_extra

_GROUP = 10_000  # rows that are written together, at least


def check_parquet() -> None:
    """Raise InputError where pyarrow is missing."""
    try:
        from pyarrow import parquet  # noqa: F401
    except ImportError as error:
        raise InputError(f"Parquet needs pyarrow: {install_extra('parquet')}") from error


def to_parquet(rows: Sequence[Row]) -> bytes:
    """The rows as a Parquet file; a value that is not known is null. InputError where pyarrow is missing."""
    file = io.BytesIO()
    write_parquet(file, [rows])
    return file.getvalue()


def write_parquet(
    file: BinaryIO,
    parts: Iterable[Sequence[Mapping[str, Value | bytes]]],
    columns: Mapping[str, type] = COLUMNS,
    said: Mapping[str, str] = {},
) -> None:
    """Write parts of a table, a few of them in memory at a time; `said` is metadata of the file."""
    check_parquet()
    import pyarrow
    from pyarrow import parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bytes: pyarrow.binary()}
    schema = pyarrow.schema([(column, types[kind]) for column, kind in columns.items()], metadata=dict(said))
    with parquet.ParquetWriter(file, schema) as writer:
        group: list[Mapping[str, Value | bytes]] = []
        for rows in parts:
            group += rows
            if len(group) >= _GROUP:
                writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
                group = []
        writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
