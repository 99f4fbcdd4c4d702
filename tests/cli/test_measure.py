"""`irnet measure` on predictions, on annotations, and on what it should refuse."""

import codecs
import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.files import write_atomic
from irnet.data.locking import writing
from irnet.morphometry.table import COLUMNS


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))


@pytest.fixture
def found(smears: Path, tmp_path: Path) -> Path:
    """A folder like one of `irnet predict` that found all there is."""
    folder = tmp_path / "found"
    entries = read_coco(smears)
    write_coco(folder / "predictions.json", entries, scores=True)
    images = [{"name": entry.name, "path": str(entry.path)} for entry in entries]
    write_atomic(folder / "run.json", json.dumps({"images": images}).encode())
    return folder


def test_predictions_are_measured_with_their_images(run, found: Path) -> None:
    ran = run("measure", found)
    assert ran.code == 0
    rows = rows_of(found / "cells.csv")
    assert list(rows[0]) == list(COLUMNS)
    assert f"{len(rows)} rows" in ran.out
    assert len(rows) == sum(len(entry.content.cells) for entry in read_coco(found / "predictions.json"))
    assert all(float(row["od_mean"]) for row in rows if row["colour_px"] != "0")
    nuclei = [row for row in rows if row["label"] == "nucleus"]
    assert all(0 <= float(row["pairing_confidence"]) <= 1 for row in nuclei)
    assert any(row["parent"] for row in nuclei)


def test_the_file_alone_leads_to_the_images_too(run, found: Path) -> None:
    run("measure", found)
    before = (found / "cells.csv").read_bytes()
    assert run("measure", found / "predictions.json").code == 0
    assert (found / "cells.csv").read_bytes() == before
    assert run("report", found / "predictions.json").code == 0


def test_overlap_can_be_left_out_and_parquet_written(run, found: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("measure", found, "--save", "csv").code == 0
    whole = rows_of(found / "cells.csv")
    assert run("measure", found, "--exclude-overlap", "--save", "csv, parquet").code == 0
    less = rows_of(found / "cells.csv")
    assert parquet.read_table(found / "cells.parquet").num_rows == len(less)
    for one, other in zip(whole, less, strict=True):
        assert one["area_px"] == other["area_px"]
        assert (int(other["colour_px"]) < int(one["colour_px"])) == (float(one["overlap_fraction"]) > 0)


def test_a_data_set_is_measured_too(run, smears: Path, tmp_path: Path) -> None:
    copy = tmp_path / "set.json"
    copy.write_bytes((smears / "annotations.json").read_bytes())
    (tmp_path / "images").symlink_to(smears / "images")
    assert run("measure", copy).code == 0
    assert rows_of(tmp_path / "cells.csv")[0]["od_mean"]


def test_without_the_image_all_but_the_stain_is_measured(run, found: Path) -> None:
    record = json.loads((found / "run.json").read_text())
    record["images"][0]["path"] = str(found / "gone.png")
    (found / "run.json").write_text(json.dumps(record))
    ran = run("measure", found)
    assert ran.code == 3
    assert "gone.png" in ran.err
    rows = rows_of(found / "cells.csv")
    missing = {row["image"] for row in rows if not row["od_mean"] and row["colour_px"] == ""}
    assert missing == {record["images"][0]["name"]}
    assert all(row["perimeter_um"] for row in rows)


def test_what_it_refuses(run, found: Path, tmp_path: Path) -> None:
    wrong = run("measure", found, "--save", "xlsx")
    assert (wrong.code, "csv, parquet" in wrong.err) == (2, True)
    assert run("measure", tmp_path / "nothing").code == 2
    (found / "predictions.json").write_text("{}")
    assert run("measure", found).code == 2


def test_one_writer_at_a_time(run, found: Path) -> None:
    with writing(found, "irnet predict"):
        for verb in ("measure", "report"):
            ran = run(verb, found)
            assert (ran.code, "irnet predict (process" in ran.err) == (2, True)
        assert run("report", found, "-o", found.parent / "elsewhere.html").code == 0
    assert not (found / "cells.csv").exists()
    draft = found / ".0123456789abcdef.tmp"
    draft.write_text("of a writer that was killed")
    assert run("measure", found).code == 0
    assert not draft.exists()


def test_a_missing_extra_is_told_before_anything_is_measured(
    run, found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ran = run("measure", found, "--save", "csv,parquet")
    assert (ran.code, 'pip install ".[parquet]"' in ran.err, "rows written" in ran.out) == (2, True, False)
    assert not (found / "cells.csv").exists()


def test_nothing_found_is_said(run, tmp_path: Path) -> None:
    row = {"id": 1, "file_name": "a.png", "height": 9, "width": 9}
    data = {"images": [row], "annotations": [], "categories": []}
    write_atomic(tmp_path / "annotations.json", json.dumps(data).encode())
    ran = run("measure", tmp_path)
    assert (ran.out[:6], "no cell and no nucleus in it" in ran.err) == ("0 rows", True)


def test_a_row_an_image_with_counts_medians_and_notes(run, found: Path) -> None:
    record = json.loads((found / "run.json").read_text())
    record["images"][0] |= {"path": str(found / "gone.png"), "notes": ["=a note"]}
    (found / "run.json").write_text(json.dumps(record))
    assert run("measure", found, "--patients", r"(\d)\.png").code == 3
    cells = rows_of(found / "cells.csv")
    for place, row in enumerate(rows_of(found / "images.csv")):
        mine = [cell for cell in cells if cell["image"] == row["image"]]
        owners = [cell for cell in mine if cell["label"] == "cytoplasm"]
        assert (int(row["cells"]), int(row["nuclei"])) == (len(owners), len(mine) - len(owners))
        whole = [float(cell["area_um2"]) for cell in owners if cell["touches_border"] == "0"]
        told = row["median_cell_area_um2"]
        assert float(told) == pytest.approx(median(whole), abs=0.01) if whole else told == ""
        mm2 = int(row["width_px"]) * int(row["height_px"]) * (float(row["mpp"]) / 1000) ** 2
        assert float(row["cells_per_mm2"]) == pytest.approx(len(owners) / mm2, abs=0.01)
        assert row["patient"] == row["image"][0]
        assert ("'=a note; " in row["notes"] and "stain not measured" in row["notes"]) == (place == 0)


def test_tables_open_in_spreadsheets_and_are_read_back(run, smears: Path, tmp_path: Path) -> None:
    data = json.loads((smears / "annotations.json").read_text())
    names = ["=1+1.png", "@ä.png", "+.png"]
    for row, name in zip(data["images"], names, strict=True):
        write_atomic(tmp_path / "images" / name, (smears / "images" / row["file_name"]).read_bytes())
        row["file_name"] = name
    write_atomic(tmp_path / "annotations.json", json.dumps(data).encode())
    assert run("measure", tmp_path, "--patients", "(.).+").code == 0
    assert [row["image"] for row in rows_of(tmp_path / "images.csv")] == [f"'{name}" for name in names]
    for table in ("cells.csv", "images.csv"):
        assert (tmp_path / table).read_bytes().startswith(codecs.BOM_UTF8)

    ran = run("measure", tmp_path, "--patients", tmp_path / "images.csv", "--mpp", "0.3", "--link")
    assert (ran.code, "linked to a cell" in ran.out) == (0, True)
    assert [row["patient"] for row in rows_of(tmp_path / "images.csv")] == ["'=", "'@", "'+"]
    assert {row["mpp"] for row in rows_of(tmp_path / "images.csv")} == {"0.3"}


LINKS = ("cells_without_nucleus", "bare_nuclei")
OF_CELLS = ("cells", "overlapping_cells", "cut_cells", "cells_per_mm2")


@pytest.mark.parametrize(
    ("annotated", "unknown"), [(CYTOPLASM, ("nuclei", *LINKS)), (NUCLEUS, (*OF_CELLS, *LINKS))]
)
def test_a_class_that_was_not_annotated_is_not_counted_as_absent(
    run, smears: Path, tmp_path: Path, annotated: int, unknown: tuple[str, ...]
) -> None:
    whole, *others = read_coco(smears)
    cells = replace(whole.content.cells.of(annotated), mpp=0.5)
    one_class = replace(whole.content, cells=cells, annotated=frozenset({annotated}), kinds=(), numbers=())
    write_coco(tmp_path / "set.json", [replace(whole, content=one_class), *others])
    (tmp_path / "images").symlink_to(smears / "images")

    assert run("measure", tmp_path / "set.json").code == 0
    row, *rest = rows_of(tmp_path / "images.csv")
    counts = ("nuclei", *LINKS, *OF_CELLS)
    assert {name for name in counts if row[name] == ""} == {*unknown}
    assert all(other[name] != "" for other in rest for name in ("nuclei", *LINKS, "cells"))
    mine = [row for row in rows_of(tmp_path / "cells.csv") if row["image"] == whole.name]
    assert {(row["nuclei"], row["pairing_confidence"]) for row in mine} == {("", "")}
    assert all((row["overlap_fraction"] == "") == (annotated == NUCLEUS) for row in mine)

    assert run("report", tmp_path / "set.json").code == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    missing = "nuclei" if annotated == CYTOPLASM else "cells"
    assert f"{missing} in {len(others)} image" in text
