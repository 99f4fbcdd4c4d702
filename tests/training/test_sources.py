"""Where training images come from."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from irnet.cells import NUCLEUS, Content
from irnet.config import Settings, change_settings, load_recipe
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.coco.split import split
from irnet.data.files import sha256
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.synthetic.smear import VERSION
from irnet.training.generated import GeneratedFields
from irnet.training.sources import open_source, split_entries, with_known_scale

SMALL = ["data.source=generated", "data.generated.size=200", "data.generated.mpp=0.37"]


@pytest.fixture
def generated() -> Settings:
    return load_recipe("tiny", [*SMALL, "data.generated.reuse=3", "train.validate_images=2"])


def test_patients_are_on_one_side(circles: Path, tiny: Settings):
    source = open_source(tiny, circles)
    training = {entry.patient for entry in source.crops.source}
    validation = {sample.patient for sample in source.read_validation(0, 1)}
    assert len(training) == len(validation) == 1
    assert not training & validation
    assert len(source.identity["sha256"]) == 64
    assert source.facts["training"] == {"images": 2, "patients": 1}
    assert source.facts["validation"] == {"images": 2, "patients": 1}
    assert source.facts["held_back"]


def test_a_split_on_disk_is_used(circles: Path, tiny: Settings, tmp_path: Path):
    (tmp_path / "images").symlink_to(circles / "images")
    entries = read_coco(circles)
    for name, part in (("annotations", entries), ("train", entries[:5]), ("val", entries[5:])):
        write_coco(tmp_path / f"{name}.json", part)
    for data in (tmp_path, tmp_path / "train.json"):
        source = open_source(tiny, data)
        assert len(source.crops.source) == 5
        assert [sample.name for sample in source.read_validation(0, 1)] == ["5.png"]
        assert source.facts["files"] == {
            f"{tmp_path.name}/{name}": sha256(tmp_path / name) for name in ("train.json", "val.json")
        }
    write_coco(tmp_path / "val.json", entries[4:])
    assert open_source(tiny, tmp_path).identity != source.identity


def _review(circles: Path, folder: Path, *, finished: Sequence[int] = (), missing: bool = False) -> Path:
    """The circles as predictions of which half was accepted; the others may not even be in the file."""
    folder.mkdir()
    (folder / "images").symlink_to(circles / "images")
    data = json.loads((circles / "annotations.json").read_text())
    for place, row in enumerate(data["images"]):
        row["finished"] = place in finished
    for place, row in enumerate(data["annotations"]):
        row |= {"origin": "predicted", "cell_id": None} | ({"accepted": True} if place % 2 else {})
    if missing:
        data["annotations"] = [row for row in data["annotations"] if "accepted" in row]
    (folder / "corrected.json").write_text(json.dumps(data))
    return folder / "corrected.json"


def test_a_missing_cell_of_an_unfinished_image_changes_nothing(circles: Path, tiny: Settings, tmp_path: Path):
    begun = open_source(tiny, _review(circles, tmp_path / "a", finished=[0, 1, 2, 3, 4]))
    fewer = open_source(tiny, _review(circles, tmp_path / "b", finished=[0, 1, 2, 3, 4], missing=True))
    unfinished = 0
    for number in range(24):
        (image, one), (other_image, other) = begun.crops[number], fewer.crops[number]
        if len(one["ignore"]):
            unfinished += 1
            assert torch.equal(image, other_image)
            assert all(torch.equal(one[name], other[name]) for name in one)
    assert unfinished


def test_unfinished_images_are_for_training_alone(circles: Path, tiny: Settings, tmp_path: Path, caplog):
    source = open_source(tiny, _review(circles, tmp_path / "a", finished=[0, 1, 2, 3, 4]))
    scored = {entry.name for entry in read_coco(tmp_path / "a" / "corrected.json") if entry.scored}
    validated = {sample.name for sample in source.read_validation(0, 1)}
    assert set() < validated < scored
    caplog.clear()
    alone = open_source(tiny, _review(circles, tmp_path / "b"))
    assert len(alone.crops.source) == 6
    assert alone.read_validation(0, 1) == []
    assert "nobody finished an image to validate on: thresholds stay those" in caplog.text
    assert "nobody finished an image to train on: nothing says what is ground" in caplog.text


def test_fewer_fields_are_a_part_of_more_and_of_fewer_patients(circles: Path, tiny: Settings, tmp_path: Path):
    (tmp_path / "images").symlink_to(circles / "images")
    entries = read_coco(circles)
    write_coco(tmp_path / "train.json", entries[:4])  # two of each of two patients
    write_coco(tmp_path / "val.json", entries[4:])
    taken = [_trained_on(tiny, tmp_path, count) for count in (1, 2, 3, 4)]
    names = [{entry.name for entry in some} for some in taken]
    assert names[0] < names[1] < names[2] < names[3] == {entry.name for entry in entries[:4]}
    assert [len({entry.patient for entry in some}) for some in taken] == [1, 1, 2, 2]

    identities = [open_source(_with_fields(tiny, count), tmp_path).identity for count in (0, 3)]
    assert [identity["images"] for identity in identities] == [4, 3]
    with pytest.raises(InputError, match=r"data.fields = 5: the training part has 4 images; name fewer"):
        _trained_on(tiny, tmp_path, 5)


def test_fewer_fields_of_few_patients_hold_nothing_back(circles: Path, tiny: Settings, tmp_path: Path):
    (tmp_path / "images").symlink_to(circles / "images")
    write_coco(tmp_path / "annotations.json", read_coco(circles)[:2])
    source = open_source(_with_fields(tiny, 1), tmp_path)
    assert len(source.crops.source) == 1
    assert not source.facts["held_back"]


def _with_fields(settings: Settings, count: int) -> Settings:
    return change_settings(settings, [f"data.fields={count}"])


def _trained_on(settings: Settings, data: Path, count: int) -> Sequence[Entry]:
    source = open_source(_with_fields(settings, count), data).crops.source
    assert not callable(source)
    return source


def test_few_patients_are_all_trained_on(
    circles: Path, tiny: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "images").symlink_to(circles / "images")
    write_coco(tmp_path / "annotations.json", read_coco(circles)[:1])
    source = open_source(tiny, tmp_path)
    assert len(source.crops.source) == len(source.read_validation(0, 1)) == 1
    assert "nothing is held back" in caplog.text
    assert "no image is left to test" in caplog.text
    assert not source.facts["held_back"]


def test_what_is_said_of_own_images_is_taken(circles: Path, tiny: Settings, tmp_path: Path):
    (tmp_path / "images").symlink_to(circles / "images")
    bare = [_without_scale(replace(entry, patient=None)) for entry in read_coco(circles)]
    write_coco(tmp_path / "annotations.json", bare)
    names = [entry.name for entry in bare]
    table = tmp_path / "patients.csv"
    table.write_text("".join(f"{name};{'abc'[place % 3]}\n" for place, name in enumerate(names)))

    source = open_source(tiny, tmp_path, OwnData(0.5, str(table)))
    training = source.crops.source
    assert {entry.content.cells.mpp for entry in training} == {0.5}
    assert len({entry.patient for entry in training}) == source.facts["training"]["patients"] == 1
    assert source.facts["scale"] == {"given": 0.5, "known": [0.5], "unknown": 0}
    assert with_known_scale(tiny, source) == tiny

    table.write_text("".join(f"{name};a\n" for name in names))
    identities = [
        open_source(tiny, tmp_path, own).identity for own in (OwnData(), OwnData(0.5), OwnData(0.4))
    ]
    identities += [open_source(tiny, tmp_path, OwnData(0.5, str(table))).identity, source.identity]
    assert all(one != other for i, one in enumerate(identities) for other in identities[:i])


def test_a_network_claims_no_scale_that_nobody_gave(
    circles: Path, tiny: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "images").symlink_to(circles / "images")
    entries = read_coco(circles)
    write_coco(tmp_path / "annotations.json", [_without_scale(entry) for entry in entries])
    source = open_source(tiny, tmp_path)
    assert tiny.data.mpp
    assert with_known_scale(tiny, source).data.mpp == 0
    assert "the network has no scale. Give --mpp" in caplog.text

    known = [
        replace(entry, content=replace(entry.content, cells=replace(entry.content.cells, mpp=0.4)))
        for entry in entries
    ]
    unknown = source.crops.source[0].name  # one of the training images
    mixed = [_without_scale(entry) if entry.name == unknown else entry for entry in known]
    write_coco(tmp_path / "annotations.json", mixed)
    source = open_source(tiny, tmp_path)
    assert with_known_scale(tiny, source) == tiny
    assert source.facts["scale"] == {"given": None, "known": [0.4], "unknown": 1}
    assert "of 1 training image are unknown: taken as they are, beside others brought to" in caplog.text


def _without_scale(entry: Entry) -> Entry:
    content = replace(entry.content, cells=replace(entry.content.cells, mpp=None))
    return replace(entry, content=content)


def test_a_patient_on_both_sides_is_told(
    circles: Path, tiny: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "images").symlink_to(circles / "images")
    entries = read_coco(circles)
    for part, images in (("train", entries[:4]), ("val", entries[4:])):
        write_coco(tmp_path / f"{part}.json", images)
    open_source(tiny, tmp_path, OwnData(patients=r"\.(png)"))
    assert "1 patient on both sides" in caplog.text


def test_images_on_both_sides_are_told(
    circles: Path, tiny: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "images").symlink_to(circles / "images")
    nameless = [replace(entry, patient=None) for entry in read_coco(circles)]
    for part, images in (("train", nameless), ("val", nameless[4:])):
        write_coco(tmp_path / f"{part}.json", images)
    source = open_source(tiny, tmp_path)
    assert "2 images on both sides: validation sees what is trained on" in caplog.text
    assert source.facts["held_back"] is False


def test_a_split_of_what_was_corrected_since_is_told(
    circles: Path, tiny: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "images").symlink_to(circles / "images")
    whole = tmp_path / "annotations.json"
    whole.write_bytes((circles / "annotations.json").read_bytes())
    split(whole)
    open_source(tiny, tmp_path)
    assert "which are taken" not in caplog.text

    rows = json.loads(whole.read_text())
    rows["annotations"].pop()
    whole.write_text(json.dumps(rows))
    open_source(tiny, tmp_path)
    assert "1 annotation of annotations.json are others in" in caplog.text


def test_validation_without_annotations_is_refused(circles: Path, tiny: Settings, tmp_path: Path):
    (tmp_path / "images").symlink_to(circles / "images")
    entries = read_coco(circles)
    empty = replace(entries[5], content=Content(cells=entries[5].content.cells.select([])))
    for part, images in (("train", entries[:5]), ("val", [empty])):
        write_coco(tmp_path / f"{part}.json", images)
    with pytest.raises(InputError, match="validation: no annotated cell"):
        open_source(tiny, tmp_path)


@pytest.mark.parametrize(("shares", "sizes"), [([0.7, 0.3, 0.0], (4, 2)), ([1.0, 0.0, 0.0], (6, 6))])
def test_parts_may_be_left_out(circles: Path, tiny: Settings, shares: list[float], sizes: tuple[int, int]):
    data = tiny.data.model_copy(update={"split": tuple(shares)})
    train = tiny.train.model_copy(update={"validate_images": 9})
    source = open_source(tiny.model_copy(update={"data": data, "train": train}), circles)
    assert (len(source.crops.source), len(source.read_validation(0, 1))) == sizes


def test_without_a_validation_part_the_test_part_is_left_alone(circles: Path, tiny: Settings):
    data = tiny.data.model_copy(update={"split": (0.6, 0.0, 0.4)})
    source = open_source(tiny.model_copy(update={"data": data}), circles)
    parts = split_entries(read_coco(circles), data)
    crops = source.crops.source
    assert not callable(crops)
    trained = {entry.name for entry in crops}
    assert trained == {entry.name for entry in parts["train"]}
    assert not trained & {entry.name for entry in parts["test"]}
    assert not source.facts["held_back"]


def test_validation_images_are_limited_and_shared_out(circles: Path, tiny: Settings):
    many = tiny.model_copy(update={"train": tiny.train.model_copy(update={"validate_images": 1})})
    source = open_source(many, circles)
    assert [len(source.read_validation(rank, 2)) for rank in range(2)] == [1, 0]


def test_files_need_a_data_set(tiny: Settings):
    with pytest.raises(InputError, match=r"data\.source"):
        open_source(tiny, None)


def test_a_field_serves_several_crops(generated: Settings):
    fields = GeneratedFields(generated.data.generated, seed=1)
    first = fields(0)
    assert fields(2) is first
    assert not np.array_equal(fields(3)[0], first[0])
    assert np.array_equal(GeneratedFields(generated.data.generated, seed=1).draw(0)[0], first[0])


def test_generated_crops_and_validation_fields_differ(generated: Settings):
    source = open_source(generated, None)
    assert source.reuse == 3
    image, target = source.crops[5]
    assert image.shape == (3, 128, 128)
    assert len(target["boxes"]) == len(target["labels"])
    samples = source.read_validation(0, 1)
    assert [sample.name for sample in samples] == ["generated-100000", "generated-100001"]
    assert json.dumps(source.identity)


def test_another_generator_makes_other_data(generated: Settings, monkeypatch: pytest.MonkeyPatch):
    now = open_source(generated, None).identity
    monkeypatch.setattr("irnet.training.generated.VERSION", VERSION + 1)
    assert open_source(generated, None).identity != now


def test_fields_are_composed_of_cutouts(circles: Path):
    asked = [*SMALL, "data.generated.composed=1.0", f"data.generated.cutouts={circles}"]
    fields = GeneratedFields(load_recipe("tiny", asked).data.generated, seed=0)
    assert fields.cutouts
    image, truth = fields.draw(0)
    assert image.shape == (200, 200, 3)
    assert np.array_equal(image, fields.draw(0)[0])
    assert truth.cells.mpp == 0.37
    source = open_source(load_recipe("tiny", asked), None)
    assert source.identity["generator"] == VERSION
    assert source.identity["cutouts_sha256"] == sha256(circles / "annotations.json")
    assert source.facts["cutouts"] == {
        "file": f"{circles.name}/annotations.json",
        "sha256": sha256(circles / "annotations.json"),
        "cells": len(fields.cutouts),
    }


def test_cutouts_are_needed_to_compose(circles: Path, tmp_path: Path):
    (tmp_path / "images").symlink_to(circles / "images")
    entry = read_coco(circles)[0]
    nuclei = replace(entry, content=replace(entry.content, cells=entry.content.cells.of(NUCLEUS)))
    write_coco(tmp_path / "annotations.json", [nuclei])
    asked = [*SMALL, "data.generated.composed=0.5", f"data.generated.cutouts={tmp_path}"]
    with pytest.raises(InputError, match="no annotated cell"):
        open_source(load_recipe("tiny", asked), None)


@pytest.mark.parametrize("split", [False, True])
def test_a_set_of_which_nothing_was_reviewed_says_so(
    split: bool, circles: Path, tiny: Settings, tmp_path: Path
) -> None:
    empty = [
        replace(entry, content=Content(cells=entry.content.cells.select([]), annotated=frozenset()))
        for entry in read_coco(circles)
    ]
    (tmp_path / "images").symlink_to(circles / "images")
    for name, part in (("train", empty[:4]), ("val", empty[4:])) if split else (("annotations", empty),):
        write_coco(tmp_path / f"{name}.json", part)
    with pytest.raises(InputError, match=r"in [46] images: nobody accepted.*irnet view.*export again"):
        open_source(tiny, tmp_path)
