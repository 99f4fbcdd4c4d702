"""Measurements under QuPath's names."""

import pytest
from format_scenes import smear

from irnet.data.formats.qupath_names import COLUMNS, name_measurements
from irnet.morphometry import table


def test_names_stand_for_columns_that_exist() -> None:
    assert set(table.COLUMNS) >= COLUMNS


def test_units_are_um_where_the_scale_is_known() -> None:
    rows = table.measure(smear())
    binucleate, single, nucleus = (name_measurements(rows)[index] for index in (0, 1, 2))
    assert binucleate["Cell: Area µm^2"] == pytest.approx(smear().areas[0] / 16, abs=0.01)
    assert not any(name.startswith("Nucleus:") for name in binucleate)  # which one would it be?
    assert single["Nucleus: Area µm^2"] == pytest.approx(smear().areas[4] / 16, abs=0.01)
    assert single["Nucleus/Cell area ratio"] == pytest.approx(smear().areas[4] / smear().areas[1], abs=1e-4)
    assert single["IRNet: score"] == 0.8
    assert not any(name.startswith("Cell:") for name in nucleus)


def test_units_are_px_otherwise() -> None:
    rows = [
        {key: None if "_um" in key else value for key, value in row.items()} for row in table.measure(smear())
    ]
    (cell, *_) = name_measurements(rows)
    assert cell["Cell: Area px^2"] == smear().areas[0]
    assert {"Cell: Length px", "Cell: Max diameter px", "Cell: Circularity", "Cell: Solidity"} <= cell.keys()
    assert not any("µm" in name for name in cell)
