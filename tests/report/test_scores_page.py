"""The page of scores: tables, charts and the worst images, and what it says where there are none."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_scenes import HOSTILE, draw_discs, write_found

from irnet.cells import Cells
from irnet.data.coco.coco import read_coco, write_coco
from irnet.errors import InputError
from irnet.report.worst import ScoredImage, draw_worst
from irnet.verbs.evaluate import evaluate
from irnet.verbs.report import write_report
from irnet.wording import RESEARCH_USE

NAMES = ("good.png", HOSTILE, "half.png")


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Scores of predictions that are right in one image, empty in the second, half shifted in the third."""
    truth = draw_discs()
    moved = draw_discs(shift=30).select([0, 1])
    half = Cells.concat([moved, truth.select([2, 3, 4])])
    found = write_found(tmp_path / "found", dict(zip(NAMES, (truth, truth.select([]), half), strict=True)))
    entries = read_coco(found / "predictions.json")
    data = [
        replace(
            entry, path=tmp_path / "smears" / f"{number}.png", content=replace(entry.content, cells=truth)
        )
        for number, entry in enumerate(entries)
    ]
    write_coco(tmp_path / "set" / "annotations.json", data)
    (tmp_path / "set" / "images").symlink_to(tmp_path / "smears")
    for number, name in enumerate(NAMES):
        (tmp_path / "smears" / f"{number}.png").rename(tmp_path / "smears" / name)
    evaluate(found, tmp_path / "set", tmp_path / "scores")
    return tmp_path / "scores"


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_scores_charts_and_the_worst_images(scores: Path):
    written = write_report(scores)
    html = text_of(written.file)
    assert written.exit_code == 0
    assert html.count("<svg") == 3
    assert RESEARCH_USE in html
    assert "95% intervals from 1000 bootstrap samples of images" in html
    f1 = json.loads(text_of(scores / "summary.json"))["classes"]["cytoplasm"]["scores"]["f1"]["pooled"]
    assert f"{f1['value']:.3f} [{f1['low']:.3f}, {f1['high']:.3f}]" in html
    cases = re.findall(r"<figcaption><strong>([^<]*)</strong>: image, truth, found. ([^<]*)<", html)
    assert cases == [
        ("&lt;img src=x onerror=alert(1)&gt;.png", "AJI 0.000; 5 missed, 0 false, 0 poor"),
        ("half.png", cases[1][1]),
    ]  # the good one has no flaw
    assert html.count("data:image/jpeg;base64,") == 6
    assert "<caption>Mistakes by cause</caption>" in html


def test_the_table_of_images_counts(scores: Path):
    html = text_of(write_report(scores).file)
    (table,) = re.findall(r'<table class="sortable">.*?</table>', html, re.S)
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in table.split("<tr>")[2:]]
    assert rows[0] == ["good.png", *["2", "0", "0", "1", "1"], *["3", "0", "0", "1", "1"]]
    assert rows[1][1:6] == ["2", "2", "0", "0", "0"]


def test_a_method_that_left_no_predictions_has_numbers_alone(scores: Path):
    summary = json.loads(text_of(scores / "summary.json"))
    summary["evaluated"]["source"] = "bundled"
    (scores / "summary.json").write_text(json.dumps(summary))
    html = text_of(write_report(scores).file)
    assert "No pictures and no curves" in html
    assert "its predictions were not kept" in html
    assert html.count("<svg") == 2
    assert "<img src" not in html


def test_predictions_that_changed_since_are_not_shown(scores: Path, tmp_path: Path):
    with (tmp_path / "found" / "predictions.json").open("a") as file:
        file.write(" ")
    assert "has changed since it was scored" in text_of(write_report(scores).file)
    (tmp_path / "found" / "predictions.json").unlink()
    assert "No pictures and no curves" in text_of(write_report(scores).file)


def test_annotations_that_changed_since_are_not_shown(scores: Path, tmp_path: Path):
    file = tmp_path / "set" / "annotations.json"
    document = json.loads(file.read_text())
    del document["annotations"][-1]
    file.write_text(json.dumps(document))
    assert "has changed since it was scored" in text_of(write_report(scores).file)

    summary = json.loads(text_of(scores / "summary.json"))
    del summary["evaluated"]["data_sha256"]  # of an earlier version
    (scores / "summary.json").write_text(json.dumps(summary))
    assert "has changed since it was scored" not in text_of(write_report(scores).file)


def test_a_method_without_scores_has_no_curves(scores: Path):
    summary = json.loads(text_of(scores / "summary.json"))
    summary["scored"] = False
    for block in summary["classes"].values():
        block |= {"operating_scores": [0.0], "lowest_score": None}
        block["calibration"] = {"ece_iou": None, "ece_right": None, "bins": []}
    (scores / "summary.json").write_text(json.dumps(summary))
    html = text_of(write_report(scores).file)
    assert "Calibration" not in html
    assert html.count("<svg") == 1


def test_pictures_that_are_gone_are_told(scores: Path, tmp_path: Path):
    (tmp_path / "smears" / "half.png").unlink()
    written = write_report(scores)
    assert written.exit_code == 3
    assert "half.png: no such file" in text_of(written.file)


@pytest.mark.parametrize("text", ["{", "{}", '{"evaluated": 3}', "[]"])
def test_what_is_no_summary_is_refused(tmp_path: Path, text: str):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(InputError, match=r"summary\.json: no summary of irnet evaluate, run it again: "):
        write_report(tmp_path)


def test_classes_that_were_not_annotated_are_no_flaws(tmp_path: Path):
    cells = draw_discs()
    found = write_found(tmp_path / "found", {"a.png": cells})
    (entry,) = read_coco(found / "predictions.json")
    truth = replace(entry.content, cells=cells.of(1), annotated=frozenset({1}))
    one = ScoredImage.at(replace(entry, path=tmp_path / "smears" / "0.png", content=truth), cells, {})
    assert draw_worst([one]) == ([], [])
    assert one.aji == 1
    assert np.isclose(ScoredImage.at(one.entry, cells, {1: 0.7}).aji or 0, 0.5, atol=0.15)
