"""Instances of a slide as GeoParquet: the rows of cells.csv, each with its outline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from irnet.data.formats import qupath_geometry
from irnet.morphometry.parquet import write_parquet
from irnet.morphometry.table import COLUMNS, Value
from irnet.slides.reading import Instance, Store, StoreMeta
from irnet.slides.table import tables

_VERSION = "1.1.0"  # of GeoParquet

_Row = dict[str, Value | bytes]


def write_geoparquet(file: BinaryIO, store: Store) -> None:
    """Write all instances to an open file. Raises InputError where pyarrow or shapely is missing.

    The column `geometry` is WKB, a Polygon or a MultiPolygon in px of the slide's finest level from its upper
    left corner, x to the right and y down. The metadata `irnet` says um per px.
    """
    said = {"geo": json.dumps(_GEO), "irnet": json.dumps(_said(store.meta))}
    write_parquet(file, _parts(store), {**COLUMNS, "geometry": bytes}, said)


_GEO = {
    "version": _VERSION,
    "primary_column": "geometry",
    "columns": {
        "geometry": {
            "encoding": "WKB",
            "geometry_types": ["Polygon", "MultiPolygon"],
            "crs": None,  # no place on Earth
            "edges": "planar",
        }
    },
}


def _said(meta: StoreMeta) -> dict[str, object]:
    height, width = meta.slide_shape
    return {
        "slide": meta.name,
        "unit": "px of the slide's finest level, from its upper left corner, y down",
        "um_per_px": meta.mpp / meta.px,
        "width_px": width,
        "height_px": height,
    }


def _parts(store: Store) -> Iterator[list[_Row]]:
    for instances, rows in tables(store):
        pairs = zip(instances, rows, strict=True)
        yield [{**row, "geometry": _wkb(one, store.meta.px)} for one, row in pairs]


def _wkb(one: Instance, px: float) -> bytes:
    import shapely

    return shapely.to_wkb(qupath_geometry.shape_of(one.rings(px)))
