"""From handmade predictions to the written tables: figures against sums by hand, nothing trained."""

import csv
import json
import re

import numpy as np
import pytest
from study_scenes import both, entry, wide

from irnet.cells import Distractor
from irnet.errors import InputError
from irnet.study.costs import write_cost
from irnet.study.curves import CUTS, sweep
from irnet.study.jobs import jobs_of
from irnet.study.make import TABLES, make
from irnet.study.record import Options, Study
from irnet.study.results import compare_rows, gains
from irnet.study.rows import IRNET, JOMLS, MASK_RCNN, TABLE1, WITHOUT_IRM
from irnet.study.scoring import TEST, VAL
from irnet.study.sections import difference_table
from irnet.study.tables import find_row, make_table, score_rows

WIDTHS = {  # bars found in the four test images; their IoU with the truth is width / 20
    ("maskrcnn", 0): (10, 12, 14, 16),
    ("maskrcnn", 1): (12, 12, 16, 16),
    ("irnet", 0): (14, 16, 18, 20),
    ("irnet", 1): (18, 18, 18, 18),
    ("jomls", 0): (4, 8, 8, 12),
}
COST = {"base": "abc", "train_steps": 40, "train_seconds": 2.0, "seconds_per_image": 0.5, "device": "cpu"}


@pytest.fixture
def study(tmp_path, val_entries, test_entries, write_found) -> Study:
    """A study whose rows are finished: Mask R-CNN and IRNet with two seeds, JOMLS."""

    class HandmadeParts:
        train, val, test = val_entries, val_entries, test_entries

    record = {
        "data": {"images": {"test": 4}, "patients": {"test": 3}, "generator": None},
        "size": "tiny",
        "protocol": "forked",
        "seeds": 2,
        "steps": 40,
        "trunk_steps": 40,
        "trunk": {"source": "trained", "sha256": None},
    }
    study = Study(
        out=tmp_path,
        data=tmp_path,
        parts=HandmadeParts(),  # type: ignore[arg-type]
        settings=None,  # type: ignore[arg-type]
        options=Options(),
        record=record,
    )
    for (key, seed), widths in WIDTHS.items():
        folder = study.folder(key, seed)
        score = 1.0 if key == "jomls" else 0.8
        write_found(folder / VAL, val_entries, [both(20, score)] * 2)
        write_found(folder / TEST, test_entries, [both(width, score) for width in widths])
        write_cost(folder, {"row": key, "seed": seed} | COST | ({"base": None} if key == "jomls" else {}))
    return study


@pytest.fixture
def results(study):
    return score_rows(study, TABLE1, say=lambda _: None)


def test_rows_that_are_not_finished_are_left_out(results):
    assert [result.row.key for result in results] == ["jomls", "maskrcnn", "irnet"]
    assert [result.seeds for result in results] == [(0,), (0, 1), (0, 1)]


def test_the_main_figure_is_the_mean_of_images_averaged_over_seeds(results):
    aji = results[1].estimate("aji/cytoplasm")
    assert aji.value == pytest.approx((11 + 12 + 15 + 16) / 4 / 20)
    assert aji.seeds == pytest.approx((13 / 20, 14 / 20))
    f1 = results[1].estimate("f1/cytoplasm")  # an IoU of .5 is no match: the first image of seed 0 is missed
    assert f1.value == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert results[1].classes["cytoplasm"].pooled["aji"].value == pytest.approx(108 / 160)


def test_gains_and_differences_are_over_the_control(results):
    control = find_row(results, MASK_RCNN)
    irnet = find_row(results, IRNET)
    ours = gains(irnet, control)["aji/cytoplasm"]
    assert ours["ours"] == pytest.approx(17.5 / 13.5 - 1)
    assert ours["paper"] == pytest.approx(0.7185 / 0.6845 - 1)
    difference = compare_rows([irnet], control)["irnet"]["aji/cytoplasm"]
    assert difference.value == pytest.approx(4 / 20)
    assert difference.seeds == pytest.approx((4 / 20, 4 / 20))
    assert difference.low <= difference.value <= difference.high
    assert gains(control, control) == {}
    assert compare_rows([control, irnet], None) == {"maskrcnn": {}, "irnet": {}}
    assert compare_rows([control], control) == {"maskrcnn": {}}


def test_seeds_that_agree_are_counted_of_those_that_are_planned(study):
    (study.folder("irnet", 0) / "cost.json").unlink()
    study.record["seeds"] = 3
    results = score_rows(study, TABLE1, say=lambda _: None)
    _, control, irnet = results
    assert [(one.seeds, one.planned) for one in results] == [((0,), 1), ((0, 1), 3), ((1,), 3)]

    compared = compare_rows(results, control)
    found, whole = (compared[key]["aji/cytoplasm"] for key in ("irnet", "jomls"))
    ours, theirs = (one.estimate("aji/cytoplasm").seeds for one in (irnet, control))
    assert found.seeds == (None, pytest.approx(ours[0] - theirs[1]), None)  # each seed beside its own
    assert (found.unknown, found.seeds_error) == (2, None)
    assert (len(whole.seeds), whole.unknown) == (3, 1)
    page = difference_table(results, control)
    assert re.search(r"of 3, 2 not known", page)
    assert re.search(r"of 3, 1 not known", page)


def test_rows_are_compared_over_the_seeds_that_both_have(study, monkeypatch):
    (study.folder("irnet", 0) / "cost.json").unlink()
    results = score_rows(study, TABLE1, say=lambda _: None)
    _, control, irnet = results
    ours, theirs = (one.estimate("aji/cytoplasm").seeds[-1] for one in (irnet, control))
    assert control.estimate("aji/cytoplasm").seeds[0] != theirs  # else the test would say nothing

    assert compare_rows([irnet], control)["irnet"]["aji/cytoplasm"].value == pytest.approx(ours - theirs)
    assert gains(irnet, control)["aji/cytoplasm"]["ours"] == pytest.approx(ours / theirs - 1)

    monkeypatch.setattr("irnet.study.tables.run_rows", lambda *_, **__: [])
    make("table1", study, keys=None, device="cpu", say=lambda _: None)
    for part in json.loads((study.out / "table1.json").read_text())["one_cut"]:
        row = next(row for row in part["rows"] if row["row"] == "IRNet")
        assert row["differences"]["aji/cytoplasm"]["value"] == pytest.approx(ours - theirs)
        assert row["gains"]["aji/cytoplasm"] == pytest.approx(ours / theirs - 1)


def test_rows_without_a_seed_in_common_are_not_compared(study):
    (study.folder("irnet", 0) / "cost.json").unlink()
    (study.folder("maskrcnn", 1) / "cost.json").unlink()
    _, control, irnet = score_rows(study, TABLE1, say=lambda _: None)
    assert compare_rows([irnet], control) == {"irnet": {}}
    assert gains(irnet, control) == {}


def test_a_row_without_scores_has_neither_thresholds_nor_ap(results):
    jomls, irnet = results[0], results[2]
    assert jomls.cuts == ({},)
    assert jomls.classes["cytoplasm"].ap == {}
    assert irnet.classes["cytoplasm"].ap["ap50"].value == 1
    assert [cuts[1] for cuts in irnet.cuts] == [0.4, 0.4]  # halfway between .8 and nothing


def test_false_finds_are_counted_by_kind(study, results):
    jomls = results[0].classes["cytoplasm"]  # three of its bars are false, one beside the mucus
    assert jomls.false_finds == {"elsewhere": 1}  # images without distractors tell nothing


def test_the_table_is_written_in_three_forms(study, monkeypatch):
    monkeypatch.setattr("irnet.study.tables.run_rows", lambda *_, **__: [])
    made = make("table1", study, keys=None, device="cpu", say=lambda _: None)
    assert made.exit_code == 0
    page = (study.out / "table1.md").read_text()
    assert page == made.page
    main = next(line for line in page.splitlines() if line.startswith("| IRNet |"))
    assert re.match(r"\| IRNet \| \.875 \[\.\d+, \.\d+\] ± \.\d+ \| \.7185 \|", main)
    precision = page.split("## COCO mask AP")[1].split("##")[0]
    assert "| JOMLS | - | - |" in precision
    loose = page.split("## All rows from a score of .05 on\n")[1].split("##")[0]
    assert re.search(r"\| Mask R-CNN \| \.675 \[\.\d+, \.\d+\] \|", loose)
    assert re.search(r"\| IRNet \| \.875 \[\.\d+, \.\d+\] \(\+29\.6 %\) \|", loose)  # all finds score .8
    assert "JOMLS" not in loose
    paired = page.split("## All rows from a score of .50 on: paired difference to Mask R-CNN")[1]
    assert re.search(r"\| IRNet, AJI cytoplasm \| \+\.200 \[\+\.\d+, \+\.\d+\] \| 2 of 2 \|", paired)
    values = json.loads((study.out / "table1.json").read_text())
    assert values["control"] == "maskrcnn"
    assert values["rows"][2]["differences"]["aji/cytoplasm"]["resolvable"] > 0
    assert values["rows"][2]["costs"][0]["train_steps"] == 40
    assert [part["cut"] for part in values["one_cut"]] == [0.05, 0.5]
    same = values["one_cut"][1]["rows"][1]["differences"]["aji/cytoplasm"]
    assert same == values["rows"][2]["differences"]["aji/cytoplasm"]  # nothing lies between the two cuts
    rows = list(csv.DictReader((study.out / "table1.csv").read_text().splitlines()))
    wanted = {"row": "IRNet", "figure": "aji/cytoplasm", "way": "image_mean"}
    (irnet,) = [row for row in rows if wanted.items() <= row.items()]
    assert float(irnet["value"]) == pytest.approx(0.875)
    assert float(irnet["paper"]) == 0.7185
    assert (study.out / "curves_table1.svg").exists()
    curves = list(csv.DictReader((study.out / "curves_table1.csv").read_text().splitlines()))
    assert {row["row"] for row in curves} == {"JOMLS", "Mask R-CNN", "IRNet"}


def test_what_every_image_scored_is_written_and_gives_the_table(study, monkeypatch):
    monkeypatch.setattr("irnet.study.tables.run_rows", lambda *_, **__: [])
    make("table1", study, keys=None, device="cpu", say=lambda _: None)
    rows = list(csv.DictReader((study.out / "images_table1.csv").read_text().splitlines()))
    values = json.loads((study.out / "table1.json").read_text())

    for result in values["rows"]:
        own = [row for row in rows if row["row"] == result["key"]]
        assert len(own) == len(result["seeds"]) * len(study.parts.test)
        for figure in ("aji/cytoplasm", "f1/cytoplasm"):
            name, label = figure.split("/")
            mean = result["classes"][label]["image_mean"][name]["value"]
            assert np.mean([float(row[figure]) for row in own if row[figure]]) == pytest.approx(
                mean, abs=1e-4
            )
    assert {row["aji/cytoplasm@0.05"] for row in rows if row["row"] == "jomls"} == {""}  # it has no scores
    assert {row["patient"] for row in rows} == {entry.patient for entry in study.parts.test}


def test_table2_has_the_papers_check_marks(study, monkeypatch):
    monkeypatch.setattr("irnet.study.tables.run_rows", lambda *_, **__: [])
    page = make("table2", study, keys=None, device="cpu", say=lambda _: None).page
    assert "| ✓ | ✓ | ✓ | .875" in page
    assert "over IRNet w/o IRM" in page


def test_what_is_missing_is_named_and_the_rest_is_written(study, monkeypatch):
    from irnet.study.jobs import Missing

    (job, *_) = jobs_of(study, [WITHOUT_IRM])
    monkeypatch.setattr(
        "irnet.study.tables.run_rows", lambda *_, **__: [Missing(job, "held by another process")]
    )
    made = make_table(study, TABLES["table1"], device="cpu", say=lambda _: None)
    assert made.exit_code == 3
    assert "- IRNet w/o IRM, seed 0: held by another process" in (study.out / "table1.md").read_text()


def test_rows_of_different_bases_are_refused(study):
    write_cost(study.folder("irnet", 1), COST | {"base": "other"})
    with pytest.raises(InputError, match="fork from different trunks"):
        score_rows(study, TABLE1, say=lambda _: None)


def test_seeds_come_outermost_and_jomls_has_one(study):
    jobs = jobs_of(study, [JOMLS, MASK_RCNN, IRNET])
    assert [(job.row.key, job.seed) for job in jobs] == [
        ("jomls", 0),
        ("maskrcnn", 0),
        ("irnet", 0),
        ("maskrcnn", 1),
        ("irnet", 1),
    ]


def test_curves_are_means_of_images_at_every_cut():
    entries = [entry("a", wide(20)), entry("b", wide(20))]
    one = sweep("row", entries, {0: [wide(20, 0.9), wide(15, 0.32)]})
    assert one.at("f1", 1, 0.3).value == 1
    assert one.at("f1", 1, 0.35).value == 0.5
    assert one.at("aji", 1, 0.3).value == pytest.approx((1 + 0.75) / 2)
    assert one.at("aji", 1, 0.95).value == 0
    assert one.line("aji", 1)[-1] == 0
    assert one.line("aji", 2) == [None] * len(CUTS)  # no nucleus anywhere


def test_distractors_are_counted_over_the_test_images(study, monkeypatch):
    study.parts.test[1] = entry(
        "t1.png", both(20), "a", distractors=[Distractor(kind="bacteria", box=(0, 0, 5, 5))]
    )
    monkeypatch.setattr("irnet.study.tables.run_rows", lambda *_, **__: [])
    page = make("table1", study, keys=None, device="cpu", say=lambda _: None).page
    assert "bacteria (1 there)" in page
    assert "mucus (1 there)" in page
