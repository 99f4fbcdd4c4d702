"""CVAT's XML there and back, and files that a parser should fear."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from format_scenes import SHAPE, by_place, place, scenes, smear
from hypothesis import HealthCheck, given, settings

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.data.formats import cvat
from irnet.errors import InputError

MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FILE = "annotations.xml"


@pytest.mark.parametrize("style", ["masks", "polygons"])
@MANY
@given(scenes())
def test_shapes_come_back_as_they_were(tmp_path: Path, style: str, cells: Cells) -> None:
    cvat.write(tmp_path / FILE, [place(tmp_path, cells)], style=style)
    (entry,) = cvat.read(tmp_path)
    assert by_place(entry.content.cells) == by_place(cells)


def test_images_in_folders_come_back_with_names_and_kinds(tmp_path: Path) -> None:
    kinds = ('<"LSIL" & \x01', *[""] * 5)
    entries = [place(tmp_path, smear(), name, kinds=kinds) for name in ("1/a.png", "2/<b> & 'c'.png")]
    cvat.write(tmp_path / FILE, entries)
    again = cvat.read(tmp_path / FILE)
    assert [entry.name for entry in again] == [entry.name for entry in entries]
    assert again[1].content.kinds[0] == '<"LSIL" &'
    assert again[1].read().image.shape == (100, 120, 3)


def test_masks_are_run_lengths_of_their_own_box(tmp_path: Path) -> None:
    mask = np.zeros((1, *SHAPE), dtype=bool)
    mask[0, 10:12, 20:23] = [[1, 1, 0], [0, 1, 1]]
    cvat.write(tmp_path / FILE, [place(tmp_path, Cells.from_dense(mask, [NUCLEUS]))])
    element = ElementTree.parse(tmp_path / FILE).find("image/mask")
    assert element is not None
    assert element.get("rle") == "0, 2, 2, 2"
    assert [element.get(name) for name in ("left", "top", "width", "height")] == ["20", "10", "3", "2"]
    assert element.get("z_order") == "1"


def test_cells_and_their_nuclei_share_a_group(tmp_path: Path) -> None:
    cvat.write(tmp_path / FILE, [place(tmp_path, smear())])
    masks = ElementTree.parse(tmp_path / FILE).findall("image/mask")
    assert [mask.get("group_id") for mask in masks] == [None, "2", None, None, "2", None]
    numbers = [[a.text for a in mask.iter("attribute") if a.get("name") == "cell"] for mask in masks]
    assert numbers == [["1"], [], ["1"], ["1"], [], []]
    assert {mask.get("occluded") for mask in masks} == {"0"}


def read(folder: Path, shapes: str, before: str = "", **options: object) -> Cells:
    place(folder, Cells.empty(SHAPE))
    image = f'<image id="0" name="a.png" width="{SHAPE[1]}" height="{SHAPE[0]}">{shapes}</image>'
    (folder / FILE).write_text(f"{before}<annotations><version>1.1</version>{image}</annotations>")
    (entry,) = cvat.read(folder, **options)
    return entry.content.cells


def test_what_cvat_draws_is_read(tmp_path: Path) -> None:
    shapes = '<tag label="blurred"/><box label="Cell" xtl="10" ytl="10" xbr="30.0" ybr="30" group_id="3"/>'
    shapes += '<ellipse label="nucleus" cx="20" cy="20" rx="5" ry="5" group_id="3" z_order="1"/>'
    shapes += '<polygon label="nucleus" points="1.00,1.00;9.00,1.00;9.00,9.00;1.00,9.00"/>'
    shapes += '<polyline label="dirt" points="1,1;2,2"/>'
    cells = read(tmp_path, shapes, mapping={"Cell": "cytoplasm", "dirt": "drop"})
    assert (cells.labels.tolist(), cells.parents.tolist()) == ([CYTOPLASM, NUCLEUS, NUCLEUS], [-1, 0, -1])
    assert cells.areas.tolist()[::2] == [400, 64]
    assert cells.areas[1] == pytest.approx(np.pi * 25, rel=0.05)


def square(x: int, y: int, side: int, label: str = "cytoplasm", **fields: str) -> str:
    given = "".join(f' {name}="{value}"' for name, value in fields.items())
    return f'<box label="{label}" xtl="{x}" ytl="{y}" xbr="{x + side}" ybr="{y + side}"{given}/>'


def test_shapes_of_one_label_and_group_are_one_instance(tmp_path: Path) -> None:
    one = square(2, 2, 10, group_id="1") + square(20, 2, 20, group_id="1")
    nuclei = square(24, 6, 4, "nucleus", group_id="1") + square(50, 6, 4, "nucleus", group_id="2")
    cells = read(tmp_path, one + nuclei + square(2, 40, 10, group_id="2"))
    assert (cells.areas.tolist(), cells.parents.tolist()) == ([500, 16, 16, 100], [-1, 0, -1, -1])


def test_group_0_is_no_group(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cells = read(tmp_path, square(2, 2, 10, group_id="0") + square(20, 2, 20, group_id="0"))
    assert cells.areas.tolist() == [100, 400]
    assert not caplog.text


def test_cells_that_share_a_group_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(read(tmp_path, square(2, 2, 10, group_id="5") + square(20, 2, 20, group_id="5"))) == 1
    assert "pieces that lie apart are one instance" in caplog.text
    assert "(labelme: null, CVAT: 0): 2" in caplog.text


@pytest.mark.parametrize(("value", "parent"), [("superficial", -1), ("true", -1), ("0", -1), ("12", 0)])
def test_an_attribute_of_the_users_own_links_nothing(
    tmp_path: Path, value: str, parent: int, caplog: pytest.LogCaptureFixture
) -> None:
    shapes = square(2, 2, 20) + square(6, 6, 4, "nucleus") + square(40, 40, 4, "nucleus")
    said = f'><attribute name="cell"> {value} </attribute></box>'
    assert read(tmp_path, shapes.replace("/>", said)).parents.tolist() == [-1, parent, -1]
    told = "no cell of their group were linked to none: 1" if parent == 0 else "link nothing: 3"
    assert told in caplog.text


def test_an_empty_attribute_is_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(tmp_path, square(2, 2, 20).replace("/>", '><attribute name="cell"/></box>'))
    assert not caplog.text


def test_what_is_rotated_is_turned_about_its_middle(tmp_path: Path) -> None:
    box = '<box label="nucleus" xtl="10" ytl="20" xbr="40" ybr="24" rotation="90.00"/>'
    tilted = '<ellipse label="nucleus" cx="30" cy="30" rx="20" ry="2" rotation="45"/>'
    cells = read(tmp_path, box + tilted)
    assert cells.boxes[0].tolist() == [23, 7, 27, 37]
    (x, y), crop = cells.offsets[1].tolist(), cells.masks[1]
    assert crop[40 - y, 40 - x]  # clockwise: down to the right
    assert not crop[20 - y, 40 - x]


def test_what_has_no_area_is_left_out_and_counted(tmp_path: Path, caplog) -> None:
    shapes = '<tag label="blurred"/><points label="seen" points="1,1"/><polyline label="x" points="1,1;2,2"/>'
    assert len(read(tmp_path, shapes + shapes + square(2, 2, 10))) == 1
    for tag in ("tag", "points", "polyline"):
        assert f"left out ({tag}: no area): 2" in caplog.text


def test_points_with_decimal_commas_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x,y;x,y;\.\.\. with decimal points"):
        read(tmp_path, '<polygon label="nucleus" points="10,5,20,5;40,5,20,5;40,5,50,5"/>')
    assert len(read(tmp_path, '<polygon label="nucleus" points="10,20;40,20;40,50;"/>')) == 1


def test_coordinates_that_look_like_shares_are_told(tmp_path: Path, caplog) -> None:
    read(tmp_path, '<polygon label="nucleus" points="0.1,0.1;0.9,0.1;0.9,0.9"/>' + square(2, 2, 10))
    assert "are they shares of the image's size? Pixels are meant: 1" in caplog.text


def test_shapes_outside_their_image_are_left_out_and_counted(tmp_path: Path, caplog) -> None:
    assert len(read(tmp_path, square(2, 2, 10) + square(20, 20, 10, outside="1"))) == 1
    assert "left out (outside its image, as its track says): 1" in caplog.text


@pytest.mark.parametrize("encoding", ["foo", "utf-7", "shift_jis"])
def test_an_encoding_that_is_not_read_is_named(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match=r"annotations\.xml: not valid XML"):
        read(tmp_path, "", f'<?xml version="1.0" encoding="{encoding}"?>')


def mask(**changes: str) -> str:
    fields = {"rle": "1, 3", "left": "1", "top": "1", "width": "2", "height": "2"} | changes
    return f'<mask label="nucleus" {" ".join(f"{name}={value!r}" for name, value in fields.items())}/>'


BAD = {
    "unknown label": ('<mask label="Cell"/>', "--map 'Cell=cytoplasm'"),
    "no label": ("<mask/>", "unknown category ''"),
    "no number": ('<polygon label="nucleus" points="1,1;a,2;3,3"/>', "points must be a number, not 'a'"),
    "NaN": ('<polygon label="nucleus" points="1,1;nan,2;3,3"/>', "points must be a number"),
    "huge": ('<polygon label="nucleus" points="1,1;1e12,2;3,3"/>', "beyond 140 px"),
    "rotated": ('<box label="nucleus" xtl="1" ytl="1" xbr="3" ybr="3" rotation="a"/>', "rotation must be a"),
    "no rle": (mask(rle=""), "rle must be run lengths"),
    "negative rle": (mask(rle="-1, 5"), "rle must be run lengths"),
    "short rle": (mask(rle="1, 2"), "adds up to 3, not to 2 x 2"),
    "huge rle": (mask(rle="9" * 30), "adds up to"),
    "long rle": (mask(rle="0, " * 50 + "4"), "rle must be run lengths"),
    "outside": (mask(left="69"), "leaves the image"),
    "vast": (mask(width="99999999999", height="99999999999"), "leaves the image"),
    "half a pixel": (mask(left="1.5"), "left must be a whole number"),
    "empty": (mask(rle="4"), "covers no pixel"),
    "deep": ("<a>" * 50 + "</a>" * 50, "20 deep"),
    "not closed": ("<mask>", "line 1"),
    "entity": ("&lol;", "not valid XML"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_with_file_and_shape(tmp_path: Path, name: str) -> None:
    shapes, message = BAD[name]
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, shapes)
    assert str(caught.value).startswith(str(tmp_path / FILE))


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
TYPES = {
    "laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>',
    "outside": '<!DOCTYPE a [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
    "parameter": '<!DOCTYPE a SYSTEM "http://localhost/a.dtd">',
}


@pytest.mark.parametrize("name", TYPES)
def test_a_document_type_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="declares a document type"):
        read(tmp_path, "&l9;" if name != "parameter" else "", TYPES[name])


def test_other_formats_of_cvat_are_refused(tmp_path: Path) -> None:
    for text, found in (("<annotations><track/></annotations>", "1 tracks"), ("<boxes/>", "it is not")):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(InputError, match=rf"{FILE}: {found}.* 'CVAT for images 1\.1'"):
            cvat.read(tmp_path)


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "C:/a.png", "", "b.png"])
def test_an_image_that_is_not_there_or_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    place(tmp_path, Cells.empty(SHAPE))
    image = f'<image name="{name}" width="70" height="60"/>'
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / FILE).write_text(f"<annotations>{image}</annotations>")
    with pytest.raises(
        InputError, match=r"annotations\.xml: image '.*': .*(no image|leaves its|not a file name)"
    ):
        cvat.read(tmp_path / "in")


def test_a_drawing_on_another_image_is_refused(tmp_path: Path) -> None:
    cvat.write(tmp_path / FILE, [place(tmp_path, smear())])
    place(tmp_path, Cells.empty(SHAPE))
    with pytest.raises(InputError, match=r"image 'a\.png': drawn on an image of \(100, 120\)"):
        cvat.read(tmp_path)
