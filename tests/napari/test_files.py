"""COCO json through napari's reader and writer."""

import json
from pathlib import Path

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.napari import files


def draw(name: str) -> Entry:
    masks = np.zeros((3, 40, 50), dtype=bool)
    masks[0, 5:30, 5:30] = masks[1, 10:16, 10:16] = masks[2, 15:38, 20:48] = True
    labels = [CYTOPLASM, NUCLEUS, CYTOPLASM]
    cells = Cells.from_dense(masks, labels, scores=[0.9, 0.8, 0.7], parents=[-1, 0, -1], mpp=0.3)
    return Entry(name=name, path=Path(name), content=Content(cells=cells))


@pytest.mark.parametrize("scores", [True, False])
def test_a_file_comes_back_as_it_was(tmp_path: Path, scores: bool):
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    write_coco(before, [draw("1.png"), draw("2.png")], scores=scores)
    read = files.get_reader(str(before))
    assert read is not None
    layers = read(str(before))
    assert [layer[1]["visible"] for layer in layers] == [True, True, False, False]
    picture = (np.zeros((40, 50)), {"name": "1.png"}, "image")
    assert files.write(str(after), [picture, *layers]) == [str(after)]
    assert after.read_bytes() == before.read_bytes()


def test_other_files_are_left_to_others(tmp_path: Path):
    for text in ("[1]", '{"images": []}', "no json", ""):
        (tmp_path / "x.json").write_text(text)
        assert files.get_reader(str(tmp_path / "x.json")) is None
    assert files.get_reader(str(tmp_path / "missing.json")) is None
    assert files.get_reader([str(tmp_path / "x.json")]) is None


def test_refusals(tmp_path: Path):
    path = tmp_path / "many.json"
    write_coco(path, [draw(f"{i}.png") for i in range(files.MOST_IMAGES + 1)])
    with pytest.raises(InputError, match="irnet view"):
        files.read(str(path))
    write_coco(path, [draw("1.png")])
    text = json.loads(path.read_text())
    text["annotations"][0]["segmentation"]["counts"] = "zz"
    path.write_text(json.dumps(text))
    with pytest.raises(InputError, match="annotation 1"):
        files.read(str(path))

    write_coco(path, [draw("1.png"), draw("2.png")])
    text = json.loads(path.read_text())
    text["images"][1]["finished"] = False
    path.write_text(json.dumps(text))
    with pytest.raises(InputError, match="nobody finished the review of 1 image: go on with 'irnet view'"):
        files.read(str(path))
