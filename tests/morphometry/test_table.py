"""The rows of cells.csv, by hand."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.morphometry.images import IMAGE_COLUMNS
from irnet.morphometry.parquet import to_parquet
from irnet.morphometry.table import COLUMNS, measure, to_csv

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "measurements.md"


def blocks(*boxes: tuple[int, int, int, int], labels: list[int], **fields) -> Cells:
    """Rectangles in a frame of 50 x 60."""
    masks = [np.ones((y2 - y1, x2 - x1), dtype=bool) for x1, y1, x2, y2 in boxes]
    return Cells.build(masks, [box[:2] for box in boxes], labels, (50, 60), **fields)


@pytest.fixture
def cells() -> Cells:
    """A cell of 20 x 10 px, its nucleus of 4 x 5, and a bare nucleus of 3 x 3."""
    return blocks(
        (10, 5, 30, 15),
        (18, 7, 22, 12),
        (40, 30, 43, 33),
        labels=[CYTOPLASM, NUCLEUS, NUCLEUS],
        scores=[0.9, 0.8, 0.7],
        parents=[-1, 0, -1],
        mpp=0.5,
    )


def test_rows_of_a_cell_with_its_nucleus(cells: Cells):
    cell, nucleus, bare = measure(cells, "a.png")
    assert (cell["area_px"], cell["area_um2"]) == (200, 50.0)
    assert (cell["centroid_x_px"], cell["centroid_y_px"]) == (19.5, 9.5)
    assert (cell["box_x1"], cell["box_y1"], cell["box_x2"], cell["box_y2"]) == (10, 5, 30, 15)
    assert (cell["nuclei"], cell["nucleus_cell_ratio"], cell["touches_border"]) == (1, 0.1, 0)
    assert cell["nc_ratio"] == round(20 / 180, 4)
    assert (nucleus["parent"], nucleus["nuclei"], nucleus["touches_border"]) == (0, None, 0)
    assert bare["parent"] is None


def test_nuclei_lie_off_the_middle_by_parts_of_the_radius(cells: Cells):
    cell, nucleus, bare = measure(cells)
    expected = round(0.5 / np.sqrt(200 / np.pi), 4)  # centres (19.5, 9.5) and (19.5, 9)
    assert (cell["nuclear_offset"], nucleus["nuclear_offset"], bare["nuclear_offset"]) == (
        expected,
        expected,
        None,
    )


def test_nuclei_of_one_cell_count_as_their_union():
    boxes = (10, 5, 30, 15), (12, 6, 18, 10), (15, 6, 21, 10)
    row = measure(blocks(*boxes, labels=[1, 2, 2], parents=[-1, 0, 0]))[0]
    assert (row["nuclei"], row["nucleus_cell_ratio"], row["nc_ratio"]) == (2, 36 / 200, round(36 / 164, 4))


@pytest.mark.parametrize(
    "boxes", [((0, 5, 20, 15), (8, 7, 12, 12)), ((10, 5, 30, 15), (18, 0, 22, 12))], ids=["cell", "nucleus"]
)
def test_what_the_frame_cuts_has_no_ratio(boxes: tuple):
    cell, nucleus = measure(blocks(*boxes, labels=[1, 2], parents=[-1, 0]))
    assert cell["nuclei"] == 1
    assert (cell["nucleus_cell_ratio"], cell["nc_ratio"], cell["nuclear_offset"]) == (None, None, None)
    assert nucleus["nuclear_offset"] is None


def test_a_nucleus_that_fills_its_cell_leaves_no_rest():
    row = measure(blocks((10, 5, 30, 15), (10, 5, 30, 15), labels=[1, 2], parents=[-1, 0]))[0]
    assert (row["nucleus_cell_ratio"], row["nc_ratio"]) == (1.0, None)


def test_micrometres_only_where_the_scale_is_known(cells: Cells):
    unknown = Cells.build(cells.masks, cells.offsets, cells.labels, cells.image_shape)
    for column in (name for name in COLUMNS if name.endswith(("_um", "_um2"))):
        assert [row[column] for row in measure(unknown)] == [None, None, None]
        assert all(row[column] for row in measure(cells))
    row = measure(cells)[0]
    assert row["max_diameter_um"] == pytest.approx(row["max_diameter_px"] / 2, abs=0.01)


def test_a_cell_without_nucleus_has_no_ratio(cells: Cells):
    row = measure(cells.of(CYTOPLASM))[0]
    assert (row["nuclei"], row["nucleus_cell_ratio"], row["nc_ratio"]) == (0, None, None)


def test_stain_of_a_cell_is_that_of_its_cytoplasm(cells: Cells):
    picture = np.full((50, 60, 3), 200, np.uint8)
    picture[5:15, 10:30] = 100
    picture[7:12, 18:22] = 20
    cell, nucleus, bare = measure(cells, picture=picture)
    assert (cell["colour_px"], nucleus["colour_px"]) == (180, 20)
    assert cell["od_mean"] == cell["od_red"] == round(np.log10(2), 4)
    assert nucleus["od_mean"] == 1.0
    assert (bare["od_mean"], bare["od_entropy"]) == (0.0, 0.0)
    assert measure(cells)[0]["od_mean"] is None


def test_pixels_of_other_cells_can_be_left_out_of_the_stain():
    picture = np.full((50, 60, 3), 200, np.uint8)
    picture[5:15, 10:30] = 100
    picture[5:15, 20:30] = 50  # two layers
    picture[5:15, 30:40] = 100
    pair = blocks((10, 5, 30, 15), (20, 5, 40, 15), labels=[1, 1])
    row = measure(pair, picture=picture)[0]
    assert (row["overlap_fraction"], row["neighbours"], row["colour_px"]) == (0.5, 1, 200)
    assert row["od_mean"] == round(1.5 * np.log10(2), 4)
    alone = measure(pair, picture=picture, exclude_overlap=True)[0]
    assert (alone["overlap_fraction"], alone["colour_px"]) == (0.5, 100)
    assert alone["od_mean"] == round(np.log10(2), 4)


def test_a_picture_of_another_size_is_refused(cells: Cells):
    with pytest.raises(InputError, match=r"\(50, 60\)"):
        measure(cells, picture=np.zeros((50, 61, 3), np.uint8))


@pytest.mark.parametrize(
    "picture", [np.zeros((50, 60)), np.zeros((50, 60, 4), np.uint8), np.ones((50, 60, 3))]
)
def test_a_picture_of_another_kind_is_refused(cells: Cells, picture: np.ndarray):
    with pytest.raises(InputError, match=r"call cells\.measure, which takes any image"):
        measure(cells, picture=picture)


def test_numbers_and_classes_that_do_not_fit_are_refused(cells: Cells):
    with pytest.raises(InputError, match="3 instances, but numbers has 1"):
        measure(cells, numbers=[4])
    with pytest.raises(InputError, match="annotated: 'nucleus' is no class"):
        measure(cells, annotated=["nucleus"])  # type: ignore[list-item]


@pytest.mark.parametrize("picture", [None, np.zeros((50, 60, 3), np.uint8)], ids=["masks", "picture"])
def test_single_pixels_corners_and_nothing_at_all(picture: np.ndarray | None):
    assert measure(Cells.empty((50, 60)), picture=picture) == []
    odd = blocks(
        (0, 0, 1, 1), (59, 49, 60, 50), (5, 5, 5, 5), (7, 7, 9, 8), (0, 0, 60, 50), labels=[1, 2, 1, 2, 1]
    )
    rows = measure(odd, picture=picture)
    assert [row["area_px"] for row in rows] == [1, 1, 0, 2, 3000]
    assert [row["circularity"] is None for row in rows] == [False, False, True, False, False]
    assert (rows[0]["max_diameter_px"], rows[0]["solidity"], rows[0]["eccentricity"]) == (1.0, 1.0, 0.0)


def test_instances_without_pixels_anywhere_in_the_frame():
    nothing = Cells.from_dense(np.zeros((2, 50, 60)), [CYTOPLASM, NUCLEUS], parents=[-1, 0])
    lone = replace(nothing, offsets=np.array([[20, 30], [20, 30]]))
    for exclude in (False, True):
        rows = measure(lone, picture=np.zeros((50, 60, 3), np.uint8), exclude_overlap=exclude)
        assert [(row["area_px"], row["colour_px"], row["od_mean"]) for row in rows] == [(0, 0, None)] * 2


def test_csv_has_a_header_even_without_cells(cells: Cells):
    assert to_csv([]).strip() == ",".join(COLUMNS)
    rows = list(csv.DictReader(io.StringIO(to_csv(measure(cells, 'odd, "name".png')))))
    assert [row["image"] for row in rows] == ['odd, "name".png'] * 3
    assert [row["nucleus_cell_ratio"] for row in rows] == ["0.1", "", ""]


def test_parquet_holds_the_same(cells: Cells):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = measure(cells, "a.png", np.full((50, 60, 3), 200, np.uint8))
    assert parquet.read_table(io.BytesIO(to_parquet(rows))).to_pylist() == rows
    empty = parquet.read_table(io.BytesIO(to_parquet([])))
    assert (empty.column_names, empty.num_rows) == (list(COLUMNS), 0)


def test_the_page_explains_every_column():
    of_images, of_cells = PAGE.read_text(encoding="utf-8").split("## Who and where")
    for page, columns in ((of_images, IMAGE_COLUMNS), (of_cells, COLUMNS)):
        named = re.findall(r"^\| (`[^|]+`) \|", page, re.M)
        assert [column for cell in named for column in re.findall(r"`(\w+)`", cell)] == list(columns)


@pytest.mark.parametrize("name", ["=1+2.png", "+a.png", "-a.png", "@a.png", "\ta.png", "\uff1d1.png"])
def test_a_name_is_never_a_formula(name: str) -> None:
    cells = Cells.from_dense(np.ones((1, 4, 4), dtype=bool), [CYTOPLASM])
    rows = measure(cells, name)
    (row,) = csv.DictReader(io.StringIO(to_csv(rows)))
    assert (row["image"], rows[0]["image"]) == (f"'{name}", name)
