"""Measurements under the names that QuPath gives its own, so that its plots and classifiers know them."""

from collections.abc import Mapping, Sequence

from irnet.cells import CYTOPLASM, LABEL_NAMES

Row = Mapping[str, str | int | float | None]  # of cells.csv

_SIZES = {  # in um where known, else in px
    "Area": (("area_um2", "µm^2"), ("area_px", "px^2")),
    "Length": (("perimeter_um", "µm"), ("perimeter_px", "px")),
    "Max diameter": (("max_diameter_um", "µm"), ("max_diameter_px", "px")),
    "Min diameter": (("min_diameter_um", "µm"), ("min_diameter_px", "px")),
}
_FORMS = {"Circularity": "circularity", "Solidity": "solidity"}
_OURS = {
    "Nucleus/Cell area ratio": "nucleus_cell_ratio",
    "IRNet: nucleus/rest area ratio": "nc_ratio",
    "IRNet: score": "score",
    "IRNet: pairing confidence": "pairing_confidence",
    "IRNet: overlap fraction": "overlap_fraction",
    "IRNet: neighbours": "neighbours",
    "IRNet: optical density": "od_mean",
}
COLUMNS = {column for sizes in _SIZES.values() for column, _ in sizes} | {*_FORMS.values(), *_OURS.values()}


def name_measurements(rows: Sequence[Row]) -> list[dict[str, float]]:
    """Names and values for each row of one image; a cell with one nucleus has those of the nucleus too."""
    nuclei: dict[object, list[Row]] = {}
    for row in rows:
        nuclei.setdefault(row["parent"], []).append(row)
    named = []
    for row in rows:
        if row["label"] != LABEL_NAMES[CYTOPLASM]:
            named.append(_form("Nucleus", row) | _values(_OURS, "", row))
            continue
        own = nuclei.get(row["id"], [])
        nucleus = _form("Nucleus", own[0]) if len(own) == 1 else {}
        named.append(_form("Cell", row) | nucleus | _values(_OURS, "", row))
    return named


def _form(part: str, row: Row) -> dict[str, float]:
    sizes: dict[str, str] = {}
    for name, ((um, um_unit), (px, px_unit)) in _SIZES.items():
        known = row.get(um) is not None
        sizes[f"{name} {um_unit if known else px_unit}"] = um if known else px
    return _values(sizes | _FORMS, f"{part}: ", row)


def _values(columns: Mapping[str, str], prefix: str, row: Row) -> dict[str, float]:
    """What is known, by name."""
    values = {prefix + name: row.get(column) for name, column in columns.items()}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
