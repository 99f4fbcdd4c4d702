"""Which instances to look at first, and why: the ends of N:C ratio, size, score and pairing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from irnet.morphometry.table import Row

MOST = 6  # instances of one kind
SHARE = 5  # at most one in so many is an outlier
SURE = 0.95  # a link of this confidence needs no look


class Outlier(NamedTuple):
    """An instance that someone should look at."""

    field: int  # number of its image
    id: int
    label: str
    reason: str


class Group(NamedTuple):
    """Outliers of one kind, the furthest first."""

    title: str
    outliers: list[Outlier]


def find_outliers(fields: Sequence[Sequence[Row]], area: str) -> list[Group]:
    """The groups that have a member, of the rows of each image; sizes are compared in the column `area`.

    Cells that the image's edge cuts have no N:C ratio and no size.
    """
    rows = [row | {"field": number} for number, rows in enumerate(fields) for row in rows]
    whole = [row for row in rows if row["label"] == "cytoplasm" and not row["touches_border"]]
    nuclei = [row for row in rows if row["label"] == "nucleus"]
    uncut = [row for row in nuclei if not row["touches_border"]]
    groups = [
        Group("Highest N:C ratio", _ends(whole, "nc_ratio", _say_ratio, highest=True)),
        Group("Largest nuclei", _ends(uncut, area, _say_size(area), highest=True)),
        Group("Largest cells", _ends(whole, area, _say_size(area), highest=True)),
        Group("Smallest cells", _ends(whole, area, _say_size(area), highest=False)),
        Group("Least sure links", _unsure(nuclei)),
        Group("Lowest scores", _doubtful(rows)),
    ]
    return [group for group in groups if group.outliers]


def _ends(
    rows: Sequence[Row], column: str, say: Callable[[float, float], str], *, highest: bool
) -> list[Outlier]:
    known = [(value, row) for row in rows if isinstance(value := row[column], int | float)]
    if not known:
        return []
    middle = median(value for value, _ in known)
    known.sort(key=lambda pair: -pair[0] if highest else pair[0])  # of equals the first comes first
    count = min(MOST, -(-len(known) // SHARE))
    return [_outlier(row, say(value, middle)) for value, row in known[:count]]


def _unsure(nuclei: Sequence[Row]) -> list[Outlier]:
    asked = [(c, row) for row in nuclei if isinstance(c := row["pairing_confidence"], float) and c < SURE]
    asked.sort(key=lambda pair: pair[0])
    return [_outlier(row, f"{confidence:.2f} sure that {_say_link(row)}") for confidence, row in asked[:MOST]]


def _doubtful(rows: Sequence[Row]) -> list[Outlier]:
    scores = [row["score"] for row in rows]
    if all(score == 1 for score in scores):  # annotations, or a method without scores
        return []
    return _ends(rows, "score", _say_score, highest=False)


def _say_ratio(value: float, middle: float) -> str:
    return f"N:C {value:.2f}, median {middle:.2f}"


def _say_size(area: str) -> Callable[[float, float], str]:
    unit = area_unit(area)

    def say(value: float, middle: float) -> str:
        return f"{value:.0f} {unit}, median {middle:.0f}"

    return say


def _say_score(value: float, middle: float) -> str:
    return f"score {value:.2f}, median {middle:.2f}"


def _say_link(row: Row) -> str:
    return "it is a bare nucleus" if row["parent"] is None else f"it belongs to cell #{row['parent']}"


def area_unit(area: str) -> str:
    """How people write the unit of an area column.

    >>> area_unit("area_um2"), area_unit("area_px")
    ('µm²', 'px')
    """
    return {"area_um2": "µm²", "area_px": "px"}[area]


def _outlier(row: Row, reason: str) -> Outlier:
    return Outlier(int(row["field"] or 0), int(row["id"] or 0), str(row["label"]), reason)
