"""Files that the first version wrote, before later settings came, are still read.

Weights are built from the header that stands here as text, with tensors of its names, shapes and types.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from irnet.data.coco.found import read_found
from irnet.data.coco.run_record import RunRecord
from irnet.errors import InputError
from irnet.inference.tensors import write_tensors
from irnet.inference.weights import load_weights, start_from
from irnet.study.make import make
from irnet.study.record import Options, open_study
from irnet.training.card import WeightsFile, render_card
from irnet.training.log import LOG_NAME, read_log
from irnet.training.run import LAST, settings_of
from irnet.verbs.measure import measure_files
from irnet.verbs.report import write_report

HERE = Path(__file__).parent
HEADER: dict[str, Any] = json.loads((HERE / "weights.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run: its best weights, its log, and of its last checkpoint the header."""
    folder = tmp_path_factory.mktemp("run")
    tensors = {
        name: torch.full(shape, 0.01, dtype=getattr(torch, kind))
        for name, (kind, *shape) in HEADER["tensors"].items()
    }
    write_tensors(folder / "best.safetensors", tensors, HEADER["meta"])
    state = HEADER["checkpoint"] | {"settings": HEADER["meta"]["settings"]}
    write_tensors(folder / LAST, {"model/none": torch.zeros(1)}, state)
    shutil.copy(HERE / LOG_NAME, folder)
    return folder


def test_weights_are_loaded_and_started_from(run: Path):
    network, settings, trained = load_weights(run)
    assert settings.model.fpn_width == 64
    assert trained["step"] == 2
    names = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert names == {name: shape for name, (_, *shape) in HEADER["tensors"].items()}
    assert start_from(network, str(run), settings)["fresh"] == []
    assert settings_of(run).train.steps == settings.train.steps


def test_a_setting_that_is_none_any_more_may_not_say_otherwise(tmp_path: Path):
    settings = json.loads(json.dumps(HEADER["meta"]["settings"]))
    settings["model"]["box_iou"] = 0.4
    path = tmp_path / "other.safetensors"
    write_tensors(path, {"none": torch.zeros(1)}, HEADER["meta"] | {"settings": settings})
    with pytest.raises(InputError, match=r"other\.safetensors: model\.box_iou = 0\.4: no setting any more"):
        load_weights(path)


def test_the_card_is_written_anew(run: Path):
    log = read_log(run)
    assert [line["kind"] for line in log] == ["train", "train", "validation"]
    assert "2 of 2" in render_card(WeightsFile.read(run / "best.safetensors"), log)


def test_what_was_found_is_read_measured_and_shown(tmp_path: Path):
    folder = Path(shutil.copytree(HERE / "found", tmp_path / "found"))
    entries = read_found(folder)
    assert [len(entry.content.cells) for entry in entries] == [6, 5]
    assert RunRecord.read(folder).scores == {"cytoplasm": 0.05, "nucleus": 0.05}
    columns = (folder / "cells.csv").read_text().partition("\n")[0]
    assert (measure_files(folder).rows, len(write_report(folder).missing)) == (11, 2)  # without its pictures
    assert (folder / "cells.csv").read_text("utf-8-sig").startswith(columns)


def test_the_page_of_scores_is_made_of_an_earlier_summary(tmp_path: Path):
    folder = Path(shutil.copytree(HERE / "scored", tmp_path / "scored"))
    write_report(folder)
    assert "AJI" in (folder / "report.html").read_text()


def test_a_study_goes_on_and_its_table_is_made_anew(tmp_path: Path):
    folder = Path(shutil.copytree(HERE / "study", tmp_path / "study"))
    study = open_study(HERE / "annotations.json", folder)
    assert study.settings.predict.bare_ground == 0  # cells on bare ground were not left out then
    made = make("table1", study, keys="maskrcnn,irnet", device="cpu", say=lambda _: None)
    assert not made.missing
    assert "| IRNet |" in made.page
    with pytest.raises(InputError, match=r"settings\.train\.lr was 0\.001 and is 1\.0"):
        open_study(HERE / "annotations.json", folder, Options(overrides=("data.crop=64", "train.lr=1")))
