"""The CRIC collection: its table beside images, as a data set of points."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irnet.cells import NUCLEUS
from irnet.data.coco.coco import read_coco
from irnet.data.formats import convert, cric
from irnet.errors import InputError

HEADER = "image_id,image_filename,image_doi,cell_id,bethesda_system,nucleus_x,nucleus_y"
ROWS = ["1,a.png,10.1/1,7,HSIL,1,1", "1,a.png,10.1/1,8,LSIL,10,8", "2,b.png,10.1/2,9,SCC,5,5"]


def collection(folder: Path, rows: list[str] = ROWS, header: str = HEADER, images: str = "ab") -> Path:
    (folder / "base").mkdir(parents=True)
    for name in images:
        noise = np.random.default_rng(ord(name)).integers(0, 256, (8, 10, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "base" / f"{name}.png")
    (folder / "classifications.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_centres_and_classes_are_read(tmp_path: Path) -> None:
    first, second = cric.read(collection(tmp_path))
    assert [point.place for point in first.content.points] == [(0.5, 0.5), (9.5, 7.5)]
    assert [point.kind for point in first.content.points] == ["HSIL", "LSIL"]
    assert {point.label for point in second.content.points} == {NUCLEUS}
    assert not first.content.annotated
    assert not len(first.content.cells)


def test_a_row_that_stands_twice_is_one_nucleus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, _ = cric.read(collection(tmp_path, [*ROWS, ROWS[0]]))
    assert len(first.content.points) == 2
    assert "left out: 1" in caplog.text


def test_numbers_as_spreadsheets_write_them_are_read(tmp_path: Path) -> None:
    (entry,) = cric.read(collection(tmp_path, ["1,a.png,d,7,HSIL,5.0, 4"], images="a"))
    assert [point.place for point in entry.content.points] == [(4.5, 3.5)]


def test_it_becomes_a_data_set(tmp_path: Path) -> None:
    assert convert("cric", collection(tmp_path / "cric"), tmp_path / "out") == 2
    assert [len(entry.content.points) for entry in read_coco(tmp_path / "out")] == [2, 1]


def test_images_that_are_not_there_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert [entry.name for entry in cric.read(collection(tmp_path, images="b"))] == ["b.png"]
    assert "names: 1" in caplog.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": ["1,a.png,d,7,HSIL,one,1"]}, "line 2: .*whole numbers"),
        ({"rows": [f"1,a.png,d,7,HSIL,1,{'9' * 400}"]}, "line 2: .*whole numbers"),
        ({"rows": ["1,a.png,d,7,HSIL,11,1"]}, "nucleus_x 11 and nucleus_y 1 lie outside.*original images"),
        ({"rows": ["1,a.png,d,7,HSIL,0,1"]}, "line 2: .*whole numbers from 1 on, .* not '0' and '1'"),
        ({"rows": ["1,a.png,d,7,HSIL,5.5,1"]}, "line 2: .*whole numbers from 1 on, .* not '5.5' and '1'"),
        ({"rows": ["1,a.png,d,7,HSIL"]}, "line 2: .*whole numbers"),
        ({"header": HEADER.replace("nucleus_x", "x")}, "no column nucleus_x"),
        ({"rows": ["1,z.png,d,7,HSIL,1,1"]}, "none of the 1 images"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, change: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        cric.read(collection(tmp_path, **change))


def test_a_folder_without_the_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 tables"):
        cric.read(tmp_path)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    folder = collection(tmp_path)
    (folder / "copy").mkdir()
    (folder / "copy" / "a.png").write_bytes((folder / "base" / "a.png").read_bytes())
    with pytest.raises(InputError, match="same name"):
        cric.read(folder)
