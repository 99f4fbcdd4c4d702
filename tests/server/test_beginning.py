"""A set of images to annotate from nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from irnet.data.coco.coco import read_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.errors import InputError
from irnet.server.beginning import begin
from irnet.server.store import Review


@pytest.fixture
def smears(tmp_path: Path) -> Path:
    for name, side in (("a.png", 40), ("b.png", 50)):
        write_atomic(tmp_path / "smears" / name, to_png(np.full((side, 60, 3), side, np.uint8)))
    return tmp_path / "smears"


def test_a_set_without_a_cell_is_begun_and_gone_on_with(smears: Path, tmp_path: Path) -> None:
    assert begin([smears], tmp_path / "set", 0.25) == ([f"2 images to annotate in {tmp_path / 'set'}"], 0)
    entries = read_coco(tmp_path / "set")
    assert [entry.name for entry in entries] == ["a.png", "b.png"]
    assert [len(entry.content.cells) for entry in entries] == [0, 0]
    assert entries[0].content.cells.mpp == 0.25
    assert entries[0].read().image.shape == (40, 60, 3)
    assert len(Review(tmp_path / "set").fields) == 2

    before = (tmp_path / "set" / "annotations.json").read_bytes()
    assert "going on" in begin([smears / "b.png"], tmp_path / "set", 0.25).lines[0]
    with pytest.raises(InputError, match=r"begun with other um per pixel than 0\.5"):
        begin([smears], tmp_path / "set", 0.5)
    assert (tmp_path / "set" / "annotations.json").read_bytes() == before


def test_other_images_need_another_folder(smears: Path, tmp_path: Path) -> None:
    begin([smears / "a.png"], tmp_path / "set")
    with pytest.raises(InputError, match=r"without b\.png: name a new folder"):
        begin([smears], tmp_path / "set")


def test_another_image_of_a_name_is_never_overwritten(smears: Path, tmp_path: Path) -> None:
    mine = tmp_path / "set" / "images" / "b.png"
    write_atomic(mine, b"mine")
    with pytest.raises(InputError, match=r"b\.png is there and is another file"):
        begin([smears], tmp_path / "set")
    assert [*mine.parent.iterdir()] == [mine]
    assert mine.read_bytes() == b"mine"

    mine.unlink()
    begin([smears], tmp_path / "set")
    (smears / "b.png").write_bytes((smears / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"b\.png is there and is another file"):
        begin([smears], tmp_path / "set")


def test_what_cannot_be_begun_is_refused(smears: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.png").write_bytes((smears / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"a\.png is the name of several images"):
        begin([smears, tmp_path / "more"], tmp_path / "set")
    with pytest.raises(InputError, match="um per pixel is out of range"):
        begin([smears], tmp_path / "set", 99)
    with pytest.raises(InputError, match="no such file"):
        begin([tmp_path / "nowhere"], tmp_path / "set")

    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "predictions.json").write_text("{}")
    with pytest.raises(InputError, match="holds predictions: correct them with irnet view"):
        begin([smears], tmp_path / "found")

    (smears / "c.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"none of 1 image can be read: .*c\.png"):
        begin([smears / "c.png"], tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_an_image_that_cannot_be_read_is_left_out_and_listed(smears: Path, tmp_path: Path) -> None:
    (smears / "aa.png").write_bytes((smears / "b.png").read_bytes()[:60])
    lines, code = begin([smears], tmp_path / "set")
    assert code == 3
    assert lines[0].startswith("left out: ")
    assert "aa.png" in lines[0]
    assert lines[1].startswith("2 images to annotate")
    listed = json.loads((tmp_path / "set" / "errors.json").read_text())
    assert [row["file"] for row in listed] == [str(smears / "aa.png")]
    assert [entry.name for entry in read_coco(tmp_path / "set")] == ["a.png", "b.png"]
    assert len(Review(tmp_path / "set").fields) == 2

    again = begin([smears], tmp_path / "set")
    assert (again.lines[0], again.exit_code) == (lines[0], 3)

    (smears / "aa.png").write_bytes((smears / "b.png").read_bytes())
    mended = begin([smears], tmp_path / "set")
    assert mended.lines[0] == f"left out: {smears / 'aa.png'} can be read now: name a new folder for it"
    assert mended.exit_code == 3
    assert begin([smears / "a.png"], tmp_path / "set").exit_code == 0
