"""The record of a run: what it lacks is unknown, and what is wrong in it is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from irnet.data.coco.run_record import RunRecord, made_from
from irnet.errors import InputError

IMAGE = {"name": "a.png", "path": "/smears/a.png"}


def test_a_record_tells_where_the_images_lay_and_what_failed(tmp_path: Path) -> None:
    run = {"date": "today", "page": 2, "files": ["cells.csv"], "scores": {"nucleus": 0.4}, "images": [IMAGE]}
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "errors.json").write_text(json.dumps([{"file": "b.png", "error": "damaged"}]))
    record = RunRecord.read(tmp_path)
    assert record.paths == {"a.png": Path("/smears/a.png")}
    assert (record.page, record.scores, record.said["date"]) == (2, {"nucleus": 0.4}, "today")
    assert record.files == ["cells.csv"]
    assert record.errors == [{"file": "b.png", "error": "damaged"}]


@pytest.mark.parametrize("text", [None, "{}", '{"page": null}'])
def test_what_a_record_lacks_is_unknown(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    record = RunRecord.read(tmp_path)
    assert (record.paths, record.page, record.scores, record.errors) == ({}, None, {}, [])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", [], "it must be an object"),
        ("run.json", {"images": {}}, "images must be a list"),
        ("run.json", {"images": ["a.png"]}, "each of its rows must be an object, not 'a.png'"),
        ("run.json", {"images": [{"name": "a.png"}]}, "path must be text, not None"),
        ("run.json", {"images": [IMAGE | {"notes": "a note"}]}, "notes must be a list"),
        ("run.json", {"files": "cells.csv"}, "files must be a list"),
        ("run.json", {"files": [1]}, "each of its files must be text, not 1"),
        ("run.json", {"page": "2"}, "page must be a whole number, not '2'"),
        ("run.json", {"scores": [0.5]}, "scores must be an object"),
        ("run.json", {"scores": {"nucleus": None}}, "scores: nucleus must be a number"),
        ("errors.json", {}, "it must be a list"),
        ("errors.json", [{"file": "b.png"}], "error must be text"),
    ],
)
def test_what_is_no_record_is_refused_by_file_and_field(
    tmp_path: Path, name: str, content: Any, message: str
) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(InputError) as refused:
        RunRecord.read(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / name}: no record of a run: {message}")


def test_a_damaged_record_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"images":\n[}')
    with pytest.raises(InputError, match=r"run\.json, line 2, column 2: not valid JSON"):
        RunRecord.read(tmp_path)


@pytest.mark.parametrize(
    ("files", "source", "made"),
    [
        (["predictions.json"], "", "cells.csv"),
        (["predictions.json", "corrected.json"], "predictions.json", "cells.csv"),
        (["predictions.json", "corrected.json"], "corrected.json", "corrected-cells.csv"),
        (["predictions.json", "annotations.json"], "annotations.json", "annotations-cells.csv"),
        (["annotations.json", "val.json"], "annotations.json", "cells.csv"),
        (["annotations.json", "val.json"], "val.json", "val-cells.csv"),
        (["cells.json"], "cells.json", "cells.csv"),
        (["train.json", "val.json"], "train.json", "train-cells.csv"),
    ],
)
def test_what_is_made_from_another_file_of_a_folder_lies_beside(
    tmp_path: Path, files: list[str], source: str, made: str
) -> None:
    for name in files:
        (tmp_path / name).write_text("{}")
    assert made_from(tmp_path / source, "cells.csv") == tmp_path / made


def test_nothing_made_from_a_file_lies_over_it(tmp_path: Path) -> None:
    (tmp_path / "corrected.json").write_text("{}")  # alone, it is what its folder stands for
    made = made_from(tmp_path / "corrected.json", "corrected.json")
    assert made == tmp_path / "corrected-corrected.json"
    assert made_from(tmp_path / "corrected.json", "cells.csv") == tmp_path / "cells.csv"
