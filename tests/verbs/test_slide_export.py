"""What was found on slides as tables and for other tools: every cell once, whole, with measures and links."""

import csv
import json
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_stores import MPP, PX, write_store_of

from irnet.cells import LABEL_NAMES, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.geometry.polygons import Ring, rasterise
from irnet.morphometry import parquet as parquet_files
from irnet.morphometry.table import COLUMNS, from_csv, measure
from irnet.slides import reading, store
from irnet.slides.plan import Plan
from irnet.slides.reading import Instance, open_store
from irnet.synthetic import generate
from irnet.verbs import slide_export
from irnet.verbs.export import FORMATS, export
from irnet.verbs.measure import measure_files

shapely = pytest.importorskip("shapely")
parquet = pytest.importorskip("pyarrow.parquet")

NAMES = ("smear", "=other")
NOT_MEASURED = ("overlap_fraction", "neighbours", "colour_px")


@pytest.fixture(autouse=True)
def _in_small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (store, reading, slide_export):
        monkeypatch.setattr(module, "TILE", 64)
    monkeypatch.setattr(parquet_files, "_GROUP", 50)


def field(seed: int) -> Cells:
    return generate(seed, size=(600, 800), mpp=MPP, count=40)[1].cells


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """What irnet slide finish leaves of two slides."""
    Plan(tmp_path / "out", NAMES, {}).write([])
    for seed, name in enumerate(NAMES):
        write_store_of(tmp_path / "out" / "slides" / name, field(seed), name)
    return tmp_path / "out"


def instances_of(out: Path, name: str = "smear") -> list[Instance]:
    with open_store(out / "slides" / name) as opened:
        return [one for tile in opened.by_tile() for one in tile]


def pixels_off(one: Instance, rings: list[Ring], shape: tuple[int, int] = (600, 800)) -> int:
    """How many pixels of a mask rings in px of the slide do not give back."""
    crop, (x, y) = rasterise([np.asarray(ring) / PX for ring in rings], shape, holes=True)
    frames = np.zeros((2, *shape), dtype=bool)
    frames[0, y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    x1, y1, x2, y2 = one.box
    frames[1, y1:y2, x1:x2] = one.mask()
    return int((frames[0] ^ frames[1]).sum())


@pytest.mark.parametrize("how", ["not finished", "damaged"])
def test_a_slide_that_is_not_there_is_told_and_others_are_written(out: Path, how: str) -> None:
    lost = out / "slides" / "=other" / "cells.db"
    if how == "damaged":
        lost.write_bytes(b"no database" * 100)
    else:
        lost.unlink()

    for to, name in (("csv", "cells.csv"), ("parquet", "smear.parquet"), ("qupath", "smear")):
        done = export(out, to, out.parent / to)
        assert (done.exit_code, done.images, len(done.errors)) == (3, 1, 1)
        assert str(lost) in done.errors[0]
        assert [path.name for path in (out.parent / to).iterdir()] == [name]

    measured = measure_files(out)
    assert (measured.exit_code, len(measured.errors)) == (3, 1)
    assert {
        row["image"] for row in csv.DictReader(measured.files[0].read_text("utf-8-sig").splitlines())
    } == {"smear"}

    (out / "slides" / "smear" / "cells.db").unlink()
    with pytest.raises(InputError, match=r"none of 2 slides is finished: .*cells\.db"):
        export(out, "csv", out.parent / "none")
    assert not (out.parent / "none").exists()


def test_a_table_has_the_columns_of_images(out: Path) -> None:
    done = measure_files(out)
    assert done.files == [out / "cells.csv"]
    text = (out / "cells.csv").read_text(encoding="utf-8-sig")
    rows = from_csv(text)
    assert rows is not None
    assert len(rows) == done.rows == sum(len(instances_of(out, name)) for name in NAMES)
    assert {row["image"] for row in rows} == {"smear", "'=other"}

    for one, row in zip(instances_of(out), rows, strict=False):
        assert (row["id"], row["parent"], row["label"]) == (one.id, one.parent, LABEL_NAMES[one.label])
        assert row["name"] == f"smear#{one.id}"
        assert row["box_x1"] <= one.box[0] * PX < row["box_x1"] + 1  # type: ignore[operator]
        assert row["area_um2"] == pytest.approx(one.mask().sum() * MPP**2, abs=0.01)
        assert row["area_px"] == pytest.approx(one.mask().sum() * PX**2, abs=1)
    assert export(out, "csv").folder == out / "csv"
    assert (out / "csv" / "cells.csv").read_text(encoding="utf-8-sig") == text


def test_at_the_scale_of_the_network_the_table_is_that_of_an_image(tmp_path: Path) -> None:
    path = write_store_of(tmp_path / "slides" / "smear", field(3), px=1.0)
    with open_store(path) as opened:
        every = [one for tile in opened.by_tile() for one in tile]
    cells = Cells.build(
        [one.mask() for one in every],
        [one.box[:2] for one in every],
        [one.label for one in every],
        (600, 800),
        scores=[one.score for one in every],
        parents=[-1 if one.parent is None else one.parent for one in every],
        mpp=MPP,
    )
    measure_files(path)
    rows = from_csv(path.with_name("cells.csv").read_text(encoding="utf-8-sig"))
    assert rows is not None
    for row, expected in zip(rows, measure(cells, "smear"), strict=True):
        for column in COLUMNS:
            value, wanted = row[column], expected[column]
            if column in NOT_MEASURED:
                assert value is None
            elif column.startswith("od_") or (column.startswith("min_diameter") and value is None):
                continue  # there is no picture here, and some are not known
            else:
                assert value == (pytest.approx(wanted, abs=0.011) if isinstance(wanted, float) else wanted)


def test_geoparquet_gives_the_masks_back(out: Path) -> None:
    assert export(out, "parquet").images == 2
    file = parquet.ParquetFile(out / "parquet" / "smear.parquet")
    assert file.num_row_groups > 1
    said = {key: json.loads(file.metadata.metadata[key.encode()]) for key in ("geo", "irnet")}
    assert said["geo"]["columns"]["geometry"]["encoding"] == "WKB"
    assert said["geo"]["primary_column"] == "geometry"
    assert said["irnet"]["um_per_px"] == pytest.approx(MPP / PX)
    assert (said["irnet"]["width_px"], said["irnet"]["height_px"]) == (1184, 888)

    rows, every = file.read().to_pylist(), instances_of(out)
    assert [*rows[0]] == [*COLUMNS, "geometry"]
    for one, row in zip(every, rows, strict=True):
        shape = shapely.from_wkb(row["geometry"])
        assert shape.is_valid
        assert pixels_off(one, rings_of(shapely.geometry.mapping(shape))) == 0
        assert (row["id"], row["parent"], row["nuclei"]) == (one.id, one.parent, one.nuclei)
        ratio = one.measures["nc_ratio"]
        assert row["nc_ratio"] == (None if ratio is None else round(ratio, 4))


def features_of(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("*.geojson"))
    assert len(files) > 2
    return [feature for file in files for feature in json.loads(file.read_text())["features"]]


def rings_of(geometry: dict[str, Any]) -> list[Ring]:
    parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    return [np.array(ring) for part in parts for ring in part]


def test_qupath_gets_every_cell_once_with_its_nuclei(out: Path) -> None:
    export(out, "qupath")
    every, features = instances_of(out), features_of(out / "qupath" / "smear")
    assert len({feature["id"] for feature in features}) == len(features)

    seen: list[int] = []
    for feature in features:
        properties = feature["properties"]
        number = int(properties["name"].rsplit("#", 1)[1])
        assert pixels_off(every[number], rings_of(feature["geometry"])) <= 1
        assert properties["measurements"]["IRNet: score"] == pytest.approx(every[number].score, abs=1e-4)
        nuclei = [int(text) for text in properties["metadata"].get("nucleus_numbers", "").split()]
        assert all(every[nucleus].parent == number for nucleus in nuclei)
        assert bool(nuclei) == ("nucleusGeometry" in feature)
        if len(nuclei) == 1:
            assert pixels_off(every[nuclei[0]], rings_of(feature["nucleusGeometry"])) <= 1
        seen += [number, *nuclei]
    assert sorted(seen) == [one.id for one in every]
    assert not [*(out / "qupath").glob(".*")]


def test_annotations_are_linked_across_tiles(out: Path) -> None:
    export(out, "qupath", out / "drawn", style="annotations")
    every, features = instances_of(out), features_of(out / "drawn" / "smear")
    cell_of = {}
    for feature in features:
        metadata = feature["properties"]["metadata"]
        cell_of[int(feature["properties"]["name"].rsplit("#", 1)[1])] = metadata.get("cell")
    assert len(cell_of) == len(features) == len(every)
    for one in every:
        owner = one.parent if one.label == NUCLEUS else one.id
        assert cell_of[one.id] == (None if owner is None else str(owner + 1))


@pytest.mark.parametrize("wrong", ["10000", "-5", "(SELECT max(id) FROM cell WHERE label = 2)", "gone"])
def test_nuclei_of_cells_that_are_not_there_are_in_every_export(
    wrong: str, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = out / "slides" / "smear" / "cells.db"
    with closing(sqlite3.connect(path)) as opened, opened:
        cell, count = opened.execute("SELECT id, nuclei FROM cell WHERE nuclei > 0 ORDER BY id").fetchone()
        lost = [number for (number,) in opened.execute("SELECT id FROM cell WHERE parent = ?", (cell,))]
        if wrong == "gone":
            (tile,) = opened.execute("SELECT tile FROM cell WHERE id = ?", (cell,)).fetchone()
            opened.execute("DELETE FROM cell WHERE id = ?", (cell,))
            opened.execute("UPDATE tile SET cells = cells - 1 WHERE tile = ?", (tile,))
            opened.execute("UPDATE meta SET value = value - 1 WHERE key = 'cells'")
        else:
            opened.execute(f"UPDATE cell SET parent = {wrong} WHERE parent = ?", (cell,))
    assert len(lost) == count

    for to in slide_export.FORMATS:
        caplog.clear()
        export(path, to)
        assert "of cells that are not there, written as nuclei without a cell" in caplog.text
    export(path, "qupath", out / "drawn", style="annotations")

    every = {one.id: one.parent for one in instances_of(out)}
    assert all(every[number] is None for number in lost)
    text = (path.parent / "csv" / "cells.csv").read_text(encoding="utf-8-sig")
    rows = {int(row["id"]): row["parent"] for row in csv.DictReader(text.splitlines())}
    assert rows == {number: "" if parent is None else str(parent) for number, parent in every.items()}
    table = parquet.read_table(path.parent / "parquet" / "smear.parquet").to_pydict()
    assert dict(zip(table["id"], table["parent"], strict=True)) == every
    drawn = features_of(out / "drawn" / "smear")
    assert {int(one["properties"]["name"].rsplit("#", 1)[1]) for one in drawn} == {*every}

    alone: set[int] = set()
    inside: set[int] = set()
    for feature in features_of(path.parent / "qupath" / "smear"):
        alone.add(int(feature["properties"]["name"].rsplit("#", 1)[1]))
        inside |= {*map(int, feature["properties"]["metadata"].get("nucleus_numbers", "").split())}
    assert {*lost} <= alone - inside
    assert alone | inside == {*every}


@pytest.mark.parametrize("to", ["csv", "parquet", "qupath"])
def test_memory_does_not_grow_with_the_slide(tmp_path: Path, to: str) -> None:
    cells, peaks = field(4), []
    for copies in (1, 4):
        shape = 600 * copies, 800
        every = Cells.concat([cells.shift(0, 600 * number, shape) for number in range(copies)])
        path = write_store_of(tmp_path / str(copies), every)
        export(path, to, tmp_path / "first" / str(copies))  # what is imported and cached
        tracemalloc.start()
        export(path, to, tmp_path / to / str(copies))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.8 * peaks[0]  # of a slide that is four times as large


def test_what_makes_no_sense_for_slides_is_refused(out: Path) -> None:
    for to in {*FORMATS, "pdf"} - {*slide_export.FORMATS}:
        with pytest.raises(
            InputError, match=rf"{to}' of whole slides is not written: choose one of qupath, csv, parquet$"
        ):
            export(out, to)
    with pytest.raises(InputError, match="parquet has only one form"):
        export(out, "parquet", style="cells")
    with pytest.raises(InputError, match="give --save alone"):
        measure_files(out, exclude_overlap=True)
    assert not (out / "labels").exists()

    for to in slide_export.FORMATS:
        export(out, to)
        with pytest.raises(InputError, match="is there already"):
            export(out, to)


def test_one_slide_that_is_not_finished_is_refused(out: Path) -> None:
    smear = out / "slides" / "smear"
    (smear / "cells.db").unlink()
    (smear / "plan.json").write_text("{}")
    for run in (lambda path: export(path, "csv"), measure_files):
        with pytest.raises(InputError, match="irnet slide finish"):
            run(smear)
    assert not (smear / "csv").exists()
    assert export(out / "slides" / "=other" / "cells.db", "parquet", out / "one").images == 1


def test_both_tables_of_measure(out: Path) -> None:
    done = measure_files(out, save=["parquet", "csv"])
    assert [file.name for file in done.files] == ["cells.csv", "cells.parquet"]
    table = parquet.read_table(done.files[1])
    assert table.column_names == [*COLUMNS]
    with open(done.files[0], encoding="utf-8-sig", newline="") as file:
        assert len([*csv.reader(file)]) == table.num_rows + 1


def test_a_slide_without_cells(tmp_path: Path) -> None:
    path = write_store_of(tmp_path / "slides" / "smear", Cells.empty((300, 400)))
    for to in slide_export.FORMATS:
        done = export(path, to)
        assert done.notes == [f"{path}: no cell and no nucleus in 1 slide"]
        assert done.folder.exists() == (to != "qupath")
    assert parquet.read_table(path.parent / "parquet" / "smear.parquet").num_rows == 0


def test_an_export_of_a_slide_without_cells_takes_the_place_of_one_with_cells(tmp_path: Path) -> None:
    path = write_store_of(tmp_path / "slides" / "smear", field(0), "smear")
    folder = export(path, "qupath").folder
    assert list(folder.glob("smear/*.geojson"))
    write_store_of(tmp_path / "slides" / "smear", Cells.empty((300, 400)), "smear")
    export(path, "qupath", replace=True)
    assert not folder.exists() or not list(folder.rglob("*"))
