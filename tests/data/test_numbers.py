import json
import logging
from pathlib import Path

import pytest

from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.coco.document import load
from irnet.data.numbers import fill_numbers
from irnet.wording import name_instance, parse_instance_name

SQUARE = [[1, 1, 9, 1, 9, 9, 1, 9]]


@pytest.mark.parametrize("image", ["a.png", "p1/a b.png", "a#3.png", "#", "50, 282.png", "#17"])
@pytest.mark.parametrize("number", [0, 17, 10**6])
def test_an_id_is_parsed_as_it_is_worded(image: str, number: int) -> None:
    assert parse_instance_name(name_instance(image, number)) == (image, number)


@pytest.mark.parametrize(
    "text", ["", "a.png", "a.png#", "a.png#x", "a.png#-1", "a#1.png", "a#1 2", "#1e3", "#" + "9" * 16]
)
def test_other_text_is_no_id(text: str) -> None:
    assert parse_instance_name(text) is None


def _write(path: Path, numbers: list, **image) -> Path:
    rows = [
        {"id": 10 * (i + 1), "image_id": 1, "category_id": 1, "segmentation": SQUARE}
        for i in range(len(numbers))
    ]
    for row, number in zip(rows, numbers, strict=True):
        row |= {} if number is None else {"number": number}
    picture = {"id": 1, "file_name": "a.png", "height": 20, "width": 20} | image
    categories = [{"id": 1, "name": "cytoplasm"}]
    path.write_text(json.dumps({"images": [picture], "annotations": rows, "categories": categories}))
    return path


@pytest.mark.parametrize(
    ("given", "image", "read"),
    [
        ([None, None, None], {}, (0, 1, 2)),
        ([4, 0, None], {}, (4, 0, 5)),
        ([4, None], {"last_number": 9}, (4, 10)),
        ([4, None], {"last_number": "many"}, (4, 5)),
        ([7, 7, True], {}, (7, 8, 9)),
        (["a", -1, 2.5, 10**20], {}, (0, 1, 2, 3)),
    ],
)
def test_numbers_of_a_file_are_kept_and_the_rest_is_filled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: list, image: dict, read: tuple
) -> None:
    with caplog.at_level(logging.WARNING):
        (entry,) = read_coco(_write(tmp_path / "set.json", given, **image))
    assert tuple(entry.content.numbered) == read
    odd = sum(number not in (None, kept) or number is True for number, kept in zip(given, read, strict=True))
    assert (f"next free one: {odd}" in caplog.text) == bool(odd)

    write_coco(tmp_path / "again.json", [entry])
    assert [row["number"] for row in load(tmp_path / "again.json").annotations] == list(read)
    assert tuple(read_coco(tmp_path / "again.json")[0].content.numbered) == read


def test_a_number_that_is_gone_is_remembered(tmp_path: Path) -> None:
    (entry,) = read_coco(_write(tmp_path / "set.json", [0, 1], last_number=6))
    write_coco(tmp_path / "again.json", [entry])
    assert load(tmp_path / "again.json").images[0]["last_number"] == 6
    assert fill_numbers([0, 1, None], last=6) == [0, 1, 7]
