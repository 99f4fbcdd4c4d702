"""Cells by hand: what is printed, looped over, indexed, drawn, tabled, saved; and the names at the root."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from matplotlib import colormaps, pyplot
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

import irnet
from irnet.errors import InputError
from irnet.geometry.polygons import rasterise
from irnet.morphometry.table import COLUMNS

IMAGE, CONTENT = irnet.generate(3, size=(180, 220), mpp=0.5, count=4)
CELLS = CONTENT.cells


def hollow() -> irnet.Cells:
    """A ring with a nucleus in it, a bare nucleus, and a mask without pixels."""
    dense = np.zeros((4, 30, 40), dtype=bool)
    dense[0, 2:20, 2:20] = True
    dense[0, 8:12, 8:12] = False
    dense[1, 13:17, 13:17] = True
    dense[2, 22:26, 30:36] = True
    return irnet.Cells.from_dense(dense, [1, 2, 2, 1], parents=[-1, 0, -1, -1], scores=[0.9, 0.8, 0.7, 0.6])


def test_every_public_name_is_there_and_costs_nothing_before_it_is_used() -> None:
    assert {name for name in irnet.__all__ if getattr(irnet, name) is None} == set()
    assert set(irnet.__all__) <= set(dir(irnet))
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        irnet.lod  # noqa: B018
    loaded = "import sys, irnet; sys.exit(bool({'numpy', 'torch', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (irnet.Cells.empty((30, 40)), "Cells(0 cytoplasms, 0 nuclei, 30 x 40)"),
        (hollow()[:2], "Cells(1 cytoplasm, 1 nucleus, 30 x 40)"),
        (irnet.Cells.empty((3, 4), mpp=0.2529), "Cells(0 cytoplasms, 0 nuclei, 3 x 4, 0.2529 um/px)"),
        (
            irnet.Cells.from_dense(np.ones((3, 2, 2), bool), [0, 1, 1]),
            "Cells(2 cytoplasms, 0 nuclei, 1 of no class, 2 x 2)",
        ),
    ],
)
def test_cells_are_printed_in_a_line(cells: irnet.Cells, text: str) -> None:
    assert repr(cells) == text


def test_the_elements_are_cells_of_one_in_the_same_frame() -> None:
    assert len(CELLS) > 4
    parts = list(CELLS)
    assert [len(part) for part in parts] == [1] * len(CELLS)
    assert {(part.image_shape, part.mpp, int(part.parents[0])) for part in parts} == {((180, 220), 0.5, -1)}
    for i, part in enumerate(parts):
        assert part.to_rle() == CELLS[i].to_rle() == CELLS[i - len(CELLS)].to_rle() == [CELLS.to_rle()[i]]
        assert (part.labels[0], part.scores[0]) == (CELLS.labels[i], CELLS.scores[i])


def test_an_index_is_a_number_a_slice_a_list_booleans_or_a_class() -> None:
    cells = hollow()
    assert cells[-2].to_rle() == cells.to_rle()[2:3]
    assert cells[:2].parents.tolist() == [-1, 0]
    assert cells[[1, 0]].parents.tolist() == [1, -1]
    assert cells[[]].to_rle() == []
    assert cells[cells.scores > 0.75].scores.tolist() == [0.9, 0.8]
    assert cells[np.int64(3)].scores.tolist() == [0.6]
    assert cells["nucleus"].scores.tolist() == [0.8, 0.7]
    assert cells["cytoplasm"].labels.tolist() == [irnet.CYTOPLASM] * 2


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (4, IndexError, "index 4 is out of range of 4 instances"),
        ([0, -5], IndexError, "index -5"),
        ("nuclei", InputError, "no class 'nuclei': choose from cytoplasm, nucleus"),
        ([True, False], InputError, r"shape \(2,\) for 4 instances"),
        (True, InputError, r"shape \(1,\) for 4 instances"),
        (1.0, InputError, "type float64"),
        ([[0, 1]], InputError, r"shape \(1, 2\)"),
        (None, InputError, "type object"),
    ],
)
def test_another_index_is_refused(index, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hollow()[index]


def test_polygons_give_the_masks_again() -> None:
    cells = hollow()
    assert [len(rings) for rings in cells.polygons()] == [2, 1, 1, 0]
    for rings, mask, offset in zip(cells.polygons()[:3], cells.masks, cells.offsets, strict=False):
        crop, place = rasterise(rings, cells.image_shape, holes=True)
        np.testing.assert_array_equal(crop, mask)
        assert place == tuple(offset)


def test_the_table_has_the_rows_of_measure_with_types(tmp_path: Path) -> None:
    path = tmp_path / "field.png"
    PIL.Image.fromarray(IMAGE).save(path)
    rows = CELLS.measure(path)
    assert rows == irnet.measure(CELLS, "field.png", IMAGE)

    table = CELLS.to_dataframe(path)
    assert list(table) == list(COLUMNS)
    assert table["parent"].dtype == pd.Int64Dtype()
    assert table["od_mean"].tolist() == [row["od_mean"] for row in rows]
    assert table["parent"].isna().tolist() == (CELLS.parents < 0).tolist()
    assert CELLS.to_dataframe()["od_mean"].isna().all()
    assert CELLS[[]].to_dataframe().dtypes.equals(table.dtypes)


def outlines(axes: Axes) -> list[LineCollection]:
    return [lines for lines in axes.collections if isinstance(lines, LineCollection)]


def test_a_plot_has_a_line_for_each_outline_in_pixels_of_the_image() -> None:
    cells = hollow()
    axes = cells.plot(np.zeros((30, 40, 3), np.uint8))
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 40), (30, 0))
    assert sorted(len(lines.get_segments()) for lines in outlines(axes)) == [0, 1, 1, 2]
    (picture,) = axes.images
    assert picture.get_extent() == [0, 40, 30, 0]
    dashed = [lines for lines in outlines(axes) if lines.get_linestyle()[0][1]]
    assert [lines.get_gid() for lines in dashed] == ["instance-2"]
    assert dashed[0].get_segments()[0].max(axis=0) == pytest.approx((36.0, 26.0), abs=0.6)  # smoothed

    again = pyplot.figure().add_subplot()
    assert cells.plot(ax=again, width=3) is again
    assert {lines.get_linewidth()[0] for lines in outlines(again)} == {3}
    assert len(again.patches) == 0
    assert len(again.texts) == 0
    pyplot.close("all")


def test_a_plot_has_colours_by_a_measure_fills_numbers_and_a_scale_bar() -> None:
    axes = CELLS.plot(IMAGE, by="area_um2", fill=True, ids=True, scale_bar=True)
    colours = {lines.get_gid(): tuple(lines.get_color()[0][:3]) for lines in outlines(axes)}
    areas = CELLS.areas
    assert colours[f"instance-{areas.argmin()}"] == pytest.approx(colormaps["viridis"](0.0)[:3])
    assert len(axes.patches) == len(CELLS)
    texts = [text.get_text() for text in axes.texts]
    assert {str(number) for number in range(len(CELLS))} <= set(texts)
    assert "20 µm" in texts  # of 110
    (bar,) = axes.child_axes
    assert bar.get_ylabel() == "area (µm²)"

    ratios = CELLS.plot(by="nc_ratio")
    grey = {lines.get_gid() for lines in outlines(ratios) if set(lines.get_color()[0][:3]) == {0.75}}
    assert grey >= {f"instance-{index}" for index in np.flatnonzero(CELLS.labels == irnet.NUCLEUS)}
    numbered = CELLS.plot(by=np.full(len(CELLS), np.nan), ids=range(50, 50 + len(CELLS)))
    assert numbered.texts[0].get_text() == "50"
    assert CELLS.plot(ids=np.arange(7, 7 + len(CELLS))).texts[0].get_text() == "7"
    assert len(CELLS.plot(ids=np.bool_(True)).texts) == len(CELLS)
    assert len(CELLS.plot(ids=[]).texts) == 0
    pyplot.close("all")


def test_what_cannot_be_plotted_is_refused() -> None:
    with pytest.raises(InputError, match="no measure 'area': choose"):
        CELLS.plot(IMAGE, by="area")
    with pytest.raises(InputError, match="no measure 'image'"):
        CELLS.plot(IMAGE, by="image")
    with pytest.raises(InputError, match="od_mean is measured in the image"):
        CELLS.plot(by="od_mean")
    with pytest.raises(InputError, match=r"values of shape \(2,\)"):
        CELLS.plot(by=[1.0, 2.0])
    with pytest.raises(InputError, match="a number for each instance"):
        CELLS.plot(by=["large"] * len(CELLS))
    with pytest.raises(InputError, match="1 ids for"):
        CELLS.plot(ids=[3])
    with pytest.raises(InputError, match="area_um2 needs um per pixel"):
        hollow().plot(by="area_um2")
    for width in (-1.0, 0.0, float("nan"), "a"):
        with pytest.raises(InputError, match="width of the lines"):
            CELLS.plot(width=width)
    assert pyplot.get_fignums() == []


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"frame of \(30, 40\) on an image of \(180, 220\)"):
        hollow().plot(IMAGE)
    with pytest.raises(InputError, match=r"frame of \(30, 40\)"):
        hollow().to_dataframe(IMAGE)
    with pytest.raises(InputError, match="is not an image"):
        CELLS.measure(np.zeros((180, 220, 7)))
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(("module", "method"), [("pandas", "to_dataframe"), ("matplotlib", "plot")])
def test_a_missing_library_is_named_with_the_remedy(
    module: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r'needs (pandas|Matplotlib): pip install "\.\[(pandas|plot)\]"'):
        getattr(CELLS, method)()


@pytest.mark.parametrize(("image", "name"), [(None, "field"), ("p1/field.png", "field.png")])
def test_what_is_saved_is_read_again(tmp_path: Path, image: str | None, name: str) -> None:
    kept = hollow()[:3]
    kept.save(tmp_path / "field.json", image)
    (entry,) = irnet.read_coco(tmp_path / "field.json")
    read = entry.content.cells
    assert (entry.name, read.to_rle(), read.parents.tolist()) == (name, kept.to_rle(), [-1, 0, -1])
    assert read.scores.tolist() == [0.9, 0.8, 0.7]


def test_truth_is_saved_without_scores(tmp_path: Path) -> None:
    CELLS.save(tmp_path / "truth.json")
    assert '"score"' not in (tmp_path / "truth.json").read_text()


def test_a_folder_is_no_place_to_save(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        CELLS.save(tmp_path)
