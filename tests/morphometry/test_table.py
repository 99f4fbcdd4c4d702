"""The rows of cells.csv, by hand."""

import csv
import io

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.morphometry.table import COLUMNS, measure, to_csv


@pytest.fixture
def cells() -> Cells:
    """A cell of 20 x 10 px at the left border, its nucleus of 4 x 5, and a bare nucleus of 3 x 3."""
    return Cells.build(
        [np.ones((10, 20), bool), np.ones((5, 4), bool), np.ones((3, 3), bool)],
        [(0, 5), (8, 7), (40, 30)],
        [CYTOPLASM, NUCLEUS, NUCLEUS],
        (50, 60),
        scores=[0.9, 0.8, 0.7],
        parents=[-1, 0, -1],
        mpp=0.5,
    )


def test_rows_of_a_cell_with_its_nucleus(cells: Cells):
    cell, nucleus, bare = measure(cells, "a.png")
    assert (cell["area_px"], cell["area_um2"]) == (200, 50.0)
    assert (cell["centroid_x_px"], cell["centroid_y_px"]) == (9.5, 9.5)
    assert (cell["box_x1"], cell["box_y1"], cell["box_x2"], cell["box_y2"]) == (0, 5, 20, 15)
    assert (cell["nuclei"], cell["nucleus_cell_ratio"], cell["touches_border"]) == (1, 0.1, 1)
    assert (nucleus["parent"], nucleus["nuclei"], nucleus["touches_border"]) == (0, None, 0)
    assert bare["parent"] is None


def test_micrometres_only_where_the_scale_is_known(cells: Cells):
    unknown = Cells.build(cells.masks, cells.offsets, cells.labels, cells.image_shape)
    assert [row["area_um2"] for row in measure(unknown)] == [None, None, None]


def test_a_cell_without_nucleus_has_no_ratio(cells: Cells):
    row = measure(cells.of(CYTOPLASM))[0]
    assert (row["nuclei"], row["nucleus_cell_ratio"]) == (0, None)


def test_csv_has_a_header_even_without_cells(cells: Cells):
    assert to_csv([]).strip() == ",".join(COLUMNS)
    rows = list(csv.DictReader(io.StringIO(to_csv(measure(cells, 'odd, "name".png')))))
    assert [row["image"] for row in rows] == ['odd, "name".png'] * 3
    assert [row["nucleus_cell_ratio"] for row in rows] == ["0.1", "", ""]
