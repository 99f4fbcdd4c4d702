"""The id of a cell goes out to other tools and comes back with it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from format_scenes import place, smear

from irnet.data.formats import cvat, imagej, labelme, qupath
from irnet.data.sample import Entry

NUMBERS = (17, 3, 40, 2, 8, 5)


def _cvat(path: Path, entry: Entry, style: str) -> None:
    cvat.write(path, [entry], style=style)  # type: ignore[arg-type]


TOOLS = [
    ("a.geojson", partial(qupath.write, style="cells"), qupath.read),
    ("a.geojson", partial(qupath.write, style="annotations"), qupath.read),
    ("a.zip", imagej.write, imagej.read),
    ("a.json", partial(labelme.write, style="polygons"), labelme.read),
    ("a.json", partial(labelme.write, style="masks"), labelme.read),
    ("annotations.xml", partial(_cvat, style="masks"), cvat.read),
    ("annotations.xml", partial(_cvat, style="polygons"), cvat.read),
]


def known(entry: Entry) -> dict[tuple[int, ...], int]:
    """The number of each instance, by where it lies."""
    content = entry.content
    boxes = [tuple(box) for box in content.cells.boxes.astype(int).tolist()]
    return dict(zip(boxes, content.numbered, strict=True))


@pytest.mark.parametrize(("name", "write", "read"), TOOLS)
def test_numbers_come_back(tmp_path: Path, name: str, write: Callable, read: Callable) -> None:
    entry = place(tmp_path, smear(), numbers=NUMBERS)
    write(tmp_path / name, entry)
    (back,) = read(tmp_path / name)
    assert known(back) == known(entry)


@pytest.mark.parametrize(("name", "write", "read"), [tool for tool in TOOLS if tool[0] != "a.zip"])
def test_ids_stand_in_the_file(tmp_path: Path, name: str, write: Callable, read: Callable) -> None:
    write(tmp_path / name, place(tmp_path, smear(), numbers=NUMBERS))
    text = (tmp_path / name).read_text()
    assert all(f'a.png#{number}"' in text or f"a.png#{number}<" in text for number in (17, 3, 5))


def test_a_copy_gets_a_number_of_its_own(tmp_path: Path) -> None:
    cells = smear()
    entry = place(tmp_path, cells.select([0, 1, 0]), numbers=(4, 9, 7))
    labelme.write(tmp_path / "a.json", entry)
    file = tmp_path / "a.json"
    file.write_text(file.read_text().replace("a.png#7", "a.png#4"))
    (back,) = labelme.read(file)
    assert back.content.numbers == (4, 9, 10)
    file.write_text(file.read_text().replace("a.png#9", "drawn by hand"))
    assert labelme.read(file)[0].content.numbers == (4, 5, 6)


def test_names_of_images_may_hold_anything(tmp_path: Path) -> None:
    entry = replace(place(tmp_path, smear(), numbers=NUMBERS), name="p 1/a#2.png")
    imagej.write(tmp_path / "a.zip", entry)
    assert known(imagej.read(tmp_path / "a.zip")[0]) == known(entry)
