"""Centres in COCO files: read, written, checked, and never taken for outlines."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irnet.cells import LABEL_NAMES, NUCLEUS, Cells, Content, Point
from irnet.data.checks.check import check
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.formats import convert
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import masks

SHAPE = (8, 10)
BLOCK = masks.pack(masks.encode(np.ones((3, 3), dtype=bool), (1, 1), SHAPE))
MASK = {"segmentation": {"size": list(SHAPE), "counts": BLOCK}, "bbox": [1, 1, 3, 3]}


def data_set(folder: Path, rows: list[dict], **image: object) -> Path:
    """A data set of one image with these annotations."""
    (folder / "images").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "images" / "a.png")
    table = {
        "images": [{"id": 1, "file_name": "a.png", "height": SHAPE[0], "width": SHAPE[1], **image}],
        "categories": [{"id": 1, "name": "cytoplasm"}, {"id": 2, "name": "nucleus"}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 2, "iscrowd": 0, **row} for i, row in enumerate(rows)
        ],
    }
    (folder / "annotations.json").write_text(json.dumps(table))
    return folder


def test_points_come_back_as_they_were_written(tmp_path: Path) -> None:
    points = (Point(label=NUCLEUS, place=(2.5, 3.5), kind="HSIL"), Point(label=NUCLEUS, place=(9.0, 0.5)))
    truth = Content(cells=Cells.empty(SHAPE, mpp=0.25), annotated=frozenset(), points=points)
    write_coco(tmp_path / "a.json", [Entry(name="a.png", path=tmp_path / "a.png", content=truth)])
    (read,) = read_coco(tmp_path / "a.json")
    assert [(p.label, p.place, p.kind) for p in read.content.points] == [
        (p.label, p.place, p.kind) for p in points
    ]
    assert not len(read.content.cells)
    assert not read.content.annotated


def test_an_image_of_points_counts_as_not_annotated_unless_it_says_so(tmp_path: Path, caplog) -> None:
    rows = [{"keypoints": [4, 4, 2]}, MASK]
    (read,) = read_coco(data_set(tmp_path, rows))
    assert len(read.content.cells) == len(read.content.points) == 1
    assert read.content.annotated == frozenset()
    assert "say there which classes were outlined: 1" in caplog.text
    caplog.clear()
    table = json.loads((tmp_path / "annotations.json").read_text())
    table["images"][0]["annotated_categories"] = ["cytoplasm", "nucleus"]
    (tmp_path / "annotations.json").write_text(json.dumps(table))
    assert read_coco(tmp_path)[0].content.annotated == frozenset(LABEL_NAMES)
    assert "outlined" not in caplog.text


def test_keypoints_beside_an_outline_are_no_points(tmp_path: Path) -> None:
    (read,) = read_coco(data_set(tmp_path, [MASK | {"keypoints": [2, 2, 2]}]))
    assert len(read.content.cells) == 1
    assert not read.content.points
    assert read.content.annotated == frozenset(LABEL_NAMES)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"keypoints": [4, 4]}, "one centre"),
        ({"keypoints": [4, 4, 2, 5, 5, 2]}, "one centre"),
        ({"keypoints": ["4", 4, 2]}, "finite number"),
        ({"keypoints": [0, 0, 0]}, "not marked"),
        ({"keypoints": [4, 4, 3]}, "not marked"),
        ({"keypoints": [4, 9, 2]}, "outside of the image"),
        ({"keypoints": [4, 4, 2], "category_id": 9}, "not in categories"),
    ],
)
def test_a_bad_point_is_refused_and_found(tmp_path: Path, row: dict, said: str) -> None:
    folder = data_set(tmp_path, [row])
    with pytest.raises(InputError, match=said):
        read_coco(folder)
    assert any(finding.severity == "error" for finding in check([folder]))


def test_a_set_of_points_is_in_order_and_survives_conversion(tmp_path: Path) -> None:
    folder = data_set(tmp_path, [{"keypoints": [4, 4, 2], "kind": "LSIL"}])
    assert {finding.code for finding in check([folder])} == {"no-scale", "no-patient"}
    assert convert("coco", folder, tmp_path / "out") == 1
    (read,) = read_coco(tmp_path / "out")
    assert [(p.place, p.kind) for p in read.content.points] == [((4.0, 4.0), "LSIL")]
