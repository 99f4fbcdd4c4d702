"""`irnet export`, and `irnet data convert` on what it wrote."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import roifile
import shapely
import tifffile
from pyarrow import parquet

from irnet.data.coco.coco import read_coco
from irnet.data.files import sha256
from irnet.data.formats import DRAWN
from irnet.data.sample import Entry
from irnet.verbs.export import FORMATS, STYLES

FORMS = [("qupath", "annotations"), ("labelme", "polygons"), ("labelme", "masks"), ("imagej", None)]
FORMS += [("cvat", "masks"), ("cvat", "polygons")]


def by_mask(entry: Entry) -> list[tuple]:
    """Each instance's class, mask and cell, regardless of the order."""
    cells = entry.content.cells
    rles = [rle["counts"] for rle in cells.to_rle()]
    owners = [rles[parent] if parent >= 0 else "" for parent in cells.parents]
    return sorted(zip(cells.labels.tolist(), rles, owners, strict=True))


@pytest.mark.parametrize(("to", "style"), FORMS)
def test_what_is_exported_comes_back(run, smears: Path, tmp_path: Path, to: str, style: str | None) -> None:
    form = [] if style is None else ["--as", style]
    ran = run("export", smears, "--to", to, *form, "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (0, f"3 images written to {tmp_path / 'out'}\n")
    back = ["--from", to, "--images", smears, "-o", tmp_path / "back"]
    assert run("data", "convert", tmp_path / "out", *back).code == 0
    for old, new in zip(read_coco(smears), read_coco(tmp_path / "back"), strict=True):
        assert by_mask(new) == by_mask(old)
        assert (new.name, new.patient, new.content.cells.mpp) == (
            old.name,
            old.patient,
            old.content.cells.mpp,
        )
        assert new.path.read_bytes() == old.path.read_bytes()


@pytest.mark.parametrize("to", FORMATS)
def test_a_folder_of_the_formats_name_is_the_default(run, smears: Path, tmp_path: Path, to: str) -> None:
    (tmp_path / "found.json").write_bytes((smears / "annotations.json").read_bytes())
    (tmp_path / "images").symlink_to(smears / "images")
    assert run("export", tmp_path / "found.json", "--to", to).code == 0
    assert any((tmp_path / to).iterdir())


def test_cells_of_qupath_carry_measurements(run, smears: Path, tmp_path: Path) -> None:
    run("export", smears, "--to", "qupath", "-o", tmp_path)
    files = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(tmp_path.glob("*.geojson"))]
    name = "Nucleus/Cell area ratio"  # unknown of a cell that touches the border
    cell = next(f for data in files for f in data["features"] if name in f["properties"]["measurements"])
    values = cell["properties"]["measurements"]
    areas = [area for entry in read_coco(smears) for area in entry.content.cells.areas * 0.37**2]
    assert values["Cell: Area µm^2"] in np.round(areas, 2)
    assert {"Cell: Length µm", "Nucleus: Area µm^2", "Nucleus: Max diameter µm"} <= values.keys()
    nucleus, whole = (shapely.geometry.shape(cell[key]).area for key in ("nucleusGeometry", "geometry"))
    assert values[name] == pytest.approx(nucleus / whole, rel=0.03)
    assert 0 < values["IRNet: optical density"] < 2


def test_tables_have_a_row_an_instance(run, smears: Path, tmp_path: Path) -> None:
    for to in ("csv", "parquet"):
        assert run("export", smears, "--to", to, "-o", tmp_path).code == 0
    with open(tmp_path / "cells.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(tmp_path / "cells.parquet")
    count = sum(len(entry.content.cells) for entry in read_coco(smears))
    assert len(rows) == table.num_rows == count
    assert [float(row["area_px"]) for row in rows] == table["area_px"].to_pylist()
    assert rows[0]["od_mean"]


def test_label_maps_tell_what_is_lost(run, smears: Path, tmp_path: Path) -> None:
    ran = run("export", smears, "--to", "labels", "-o", tmp_path)
    lost = 0
    for entry in read_coco(smears):
        dense, labels = entry.content.cells.to_dense(), entry.content.cells.labels
        lost += sum(int(np.clip(dense[labels == label].sum(axis=0) - 1, 0, None).sum()) for label in (1, 2))
    assert lost > 0
    assert f"{lost:,} px of overlap are lost in all" in ran.err
    kept = [tifffile.imread(tmp_path / f"{name}_cells.tif") for name in range(3)]
    for values, entry in zip(kept, read_coco(smears), strict=True):
        assert (
            0 < len(np.unique(values)) - 1 <= (entry.content.cells.labels == 1).sum()
        )  # one may lie under others


def test_predictions_lead_to_their_images(run, smears: Path, tmp_path: Path) -> None:
    out = tmp_path / "found"
    out.mkdir()
    (out / "predictions.json").write_bytes((smears / "annotations.json").read_bytes())
    paths = {name: smears / "images" / name for name in ("0.png", "1.png", "2.png")}
    places = [{"name": name, "path": str(path), "sha256": sha256(path)} for name, path in paths.items()]
    (out / "run.json").write_text(json.dumps({"images": places}))
    assert run("export", out, "--to", "labelme").err.count("warning") == 0
    assert (out / "labelme" / "1.png").read_bytes() == (smears / "images" / "1.png").read_bytes()
    assert run("data", "convert", out / "labelme", "--from", "labelme", "-o", tmp_path / "a").code == 0
    assert run("export", out, "--to", "imagej").code == 0
    assert len(roifile.roiread(out / "imagej" / "0.zip")) == len(read_coco(smears)[0].content.cells)
    back = ["--from", "imagej", "--images", out, "-o", tmp_path / "b"]
    assert run("data", "convert", out / "imagej", *back).code == 0
    assert read_coco(tmp_path / "b")[0].content.cells.mpp == 0.37
    (out / "run.json").unlink()
    ran = run("export", out, "--to", "labelme", "-o", tmp_path / "c")
    assert (ran.code, ran.err.count("labelme needs it as")) == (3, 3)
    ran = run("export", out, "--to", "csv")
    assert (ran.code, ran.err.count("stain not measured")) == (3, 3)


@pytest.mark.parametrize("to", FORMATS)
def test_what_may_have_been_corrected_is_not_replaced(run, smears: Path, tmp_path: Path, to: str) -> None:
    out = tmp_path / "out"
    assert run("export", smears, "--to", to, "-o", out).code == 0
    written = sorted(file for file in out.rglob("*") if file.suffix != ".png")
    for file in written[:-1]:
        file.unlink()
    written[-1].write_text("corrected")
    ran = run("export", smears, "--to", to, "-o", out)
    assert (ran.code, f"{written[-1]} is there already" in ran.err, "with -o" in ran.err) == (2, True, True)
    assert [file for file in out.rglob("*") if file.suffix != ".png"] == [written[-1]]
    assert written[-1].read_text() == "corrected"


def test_labelme_gets_only_the_images_that_were_segmented(run, smears: Path, tmp_path: Path) -> None:
    out, secret = tmp_path / "found", tmp_path / "secret.png"
    out.mkdir()
    secret.write_text("of this machine")
    (out / "predictions.json").write_bytes((smears / "annotations.json").read_bytes())
    other = str(smears / "images" / "0.png")
    places: list[dict] = [{"name": "0.png", "path": str(secret), "sha256": sha256(secret)}]
    places.append({"name": "1.png", "path": other, "sha256": sha256(smears / "images" / "1.png")})
    places.append({"name": "2.png", "path": str(smears / "images" / "2.png")})
    (out / "run.json").write_text(json.dumps({"images": places}))
    ran = run("export", out, "--to", "labelme")
    assert (ran.code, ran.err.count("labelme needs it as")) == (3, 3)
    assert sorted(file.name for file in (out / "labelme").iterdir()) == ["0.json", "1.json", "2.json"]


def test_other_images_of_a_name_are_not_replaced(run, smears: Path, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("mine")
    ran = run("export", smears, "--to", "labelme", "-o", tmp_path)
    assert (ran.code, "1.png is there and is another file" in ran.err) == (2, True)
    assert [file.name for file in tmp_path.iterdir()] == ["1.png"]
    assert (tmp_path / "1.png").read_text() == "mine"


def test_files_that_would_be_one_are_refused(run, tmp_path: Path) -> None:
    rows = [{"id": 1, "file_name": "a.json", "height": 9, "width": 9}]
    data = {"images": rows, "annotations": [], "categories": []}
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    ran = run("export", tmp_path, "--to", "labelme", "-o", tmp_path / "out")
    assert (ran.code, "need this name: rename one" in ran.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_nothing_found_is_said(run, tmp_path: Path) -> None:
    data = {"images": [{"id": 1, "file_name": "a.png", "height": 9, "width": 9}]}
    (tmp_path / "annotations.json").write_text(json.dumps(data | {"annotations": [], "categories": []}))
    ran = run("export", tmp_path, "--to", "cvat")
    assert (ran.code, "no cell and no nucleus in 1 image" in ran.err) == (0, True)


@pytest.mark.parametrize(
    ("to", "library"), [("parquet", "pyarrow"), ("imagej", "roifile"), ("qupath", "shapely")]
)
def test_a_missing_extra_is_told_before_anything_is_read(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    ran = run("export", tmp_path / "nowhere", "--to", to)
    assert (ran.code, library in ran.err, "pip install" in ran.err) == (2, True, True)


def test_regions_to_ignore_are_counted(run, tmp_path: Path) -> None:
    row = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}
    cell = row | {"id": 2, "iscrowd": 0}
    image = {"id": 1, "file_name": "a.png", "height": 20, "width": 20}
    data = {"images": [image], "annotations": [row, cell], "categories": [{"id": 1, "name": "cytoplasm"}]}
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    assert "1 region to ignore not written" in run("export", tmp_path, "--to", "cvat").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "voc"], "choose one of qupath, imagej"),
        (["--to", "qupath", "--as", "masks"], "--as masks: choose one of cells, annotations"),
        (["--to", "imagej", "--as", "masks"], "leave it out"),
    ],
)
def test_what_is_not_written_is_refused(run, smears: Path, arguments: list[str], message: str) -> None:
    ran = run("export", smears, *arguments)
    assert (ran.code, message in ran.err) == (2, True)


def test_images_are_named_only_where_it_helps(run, smears: Path, tmp_path: Path) -> None:
    ran = run("data", "convert", smears, "--from", "masks", "--images", smears, "-o", tmp_path / "out")
    assert (ran.code, "--images is for" in ran.err) == (2, True)
    (tmp_path / "run.json").write_text("[]")
    (tmp_path / "predictions.json").write_bytes((smears / "annotations.json").read_bytes())
    ran = run("export", tmp_path, "--to", "cvat")
    assert (ran.code, "no record of a run" in ran.err) == (2, True)


def test_every_style_is_of_a_format_that_is_read() -> None:
    assert STYLES.keys() <= set(DRAWN) <= set(FORMATS)


def test_a_missing_extra_is_named(run, smears: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, to, extra in (("shapely", "qupath", "export"), ("roifile", "imagej", "export")):
        monkeypatch.setitem(__import__("sys").modules, module, None)
        ran = run("export", smears, "--to", to, "-o", tmp_path)
        assert (ran.code, f'pip install ".[{extra}]"' in ran.err) == (2, True)
