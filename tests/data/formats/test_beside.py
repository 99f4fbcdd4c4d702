"""Which image a file of annotations belongs to."""

from pathlib import Path

import pytest
from format_scenes import place, smear

from irnet.data.beside import ImageFinder, list_files, name_files
from irnet.data.coco.coco import write_coco
from irnet.data.formats import qupath
from irnet.errors import InputError


def test_names_that_a_file_system_would_confuse_are_told_apart() -> None:
    names = ["a.png", "A.png", "b.png", "c/d.png", "c/d.tif"]
    assert name_files(names, ".zip") == ["a.png.zip", "A.png.zip", "b.zip", "c/d.png.zip", "c/d.tif.zip"]


def test_files_of_folders_are_listed_whatever_their_case(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    for name in ("b.XML", "1/a.xml", "c.txt", "._b.xml"):
        (tmp_path / name).touch()
    assert [file.name for file in list_files(tmp_path, ".xml")] == ["a.xml", "b.XML"]
    assert list_files(tmp_path / "c.txt", ".xml") == [tmp_path / "c.txt"]
    with pytest.raises(InputError, match=r"no file in it that ends in \.zip"):
        list_files(tmp_path, ".zip")
    with pytest.raises(InputError, match="no such file or folder"):
        list_files(tmp_path / "none", ".zip")


@pytest.mark.parametrize("where", ["", "images/"])
@pytest.mark.parametrize("name", ["a.png", "a.TIF", "x.y.png"])
def test_images_lie_beside_or_in_a_folder_of_images(tmp_path: Path, where: str, name: str) -> None:
    image = place(tmp_path, smear(), where + name).path
    for stem in (Path(name).stem, name):
        picture = ImageFinder(tmp_path).of_file(tmp_path / f"{stem}.geojson", ".geojson")
        assert (picture.path, picture.name) == (image, name)


def test_images_elsewhere_are_named(tmp_path: Path) -> None:
    place(tmp_path / "elsewhere", smear(), "1/a.png")
    file = tmp_path / "drawn" / "1" / "a.zip"
    file.parent.mkdir(parents=True)
    with pytest.raises(InputError, match=r"a\.zip: no image of its name: .*--images"):
        ImageFinder(tmp_path / "drawn").of_file(file, ".zip")
    picture = ImageFinder(tmp_path / "drawn", tmp_path / "elsewhere").of_file(file, ".zip")
    assert picture.name == "1/a.png"
    with pytest.raises(InputError, match=r"no image b\.png: put it into .*elsewhere"):
        ImageFinder(tmp_path / "drawn", tmp_path / "elsewhere").of_name("b.png", file)


def test_two_images_of_a_name_are_told_apart_by_the_suffix(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        place(tmp_path, smear(), name)
    with pytest.raises(InputError, match="suffix included"):
        ImageFinder(tmp_path).of_file(tmp_path / "a.zip", ".zip")
    assert ImageFinder(tmp_path).of_file(tmp_path / "a.tif.zip", ".zip").name == "a.tif"


def test_a_data_set_tells_scale_and_patient(tmp_path: Path) -> None:
    entry = place(tmp_path / "set" / "images", smear(), "a.png")
    object.__setattr__(entry, "patient", "p7")
    write_coco(tmp_path / "set" / "annotations.json", [entry])
    qupath.write(tmp_path / "drawn" / "a.geojson", entry)
    for images in ("set", "set/annotations.json"):
        (again,) = qupath.read(tmp_path / "drawn", images=tmp_path / images)
        assert (again.patient, again.content.cells.mpp) == ("p7", 0.25)
    (again,) = qupath.read(tmp_path / "drawn", images=tmp_path / "set" / "images")
    assert (again.patient, again.content.cells.mpp) == (None, None)
    qupath.write(tmp_path / "drawn" / "b.geojson", entry)
    with pytest.raises(InputError, match=r"b\.geojson: no image of its name: put it into"):
        qupath.read(tmp_path / "drawn", images=tmp_path / "set")
