"""Rows of cells.csv of what cells.db holds: its px are those of the slide's finest level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor

from irnet.cells import LABEL_NAMES
from irnet.morphometry.shape import measure_places
from irnet.morphometry.table import COLUMNS, Row, Value, rounded
from irnet.progress import each
from irnet.slides.reading import Instance, Store, StoreMeta
from irnet.wording import name_instance

LENGTHS = ("perimeter", "max_diameter", "min_diameter")


def tables(store: Store) -> Iterator[tuple[list[Instance], list[Row]]]:
    """All instances with their rows, those of a tile at a time, in the order of ids.

    Empty are the columns that a window does not measure: `overlap_fraction`, `neighbours` and `colour_px`.
    """
    for column, row, *_ in each(store.tiles().tolist(), f"writing {store.meta.name}"):
        instances = store.in_tile(column, row)
        nuclei = store.nuclei_of(instances[0].id, instances[-1].id)
        yield instances, rows_of(instances, nuclei, store.meta)


def rows_of(instances: Sequence[Instance], nuclei: Sequence[Instance], meta: StoreMeta) -> list[Row]:
    """The rows of some instances; `nuclei` are those of the cells among them."""
    _, centroids = measure_places([one.mask() for one in instances])
    sure: dict[int | None, float] = {}  # of the least sure nucleus of each cell
    for one in nuclei:
        if one.confidence is not None:
            sure[one.parent] = min(one.confidence, sure.get(one.parent, 1.0))

    rows = []
    for one, (x, y) in zip(instances, centroids.tolist(), strict=True):
        places = {"x": x + one.box[0], "y": y + one.box[1]}
        values = _identity(one, sure, meta) | _place(one, places, meta) | _form(one, meta)
        values |= {"nuclei": one.nuclei, **one.measures}
        rows.append({column: _as_written(column, values.get(column)) for column in COLUMNS})
    return rows


def _identity(one: Instance, sure: dict[int | None, float], meta: StoreMeta) -> Row:
    return {
        "image": meta.name,
        "id": one.id,
        "label": LABEL_NAMES[one.label],
        "parent": one.parent,
        "pairing_confidence": sure.get(one.id, one.confidence),
        "score": one.score,
        "name": name_instance(meta.name, one.id),
    }


def _place(one: Instance, centroid: dict[str, float], meta: StoreMeta) -> Row:
    x1, y1, x2, y2 = one.box
    height, width = meta.shape
    values: Row = {f"centroid_{axis}_px": (c + 0.5) * meta.px - 0.5 for axis, c in centroid.items()}
    return values | {
        "box_x1": floor(x1 * meta.px),
        "box_y1": floor(y1 * meta.px),
        "box_x2": ceil(x2 * meta.px),
        "box_y2": ceil(y2 * meta.px),
        "touches_border": int(one.cut or min(x1, y1) == 0 or x2 == width or y2 == height),
    }


def _form(one: Instance, meta: StoreMeta) -> Row:
    """Sizes in px of the finest level, beside those in um."""
    mpp, area = meta.mpp / meta.px, one.measures["area_um2"]
    values: Row = {"area_px": None if area is None else round(area / mpp**2)}
    for length in LENGTHS:
        um = one.measures[f"{length}_um"]
        values[f"{length}_px"] = None if um is None else um / mpp
    return values


def _as_written(column: str, value: Value) -> Value:
    return rounded(column, value) if isinstance(value, float) and COLUMNS[column] is float else value
