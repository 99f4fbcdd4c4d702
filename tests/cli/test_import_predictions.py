"""`irnet import-predictions` and what `irnet evaluate` makes of it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from irnet.cells import CYTOPLASM, Cells
from irnet.data.coco.coco import read_coco
from irnet.metrics.flatten import flatten


def save_maps(data: Path, folder: Path) -> Path:
    """The true cytoplasms as label maps, as Cellpose calls them."""
    folder.mkdir()
    for entry in read_coco(data):
        flat = flatten(entry.content.cells.of(CYTOPLASM))
        tifffile.imwrite(folder / f"{Path(entry.name).stem}_cp_masks.tif", numbered(flat))
    return folder


def numbered(cells: Cells) -> np.ndarray:
    values = np.zeros(cells.image_shape, dtype=np.uint16)
    for number, mask in enumerate(cells.to_dense(), start=1):
        values[mask] = number
    return values


def read_json(path: Path) -> dict:
    return json.loads(path.read_text())


def test_label_maps_are_scored_and_the_ceiling_is_theirs(run, smears: Path, tmp_path: Path) -> None:
    maps = save_maps(smears, tmp_path / "cellpose")
    ran = run("import-predictions", maps, smears, "--label", "cytoplasm", "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "3 images: cytoplasm" in ran.out
    assert "without scores" in ran.out
    record = read_json(tmp_path / "out" / "run.json")
    assert (record["method"], record["imported"]["format"], record["scored"]) == ("cellpose", "labels", False)
    ceiling = record["label_map_ceiling"]["cytoplasm"]
    assert f"cytoplasm: AJI {ceiling['AJI']:.3f}, F1 {ceiling['F1']:.3f}, overlap recall" in ran.out
    assert run("evaluate", tmp_path / "out", smears, "-o", tmp_path / "scores").code == 0
    summary = read_json(tmp_path / "scores" / "summary.json")
    assert list(summary["classes"]) == ["cytoplasm"]  # nothing was said of nuclei
    block = summary["classes"]["cytoplasm"]
    assert block["scores"]["aji"]["pooled"]["value"] == ceiling["AJI"]  # it found and drew each without fault
    assert block["scores"]["f1"]["pooled"]["value"] == ceiling["F1"]
    assert (summary["evaluated"]["method"], block["ap"]["ap"]["value"]) == ("cellpose", None)
    table = (tmp_path / "scores" / "table.txt").read_text()
    assert re.search(r"^mask AP \.50:\.95 +-$", table, re.MULTILINE)


def test_the_truth_is_perfect_and_its_nuclei_are_linked(run, smears: Path, tmp_path: Path) -> None:
    ran = run(
        "import-predictions", smears / "annotations.json", smears, "--name", "annotator", "-o", tmp_path
    )
    assert ran.code == 0, ran.err
    assert read_json(tmp_path / "predictions.json")["info"]["method"] == "annotator"
    assert any((entry.content.cells.parents >= 0).any() for entry in read_coco(tmp_path / "predictions.json"))
    run("evaluate", tmp_path, smears, "-o", tmp_path / "scores")
    classes = read_json(tmp_path / "scores" / "summary.json")["classes"]
    assert [part["scores"]["aji"]["pooled"]["value"] for part in classes.values()] == [1, 1]


def test_yolo_keeps_scores_and_overlaps(run, smears: Path, tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "0.txt").write_text("0 0 0 0.5 0 0.5 0.5 0 0.5 0.9\n0 0.2 0 0.7 0 0.7 0.5 0.2 0.5 0.4\n")
    args = ("import-predictions", folder, smears, "--map", "0=cytoplasm", "-o", tmp_path / "out")
    refused = run(*args)
    assert refused.code == 2
    assert "nothing for 2 of 3 images: 1.png, 2.png" in refused.err
    assert not (tmp_path / "out").exists()
    ran = run(*args, "--missing", "empty")
    assert ran.code == 0, ran.err
    assert "with scores\nwithout predictions, taken as empty: 1.png, 2.png" in ran.out
    first = read_coco(tmp_path / "out" / "predictions.json")[0].content.cells
    assert first.scores.tolist() == [0.9, 0.4]
    assert first.intersections(first)[0, 1] > 0
    assert run("evaluate", tmp_path / "out", smears, "--score", "0.5", "-o", tmp_path / "scores").code == 0
    block = read_json(tmp_path / "scores" / "summary.json")["classes"]["cytoplasm"]
    assert (block["predictions"], block["ap"]["ap"]["value"] is None) == (1, False)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["gone"], "gone: no such file or folder"),
        (["maps"], "say what the label maps hold"),
        (["maps", "--label", "cell"], "unknown category 'cell'"),
        (["maps", "--label", "nucleus,cytoplasm"], "1 pages, but 2 classes"),
        (["maps", "--from", "yolo"], "no file in it that ends in .txt"),
        (["maps", "--map", "x"], "write NAME=TARGET"),
    ],
)
def test_bad_input_is_a_message(run, smears: Path, tmp_path: Path, args: list[str], message: str) -> None:
    save_maps(smears, tmp_path / "maps")
    ran = run("import-predictions", tmp_path / args[0], smears, "-o", tmp_path / "out", *args[1:])
    assert ran.code == 2
    assert message in ran.err
    assert not (tmp_path / "out").exists()


def test_methods_are_named_on_the_command_line(run, smears: Path, network: Path, tmp_path: Path) -> None:
    images = smears / "images"
    for method, message in (("maskrcnn", "no weights of maskrcnn"), ("unet", "unet")):
        refused = run("predict", images, "--method", method, "-o", tmp_path / "out")
        assert refused.code == 2
        assert message in refused.err
    foreign = run("predict", images, "--method", "cspnet", "--model", network, "-o", tmp_path / "out")
    assert (foreign.code, "holds irnet, not cspnet" in foreign.err) == (2, True)
    ran = run(
        "predict", images, "--method", "irnet", "--model", network, "--device", "cpu", "-o", tmp_path / "out"
    )
    assert (ran.code, read_json(tmp_path / "out" / "run.json")["method"]) == (0, "irnet")
    scored = run("evaluate", "jomls", smears, "--score", "0.5", "-o", tmp_path / "scores")
    assert (scored.code, "leave --score out" in scored.err) == (2, True)


def test_an_earlier_run_makes_way_unless_it_was_corrected(run, smears: Path, tmp_path: Path) -> None:
    arguments = ("import-predictions", smears / "annotations.json", smears, "-o", tmp_path)
    assert run(*arguments).code == 0
    (tmp_path / "report.html").write_text("of the earlier run")
    assert run(*arguments).code == 0
    assert {file.name for file in tmp_path.iterdir()} == {"predictions.json", "run.json"}
    (tmp_path / "corrections.jsonl").write_text("")
    ran = run(*arguments)
    assert (ran.code, "write to another folder with -o" in ran.err) == (2, True)
