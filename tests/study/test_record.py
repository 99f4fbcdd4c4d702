"""study.json is written once, and a call that differs from it is refused with the reason."""

import json
import logging
import shutil
from dataclasses import replace

import pytest

from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.coco.split import split
from irnet.data.files import sha256
from irnet.errors import InputError
from irnet.study.record import RECORD, SPLIT, Options, open_study
from irnet.training.sources import open_source

TINY = Options(size="tiny")


@pytest.fixture
def opened(circles, tmp_path):
    return open_study(circles, tmp_path / "out", TINY)


def test_the_record_holds_what_the_result_depends_on(opened, circles):
    record = json.loads((opened.out / RECORD).read_text())
    assert record == opened.record
    assert record["data"]["files"] == {"annotations.json": sha256(circles / "annotations.json")}
    assert record["data"]["generator"] == {"version": None, "seed": 7}
    assert record["data"]["images"] == {"train": 2, "val": 2, "test": 2}
    assert (record["size"], record["seeds"], record["protocol"]) == ("tiny", 3, "forked")
    assert (record["trunk_steps"], record["steps"]) == (40, 40)
    assert record["trunk"] == {"source": "trained", "sha256": None}


def test_options_left_open_are_those_of_the_beginning(circles, tmp_path):
    begun = open_study(circles, tmp_path, Options(size="tiny", seeds=2, overrides=("data.crop=64",)))
    again = open_study(circles, tmp_path)
    assert again.record == begun.record
    assert again.settings == begun.settings
    assert again.recipe("train.seed=5").train.seed == 5
    assert again.recipe().data.crop == 64


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (Options(seeds=5), "seeds was 3 and is 5"),
        (Options(steps=7), "steps was 40 and is 7"),
        (Options(overrides=("train.lr=1",)), r"settings.train.lr was 0.001 and is 1.0"),
        (Options(protocol="scratch"), "protocol was 'forked' and is 'scratch'"),
    ],
)
def test_another_study_is_refused(opened, circles, options, reason):
    with pytest.raises(InputError, match=reason):
        open_study(circles, opened.out, options)


def test_other_data_is_refused(opened, circles, tmp_path):
    data = json.loads((circles / "annotations.json").read_text())
    data["annotations"].pop()
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    (tmp_path / "images").symlink_to(circles / "images")
    with pytest.raises(InputError, match=f"^{tmp_path}: not the data that .* was started with, {circles} as"):
        open_study(tmp_path, opened.out)


def test_other_pictures_of_the_same_list_are_refused(circles, tmp_path):
    copied = tmp_path / "data"
    shutil.copytree(circles, copied)
    opened = open_study(copied, tmp_path / "out", TINY)
    pictures = sorted((copied / "images").iterdir())
    pictures[0].write_bytes(pictures[1].read_bytes())
    with pytest.raises(InputError, match=f"^{copied}: not the data that"):
        open_study(copied, opened.out)

    record = json.loads((opened.out / RECORD).read_text())
    del record["data"]["images_sha256"]  # of a version that did not note it
    (opened.out / RECORD).write_text(json.dumps(record))
    assert open_study(copied, opened.out).record == record


def test_the_data_may_have_moved(opened, circles, tmp_path):
    (tmp_path / "moved").symlink_to(circles)
    assert open_study(tmp_path / "moved", opened.out).record == opened.record


def test_data_left_open_is_that_of_the_beginning(opened, circles, tmp_path):
    assert open_study(None, opened.out).data == circles
    with pytest.raises(InputError, match=r"this folder holds no study: .* with --data"):
        open_study(None, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_data_that_is_gone_is_asked_for(opened, tmp_path):
    path = opened.out / RECORD
    path.write_text(json.dumps(opened.record | {"data": {"path": str(tmp_path / "gone")}}))
    with pytest.raises(InputError, match=r"gone: the data of .* is not there: name its place with --data"):
        open_study(None, opened.out)


def test_every_row_trains_on_the_part_that_is_kept(opened, circles):
    kept = json.loads((opened.out / SPLIT).read_text())
    assert sorted(name for part in kept.values() for name in part) == [f"{i}.png" for i in range(6)]
    source = open_source(opened.recipe(), circles)
    assert source.identity["images"] == len(kept["train"])
    assert [sample.name for sample in source.read_validation(0, 1)] == kept["val"]


def test_a_study_of_fewer_fields_trains_on_those_and_no_other(circles, tmp_path):
    study = open_study(circles, tmp_path / "out", Options(size="tiny", overrides=("data.fields=1",)))
    assert study.record["data"]["images"] == {"train": 1, "val": 2, "test": 2}
    assert [e.name for e in open_source(study.recipe(), circles).crops.source] == study.parts.names()["train"]
    with pytest.raises(InputError, match="not the data that"):
        open_study(circles, tmp_path / "out", Options(size="tiny", overrides=()))


def test_where_data_is_scarce_rows_start_from_imagenet(circles, tmp_path):
    record = open_study(circles, tmp_path, Options(size="scarce")).record
    assert (record["protocol"], record["trunk"], record["steps"]) == ("scratch", None, 3000)


def test_a_split_set_keeps_its_parts(circles, tmp_path):
    (tmp_path / "annotations.json").write_bytes((circles / "annotations.json").read_bytes())
    (tmp_path / "images").symlink_to(circles / "images")
    split(tmp_path, ratios=(1, 1, 1), seed=3)
    study = open_study(tmp_path, tmp_path / "out", TINY)
    assert [*study.record["data"]["files"]] == ["train.json", "val.json", "test.json"]
    assert {part: len(names) for part, names in study.parts.names().items()} == {
        "train": 2,
        "val": 2,
        "test": 2,
    }


def test_a_missing_part_is_refused(circles, tmp_path):
    (tmp_path / "train.json").write_bytes((circles / "annotations.json").read_bytes())
    with pytest.raises(InputError, match=r"no val.json, test.json"):
        open_study(tmp_path, tmp_path / "out", TINY)


def test_an_image_or_a_patient_in_two_parts_is_refused(circles, tmp_path):
    (tmp_path / "images").symlink_to(circles / "images")
    entries = read_coco(circles)
    for part, some in (("train", entries[:3]), ("val", entries[3:5]), ("test", entries[5:])):
        write_coco(tmp_path / f"{part}.json", some)
    with pytest.raises(InputError, match="patient p1 is in train and in val"):
        open_study(tmp_path, tmp_path / "out", TINY)

    nameless = [replace(entry, patient=None) for entry in entries]
    for part, some in (("train", nameless[:4]), ("val", nameless[4:5]), ("test", nameless[3:4])):
        write_coco(tmp_path / f"{part}.json", some)
    with pytest.raises(InputError, match=rf"image {entries[3].name} is in train and in test"):
        open_study(tmp_path, tmp_path / "out", TINY)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (Options(size="tiny", protocol="scratch", trunk_steps=5), "scratch knows no trunk"),
        (Options(size="tiny", trunk="bundled", trunk_steps=5), "names a trained trunk"),
        (Options(size="tiny", overrides=("train.seed=4",)), "use --steps and --seeds"),
        (Options(size="tiny", overrides=("train.sead=4",)), "train.sead"),
    ],
)
def test_options_that_mean_nothing(circles, tmp_path, options, reason):
    with pytest.raises(InputError, match=reason):
        open_study(circles, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_from_scratch_every_row_takes_the_bases_steps_too(circles, tmp_path):
    record = open_study(circles, tmp_path, Options(size="tiny", protocol="scratch")).record
    assert (record["trunk"], record["trunk_steps"], record["steps"]) == (None, 0, 80)


def test_a_base_that_is_given_is_known_by_its_hash(circles, tmp_path):
    from irnet.inference.tensors import write_tensors

    digests = [write_tensors(tmp_path / name, {}, {"n": name}) for name in ("a.safetensors", "b.safetensors")]
    options = Options(size="tiny", trunk=str(tmp_path / "a.safetensors"))
    record = open_study(circles, tmp_path / "out", options).record
    assert record["trunk"] == {"source": "a.safetensors", "sha256": digests[0]}
    with pytest.raises(InputError, match=r"trunk.sha256 was"):
        open_study(circles, tmp_path / "out", Options(trunk=str(tmp_path / "b.safetensors")))


def test_a_folder_of_something_else(circles, tmp_path):
    (tmp_path / RECORD).write_text("[]")
    with pytest.raises(InputError, match="no record of a study"):
        open_study(circles, tmp_path)


def test_images_without_patients_are_split_with_a_warning(circles, tmp_path, caplog):
    data = json.loads((circles / "annotations.json").read_text())
    for image in data["images"]:
        del image["patient"]
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    (tmp_path / "images").symlink_to(circles / "images")
    with caplog.at_level(logging.WARNING):
        open_study(tmp_path, tmp_path / "out", TINY)
    assert "split one by one" in caplog.text
