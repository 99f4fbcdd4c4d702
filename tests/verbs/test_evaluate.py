"""Scores of finished predictions and of networks."""

import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.files import sha256
from irnet.data.locking import writing
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.verbs.compare import compare
from irnet.verbs.evaluate import evaluate
from irnet.verbs.report import write_report


def with_scores(entries: list[Entry], score: float) -> list[Entry]:
    return [
        replace(
            e,
            content=replace(e.content, cells=replace(e.content.cells, scores=e.content.cells.scores * score)),
        )
        for e in entries
    ]


def test_the_truth_as_prediction_is_perfect(circles: Path, tmp_path: Path):
    write_coco(tmp_path / "predictions.json", with_scores(read_coco(circles), 0.8), scores=True)
    result = evaluate(tmp_path, circles, tmp_path / "out")
    nuclei = result.summary.classes["nucleus"]
    assert nuclei.scores["aji"].pooled.value == 1
    assert nuclei.ap.ap.value == pytest.approx(1)
    assert result.summary.patients == 3
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert len(written["evaluated"]["sha256"]) == 64
    assert (tmp_path / "out" / "table.txt").read_text() == result.table


def test_images_that_a_review_did_not_finish_are_left_out(
    circles: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    write_coco(tmp_path / "predictions.json", with_scores(read_coco(circles), 0.8), scores=True)
    (tmp_path / "images").symlink_to(circles / "images")
    data = json.loads((circles / "annotations.json").read_text())
    for row in data["images"][:4]:
        row["finished"] = False
    data["annotations"] = [row for row in data["annotations"] if row["image_id"] > 4 or row["id"] % 2]
    (tmp_path / "corrected.json").write_text(json.dumps(data))
    result = evaluate(tmp_path, tmp_path / "corrected.json", tmp_path / "out")
    assert (result.summary.images, result.summary.classes["nucleus"].scores["aji"].pooled.value) == (2, 1)
    assert "nothing is scored in 4 images of 6" in caplog.text

    for row in data["images"]:
        row["finished"] = False
    (tmp_path / "corrected.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="nobody finished any of 6 images"):
        evaluate(tmp_path, tmp_path / "corrected.json", tmp_path / "out")


def test_a_cut_drops_what_scores_less(circles: Path, tmp_path: Path):
    write_coco(tmp_path / "p.json", with_scores(read_coco(circles), 0.4), scores=True)
    result = evaluate(tmp_path / "p.json", circles, tmp_path / "out", score=0.5)
    assert result.summary.classes["cytoplasm"].predictions == 0
    assert result.summary.classes["cytoplasm"].scores["recall"].pooled.value == 0


def test_finished_predictions_have_the_views_they_have(circles: Path, tmp_path: Path):
    write_coco(tmp_path / "p.json", with_scores(read_coco(circles), 0.4), scores=True)
    with pytest.raises(InputError, match="leave --views out"):
        evaluate(tmp_path / "p.json", circles, tmp_path / "out", views=4)
    assert not (tmp_path / "out").exists()

    for info, views in (({"views": 4}, 4), ({}, None)):
        document = json.loads((tmp_path / "p.json").read_text()) | {"info": info}
        (tmp_path / "p.json").write_text(json.dumps(document))
        result = evaluate(tmp_path / "p.json", circles, tmp_path / "out")
        assert result.summary.evaluated.views == views


def test_what_the_border_cuts_can_be_left_out(circles: Path, tmp_path: Path):
    entries = read_coco(circles)
    frame = entries[0].content.cells.image_shape
    cut = Cells.build([np.ones((4, 4), dtype=bool)], [(0, 0)], [NUCLEUS], frame)
    found = [
        replace(entry, content=replace(entry.content, cells=Cells.concat([entry.content.cells, cut])))
        for entry in entries
    ]
    write_coco(tmp_path / "predictions.json", found, scores=True)
    scored = evaluate(tmp_path, circles, tmp_path / "out").summary.classes["nucleus"]
    result = evaluate(tmp_path, circles, tmp_path / "out", exclude_border=True)
    assert scored.scores["precision"].pooled.value < 1
    assert result.summary.classes["nucleus"].scores["precision"].pooled.value == 1
    assert result.summary.evaluated.exclude_border
    assert "border" in result.table
    assert ">left out<" in write_report(tmp_path / "out").file.read_text()


def test_nothing_left_to_score_is_an_error(circles: Path, tmp_path: Path):
    entries = read_coco(circles)
    nuclei = [replace(e, content=replace(e.content, cells=e.content.cells.of(NUCLEUS))) for e in entries]
    cells = [
        replace(e, content=replace(e.content, cells=e.content.cells.of(CYTOPLASM), annotated={CYTOPLASM}))
        for e in entries
    ]
    for name, images in (("nuclei", nuclei), ("cells", cells)):
        write_coco(tmp_path / f"{name}.json", images)
    with pytest.raises(InputError, match="there is nothing to score"):
        evaluate(tmp_path / "cells.json", tmp_path / "nuclei.json", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_said_of_images_reaches_the_scores(circles: Path, tmp_path: Path):
    write_coco(tmp_path / "found.json", read_coco(circles))
    own = OwnData(0.5, r"([024])|1")
    with pytest.raises(InputError, match=r"no patient in the name 1\.png"):
        evaluate(tmp_path / "found.json", circles, tmp_path / "out", own=own)
    done = evaluate(tmp_path / "found.json", circles, tmp_path / "out", own=OwnData(0.5, r"(\d)\.png"))
    assert done.summary.patients == 6
    said = json.loads((tmp_path / "out" / "summary.json").read_text())["evaluated"]
    assert (said["mpp"], said["patients"]) == (0.5, r"(\d)\.png")
    assert "um" in done.table


def test_mistakes_are_counted_by_cause_and_shown(circles: Path, tmp_path: Path):
    entries = read_coco(circles)
    halved = [replace(e, content=replace(e.content, cells=e.content.cells.of(CYTOPLASM))) for e in entries]
    write_coco(tmp_path / "predictions.json", halved, scores=True)
    result = evaluate(tmp_path, circles, tmp_path / "out")
    nuclei = int(sum((e.content.cells.labels == NUCLEUS).sum() for e in entries))
    counted = {
        name: dict(sorted(kinds.items())) for name, kinds in result.summary.mistakes["overlooked"].items()
    }
    assert counted["nucleus"] == {"false": 0, "missed": nuclei, "poor": 0}
    assert "mistakes: missed / false / poor" in result.table
    assert f"0 / 0 / 0  {nuclei} / 0 / 0" in result.table
    html = (tmp_path / "out" / "gallery.html").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg") == 3 * min(20, nuclei)
    assert f"of {nuclei}</small>" in html


def test_predictions_are_scored_without_their_images(circles: Path, tmp_path: Path):
    data = tmp_path / "bare" / "annotations.json"
    data.parent.mkdir()
    data.write_bytes((circles / "annotations.json").read_bytes())
    empty = [
        replace(e, content=replace(e.content, cells=Cells.empty(e.content.cells.image_shape)))
        for e in read_coco(circles)
    ]
    write_coco(tmp_path / "predictions.json", empty, scores=True)
    evaluate(tmp_path / "predictions.json", data, tmp_path / "out")
    html = (tmp_path / "out" / "gallery.html").read_text(encoding="utf-8")
    assert "no such file" in html
    assert "missed cytoplasm" in html
    assert "data:image/jpeg" not in html


def test_other_images_of_the_names_are_told(circles: Path, tmp_path: Path, caplog):
    entries = read_coco(circles)
    write_coco(tmp_path / "found" / "predictions.json", with_scores(entries, 0.8), scores=True)
    images = [{"name": e.name, "path": str(e.path), "sha256": sha256(e.path)} for e in entries]
    (tmp_path / "found" / "run.json").write_text(json.dumps({"images": images}))
    evaluate(tmp_path / "found", circles, tmp_path / "out")
    assert "other files" not in caplog.text

    images[0]["sha256"] = "0" * 64
    (tmp_path / "found" / "run.json").write_text(json.dumps({"images": images}))
    evaluate(tmp_path / "found", circles, tmp_path / "out")
    assert f"1 of {len(entries)} images are other files than those" in caplog.text
    assert f"such as {entries[0].name}" in caplog.text


def test_predictions_of_another_size_name_the_image(circles: Path, tmp_path: Path):
    entries = read_coco(circles)
    name, (height, width) = entries[1].name, entries[1].content.cells.image_shape
    other = Content(cells=Cells.empty((height, width + 1)))
    write_coco(tmp_path / "found.json", [entries[0], replace(entries[1], content=other), *entries[2:]])
    said = f"{name} has {height} x {width + 1} pixels .* there and {height} x {width} where it is annotated"
    with pytest.raises(InputError, match=said):
        evaluate(tmp_path / "found.json", circles, tmp_path / "out")


def test_patients_of_some_images_alone_are_told(circles: Path, tmp_path: Path, caplog):
    first, *others = read_coco(circles)
    entries = [replace(first, patient=None), *others]
    write_coco(tmp_path / "some" / "annotations.json", entries)
    evaluate(circles / "annotations.json", tmp_path / "some", tmp_path / "out")
    assert f"1 of {len(entries)} images name no patient: each counts as a patient of its own" in caplog.text
    caplog.clear()
    evaluate(circles / "annotations.json", circles, tmp_path / "out")
    assert "name no patient" not in caplog.text


def test_an_image_without_prediction_is_bad_input(circles: Path, tmp_path: Path):
    write_coco(tmp_path / "predictions.json", read_coco(circles)[:4], scores=True)
    with pytest.raises(InputError, match="no prediction for 2 of 6 images"):
        evaluate(tmp_path, circles, tmp_path / "out")


def test_what_is_neither_predictions_nor_weights_may_be_either(circles: Path, tmp_path: Path):
    for source in (tmp_path / "nope", circles / "images"):
        with pytest.raises(InputError, match="folder or COCO file of predictions, a weights file, a run's"):
            evaluate(source, circles, tmp_path / "out")


def test_a_network_is_scored_at_its_thresholds(blobs_installed: Predictor, circles: Path, tmp_path: Path):
    result = evaluate(tmp_path / "weights.safetensors", circles, tmp_path / "out")
    nuclei = result.summary.classes["nucleus"]
    assert nuclei.operating_scores == [0.5]
    assert nuclei.scores["f1"].pooled.value > 0.9
    assert result.summary.evaluated.source.endswith("weights.safetensors")


def test_a_folder_whose_name_is_no_text_is_scored(circles: Path, tmp_path: Path):
    data = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        shutil.copytree(circles, data)
    except OSError:
        pytest.skip("a file system whose names are all text")
    write_coco(tmp_path / "p.json", with_scores(read_coco(circles), 0.8), scores=True)
    evaluate(tmp_path / "p.json", data, tmp_path / "out")
    assert "caf\\udce9" in (tmp_path / "out" / "gallery.html").read_text(encoding="utf-8")
    write_coco(tmp_path / "q.json", with_scores(read_coco(circles), 0.7), scores=True)
    compare([tmp_path / "p.json", tmp_path / "q.json"], data, tmp_path / "both")
    assert "caf\\udce9" in (tmp_path / "both" / "gallery.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("count", [1, 2])
def test_scores_wait_for_nobody_who_writes_there(circles: Path, tmp_path: Path, count: int):
    files = [tmp_path / f"{number}.json" for number in range(count)]
    for file in files:
        write_coco(file, with_scores(read_coco(circles), 0.8), scores=True)
    scored = partial(evaluate, files[0]) if count == 1 else partial(compare, files)
    with (
        writing(tmp_path / "out", "irnet evaluate"),
        pytest.raises(InputError, match=r"irnet evaluate \(process .*is writing there"),
    ):
        scored(circles, tmp_path / "out")


@pytest.mark.parametrize("score", [-0.1, 2.0, float("nan"), float("inf")])
def test_a_cut_is_a_score(circles: Path, tmp_path: Path, score: float):
    write_coco(tmp_path / "p.json", with_scores(read_coco(circles), 0.8), scores=True)
    with pytest.raises(InputError, match="is out of range: give 0 to 1"):
        evaluate(tmp_path / "p.json", circles, tmp_path / "out", score=score)
