"""labelme files there and back, labelme's own rules, and files that break them."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from format_scenes import SHAPE, by_place, place, scenes, smear
from hypothesis import HealthCheck, given, settings

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.data.formats import labelme
from irnet.data.pixels import to_png
from irnet.errors import InputError

MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, cells: Cells, **options: object) -> dict:
    labelme.write(folder / "a.json", place(folder, cells), **options)
    return json.loads((folder / "a.json").read_text())


@pytest.mark.parametrize("style", ["polygons", "masks"])
@MANY
@given(scenes())
def test_shapes_come_back_as_they_were(tmp_path: Path, style: str, cells: Cells) -> None:
    write(tmp_path, cells, style=style)
    (entry,) = labelme.read(tmp_path)
    assert by_place(entry.content.cells) == by_place(cells)


def test_what_is_known_of_the_image_comes_back(tmp_path: Path) -> None:
    entry = place(tmp_path, smear(), kinds=("LSIL", *[""] * 5))
    labelme.write(tmp_path / "a.json", entry)
    (again,) = labelme.read(tmp_path / "a.json")
    assert (again.name, again.content.cells.mpp, again.content.kinds[0]) == ("a.png", 0.25, "LSIL")
    assert again.read().image.shape == (100, 120, 3)


def test_shapes_have_the_fields_that_labelme_asks_for(tmp_path: Path) -> None:
    data = write(tmp_path, smear())
    assert (data["imagePath"], data["imageHeight"], data["imageWidth"]) == ("a.png", 100, 120)
    for shape in data["shapes"]:
        assert isinstance(shape["label"], str)
        assert shape["shape_type"] == "polygon"
        assert all(len(point) == 2 and np.isfinite(point).all() for point in shape["points"])
        assert shape["points"][0] != shape["points"][-1]
        assert shape["group_id"] is None or type(shape["group_id"]) is int
        assert shape["flags"] == {}
    assert [shape["group_id"] for shape in data["shapes"]] == [None, 2, None, None, 2, None]
    assert [shape.get("cell") for shape in data["shapes"]] == [1, None, 1, 1, None, None]


def test_a_mask_with_a_hole_is_a_mask_shape(tmp_path: Path) -> None:
    mask = np.ones((1, 9, 8), dtype=bool)
    mask[0, 3:5, 3:5] = False
    (shape,) = write(tmp_path, Cells.from_dense(mask, [CYTOPLASM]))["shapes"]
    assert (shape["shape_type"], shape["points"]) == ("mask", [[0, 0], [7, 8]])


def shape(**changes: object) -> dict:
    square = [[5, 5], [25, 5], [25, 25], [5, 25]]
    return {"label": "nucleus", "points": square, "shape_type": "polygon", "group_id": None} | changes


def read(folder: Path, *shapes: object, image: str = "a.png", where: str = "", **options: object) -> Cells:
    place(folder, Cells.empty(SHAPE), where + "a.png")
    data = {"version": "7.0.0", "shapes": shapes, "imagePath": image, "imageData": None}
    (folder / "a.json").write_text(json.dumps(data))
    (entry,) = labelme.read(folder / "a.json", **options)
    return entry.content.cells


def test_what_labelme_draws_is_read(tmp_path: Path) -> None:
    rectangle = shape(shape_type="rectangle", points=[[30, 40], [10, 20]], label="Cell", group_id=4)
    circle = shape(shape_type="circle", points=[[20, 30], [25, 30]], group_id=4)
    cells = read(
        tmp_path, rectangle, circle, shape(label="dirt"), mapping={"Cell": "cytoplasm", "dirt": "drop"}
    )
    assert (cells.labels.tolist(), cells.parents.tolist()) == ([CYTOPLASM, NUCLEUS], [-1, 0])
    assert cells.areas[0] == 400
    assert cells.areas[1] == pytest.approx(np.pi * 25, rel=0.05)


@pytest.mark.parametrize("name", ["../b.png", "/etc/b.png", "C:\\b.png", "..\\..\\b.png"])
def test_an_image_path_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "b.png").write_bytes(b"not ours")
    with pytest.raises(InputError, match=r"a\.json: no image .*b\.png"):
        read(tmp_path / "drawn", image=name)


@pytest.mark.parametrize(
    "name", ["C:\\x\\pics\\a.png", "/home/x/a.png", "\\\\server\\share\\a.png", "../pics/a.png"]
)
@pytest.mark.parametrize("where", ["", "../pics/"])
def test_an_image_path_of_another_machine_means_the_file_of_that_name(
    tmp_path: Path, name: str, where: str
) -> None:
    images = {"images": tmp_path / "pics"} if where else {}
    assert len(read(tmp_path / "drawn", shape(), image=name, where=where, **images)) == 1


def test_images_elsewhere_are_found_where_the_user_says(tmp_path: Path) -> None:
    cells = read(
        tmp_path, shape(), image="../images/a.png", where="../pictures/", images=tmp_path / "../pictures"
    )
    assert len(cells) == 1


def square(x: float, y: float, side: float, label: str = "Cell", **changes: object) -> dict:
    corners = [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]
    return shape(points=corners, label=label, **changes)


CELL = {"mapping": {"Cell": "cytoplasm"}}


def test_shapes_of_one_label_and_group_are_one_instance(tmp_path: Path) -> None:
    drawn = [square(2, 2, 10), square(20, 2, 20), square(24, 6, 4, "nucleus"), square(32, 6, 4, "nucleus")]
    cells = read(tmp_path, *[row | {"group_id": 1} for row in drawn], square(2, 40, 10), **CELL)
    assert cells.areas.tolist() == [500, 32, 100]
    assert cells.parents.tolist() == [-1, 0, -1]


def test_cells_that_share_a_group_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    apart = [square(2, 2, 10, group_id=0), square(20, 2, 10, group_id=0), square(40, 2, 10, group_id=0)]
    touching = [square(2, 30, 10, group_id=1), square(12, 40, 10, group_id=1)]  # at a corner
    ignored = [square(2, 50, 5, "ignore", group_id=2), square(40, 50, 5, "ignore", group_id=2)]
    assert read(tmp_path, *apart, *touching, *ignored, **CELL).areas.tolist() == [300, 200]
    assert "a.json: pieces that lie apart are one instance" in caplog.text
    assert "(labelme: null, CVAT: 0): 3" in caplog.text
    caplog.clear()
    read(tmp_path, *touching, *[row | {"group_id": None} for row in apart], **CELL)
    assert not caplog.text


@pytest.mark.parametrize("group", [0, 3, "3", "left", 3.0])
def test_a_nucleus_is_linked_by_group_only_where_it_overlaps(tmp_path: Path, group: object, caplog) -> None:
    drawn = [square(2, 2, 20), square(6, 6, 4, "nucleus")]
    cells = read(tmp_path, *[row | {"group_id": group} for row in drawn], **CELL)
    assert cells.parents.tolist() == [-1, 0]
    drawn = [square(2, 2, 20), square(40, 40, 4, "nucleus")]
    cells = read(tmp_path, *[row | {"group_id": group} for row in drawn], **CELL)
    assert cells.parents.tolist() == [-1, -1]
    assert "nuclei that touch no cell of their group were linked to none: 1" in caplog.text


NO_LINK = "values of `cell` are no whole number from 1"


@pytest.mark.parametrize("value", ["superficial", True, 0, -1, 1.5, "01", [1], {"a": 1}, 10**400])
def test_a_key_of_the_users_own_links_nothing(tmp_path: Path, value: object, caplog) -> None:
    cells = read(tmp_path, square(2, 2, 20, cell=value), square(6, 6, 4, "nucleus", cell=value), **CELL)
    assert cells.parents.tolist() == [-1, -1]
    assert f"a.json: {NO_LINK}" in caplog.text
    assert "link nothing: 2" in caplog.text


def test_a_number_links_what_overlaps_and_what_irnet_named(tmp_path: Path, caplog) -> None:
    drawn = [square(2, 2, 20, cell=3), square(6, 6, 4, "nucleus", cell=3.0)]
    far = square(40, 40, 4, "nucleus", cell="3")
    assert read(tmp_path, *drawn, far, **CELL).parents.tolist() == [-1, 0, -1]
    assert "nuclei that touch no cell of their group were linked to none: 1" in caplog.text
    named = far | {"description": "a.png#7"}
    assert read(tmp_path, *drawn, named, **CELL).parents.tolist() == [-1, 0, 0]
    other = square(2, 30, 20, cell=3)  # the number stands for something else
    assert read(tmp_path, *drawn, named, other, **CELL).parents.tolist() == [-1, 0, -1, -1]
    assert NO_LINK not in caplog.text


@pytest.mark.parametrize("size", [("60", "70"), (60.0, 70.0), (None, None)])
def test_the_size_of_the_image_may_be_text(tmp_path: Path, size: tuple) -> None:
    data = write(tmp_path, smear().shift(0, 0, SHAPE)) | {"imageHeight": size[0], "imageWidth": size[1]}
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert len(labelme.read(tmp_path)) == 1


def test_a_file_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, image="gone.png")
    assert str(caught.value).count("a.json") == 1
    assert "no image gone.png: put it beside" in str(caught.value)


def test_an_empty_group_is_none(tmp_path: Path) -> None:
    cells = read(tmp_path, *[square(x, 2, 10, group_id=" ") for x in (2, 20)], **CELL)
    assert cells.areas.tolist() == [100, 100]


def test_files_of_old_and_new_versions_are_read(tmp_path: Path) -> None:
    old = {"label": "nucleus", "points": [[5, 5], [25, 5], [25, 25], [5, 25]], "line_color": None}
    cells = read(tmp_path, old, shape(shape_type="rectangle"), shape(shape_type="rotation", direction=0.1))
    assert cells.areas.tolist() == [400, 400, 400]


def test_what_has_no_area_is_left_out_and_counted(tmp_path: Path, caplog) -> None:
    drawn = [shape(shape_type="point", points=[[1, 1]], label="seen"), shape(shape_type="linestrip")]
    assert len(read(tmp_path, *drawn, shape())) == 1
    assert "left out (point: no area): 1" in caplog.text
    assert "left out (linestrip: no area): 1" in caplog.text


def test_coordinates_that_look_like_shares_are_told(tmp_path: Path, caplog) -> None:
    read(tmp_path, shape(points=[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]), shape())
    assert "are they shares of the image's size? Pixels are meant: 1" in caplog.text


PNG = base64.b64encode(to_png(np.full((5, 5), 255, dtype=np.uint8))).decode()
BAD = {
    "no label": (shape(label=None), "shape 1: label must be text"),
    "unknown label": (shape(label="Cell"), "--map 'Cell=cytoplasm'"),
    "a text": ("x", "label must be text"),
    "group": (shape(group_id=True), "group_id must be a whole number, text or null, not True"),
    "group list": (shape(group_id=[1]), "group_id must be a whole number"),
    "no points": (shape(points=None), "points must be"),
    "NaN": (shape(points=[[1, 1], [2, 2], [1, 1e999]]), "is not a number"),
    "huge": (shape(points=[[1, 1], [2, 2], [1, 1e12]]), "beyond 140 px"),
    "triples": (shape(points=[[1, 1, 1], [2, 2, 2]]), "points must be"),
    "a cuboid": (shape(shape_type="cuboid"), "shape_type 'cuboid' with 4 points is not an area"),
    "percent": (shape(score=97), "score must be from 0 to 1"),
    "score": (shape(score="high"), "score must be a finite number"),
    "long score": (shape(score=10**400), "score must be a finite number"),
    "no mask": (shape(shape_type="mask", points=[[1, 1], [5, 5]]), "PNG in base64"),
    "no PNG": (shape(shape_type="mask", points=[[1, 1], [5, 5]], mask="AAAA"), "no PNG"),
    "mask outside": (
        shape(shape_type="mask", points=[[1, 1], [500, 5]], mask=PNG),
        "leaves? the image|beyond",
    ),
    "mask of other size": (shape(shape_type="mask", points=[[1, 1], [6, 5]], mask=PNG), "5 x 5 pixels"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_with_file_and_shape(tmp_path: Path, name: str) -> None:
    row, message = BAD[name]
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, row)
    assert str(caught.value).startswith(str(tmp_path / "a.json"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"shapes": []}', "[" * 100_000])
def test_what_is_no_file_of_labelme_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json"):
        labelme.read(tmp_path)


def test_a_drawing_on_another_image_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path, smear()) | {"imageHeight": 99}
    (tmp_path / "a.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"drawn on an image of \(99, 120\)"):
        labelme.read(tmp_path)
