"""The split keeps patients whole, is the same everywhere and never overwrites."""

import json
import logging
from collections import Counter
from pathlib import Path

import pytest

from irnet.data.coco.coco import read_coco
from irnet.data.coco.split import PARTS, assign_parts, parse_ratios, split
from irnet.errors import InputError


def write(folder: Path, patients: list[str | None]) -> Path:
    images = [
        {"id": i, "file_name": f"{i}.png", "height": 4, "width": 4, "stain": "pap"}
        | ({} if patient is None else {"patient": patient})
        for i, patient in enumerate(patients)
    ]
    annotations = [
        {"id": i, "image_id": i, "category_id": 1, "segmentation": {"size": [4, 4], "counts": [i, 16 - i]}}
        for i in range(min(len(patients), 12))
    ]
    data = {"info": {"year": 1}, "images": images, "annotations": annotations}
    path = folder / "annotations.json"
    path.write_text(json.dumps(data | {"categories": [{"id": 1, "name": "cytoplasm"}]}))
    return path


@pytest.mark.parametrize(
    ("total", "counts"),
    [(3, (1, 1, 1)), (4, (2, 1, 1)), (10, (7, 1, 2)), (82, (58, 8, 16)), (413, (289, 41, 83))],
)
def test_numbers_follow_the_largest_remainder(total: int, counts: tuple[int, ...]) -> None:
    found = Counter(assign_parts([str(i) for i in range(total)]).values())
    assert tuple(found[part] for part in PARTS) == counts


def test_every_image_falls_into_one_part_with_its_patient(tmp_path: Path) -> None:
    patients = [f"p{i % 11}" for i in range(40)]
    written = split(write(tmp_path, patients), seed=3)
    parts = {part: read_coco(file.path) for part, file in written.items()}
    names = [entry.name for entries in parts.values() for entry in entries]
    assert sorted(names) == sorted(f"{i}.png" for i in range(40))
    seen = [{entry.patient for entry in entries} for entries in parts.values()]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 11
    assert sum(len(entry.content.cells) for entries in parts.values() for entry in entries) == 12
    for part, entries in parts.items():
        instances = sum(len(entry.content.cells) for entry in entries)
        told = (len(entries), len({entry.patient for entry in entries}), instances)
        assert written[part][1:] == told
    assert written["val"].counts().split(", ")[0] == f"{len(parts['val'])} images"


def test_patients_without_a_finished_image_are_for_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, [f"p{i // 2}" for i in range(20)])
    data = json.loads(path.read_text())
    for place, row in enumerate(data["images"]):
        row["finished"] = place in (2, 8, 9, 14)
    path.write_text(json.dumps(data))
    written = split(path)
    patients = {part: {entry.patient for entry in read_coco(file.path)} for part, file in written.items()}
    assert len(patients["val"]) == len(patients["test"]) == 1
    assert patients["val"] | patients["test"] < {"p1", "p4", "p7"}
    assert len(patients["train"]) == 8
    assert "7 patients without a finished image (or images that name no patient): for training" in caplog.text


@pytest.mark.parametrize("value", ["false", 0, []])
def test_finished_is_true_or_false(tmp_path: Path, value: object) -> None:
    path = write(tmp_path, ["a", "b", "c"])
    data = json.loads(path.read_text())
    data["images"][1]["finished"] = value
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"image .*: finished must be true or false"):
        split(path)
    assert not (tmp_path / "train.json").exists()


def test_what_we_do_not_know_is_kept(tmp_path: Path) -> None:
    paths = split(write(tmp_path, ["a", "b", "c"]))
    data = json.loads(paths["train"].path.read_text())
    assert data["info"] == {"year": 1}
    assert data["images"][0]["stain"] == "pap"


def test_the_split_depends_on_the_seed_and_not_on_the_order() -> None:
    keys = [f"patient {i}" for i in range(30)]
    assert assign_parts(keys, seed=1) == assign_parts(keys[::-1], seed=1)
    assert assign_parts(keys, seed=1) != assign_parts(keys, seed=2)


def test_the_split_is_the_same_on_every_machine() -> None:
    parts = assign_parts(list("abcdefgh"), seed=0)
    assert {key for key, part in parts.items() if part == "test"} == {"a", "h"}
    assert {key for key, part in parts.items() if part == "val"} == {"d"}


def test_images_without_patient_are_split_with_a_warning(tmp_path: Path, caplog) -> None:
    path = write(tmp_path, [None, None, None, "p"])
    with caplog.at_level(logging.WARNING):
        paths = split(path)
    assert "3 of 4 images name no patient" in caplog.text
    assert sum(len(read_coco(file.path)) for file in paths.values()) == 4


def test_patients_on_every_image_give_no_warning(tmp_path: Path, caplog) -> None:
    split(write(tmp_path, ["a", "b", "c"]))
    assert caplog.text == ""


def test_an_existing_part_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, ["a", "b", "c"])
    (tmp_path / "val.json").write_text("{}")
    with pytest.raises(InputError, match=r"val\.json exists"):
        split(path)
    with pytest.raises(InputError, match="ratios must be 3 numbers"):  # which stay wrong without it
        split(path, ratios=(7, 3))
    assert not (tmp_path / "train.json").exists()


def test_too_few_patients_and_odd_ratios_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ["a", "a", "a", "b"])
    with pytest.raises(
        InputError, match=r"annotations.json: each of train, val, test needs .*: found 2, at least 3"
    ):
        split(path)
    with pytest.raises(InputError, match=r"each of train, test needs .*: found 1, at least 2"):
        assign_parts(["a"], ratios=(7, 3), parts=("train", "test"))
    for ratios in ((7, 3), (7, 0, 3), (1, -1, 1), parse_ratios("7:nan:2"), parse_ratios("inf:1:1")):
        with pytest.raises(InputError, match="ratios must be 3 numbers"):
            assign_parts(["a", "b", "c"], ratios=ratios)
    with pytest.raises(InputError, match="--ratios '7,1,2'"):
        parse_ratios("7,1,2")


def test_a_patient_that_is_no_name_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, ["a", 1e12, "b"])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"annotations.json: image '1.png': patient must be"):
        split(path)


def test_a_number_that_json_cannot_hold_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path, [None] * 5)
    path.write_text(path.read_text().replace('"id": 4, "image_id"', '"area": 1e999, "id": 4, "image_id"'))
    with pytest.raises(InputError, match=r"annotations\.json: a number that is too large, in {.*'area': inf"):
        split(path)
    assert not [part for part in PARTS if (tmp_path / f"{part}.json").exists()]
